"""What is looked for in a data set.

One module a kind of finding. To add a kind, add a module here that offers

- ``ORDER``: int, its place on the page;
- ``TITLE``: str, a heading;
- ``ABOUT``: str, how it is decided and what cleaning does, in sentences;
- ``find(manifest, measurements, settings) -> tuple[Finding, ...]``, strongest first;

and, where large data sets are judged by a random sample,

- ``sampled(manifest, measurements, settings) -> str``: a sentence that says so, or "" if all were
  taken.

Nothing has to be registered.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from types import ModuleType

from pipelines.errors import ManifestError


@cache
def kinds() -> tuple[str, ...]:
    """Names of all kinds, in their order."""
    names = [module.name for module in pkgutil.iter_modules(__path__)]
    return tuple(sorted(names, key=lambda name: (_load(name).ORDER, name)))


def kind_module(name: str) -> ModuleType:
    """The module of a kind.

    Raises:
        ManifestError: If there is no such kind.
    """
    if name not in kinds():
        raise ManifestError(f"There is no finding {name!r}; there are {', '.join(kinds())}.")
    return _load(name)


def _load(name: str) -> ModuleType:
    return importlib.import_module(f"{__name__}.{name}")
