"""Data sets as they lie on disk, made into manifests.

One module a kind. To add a kind, add a module here that offers

- ``ORDER``: int; kinds with a small number are tried first, so the special before the general;
- ``recognise(path: Path) -> str | None``: why `path` is of this kind, in words, or None. Cheap:
  looks at names, not into images;
- ``read(path: Path, **options) -> Manifest``: keyword-only options with defaults.

Nothing has to be registered.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, get_args, get_type_hints

from pipelines.class_mapping import map_manifest
from pipelines.class_names import datasets as known_words
from pipelines.errors import ManifestError, name_some
from pipelines.manifest import Manifest

_EXPECTED = "a folder with images, a table (.csv), an archive (.npz) or boxes (COCO's .json)"


@cache
def kinds() -> tuple[str, ...]:
    """Names of all kinds, in the order in which they are tried."""
    names = [module.name for module in pkgutil.iter_modules(__path__)]
    return tuple(sorted(names, key=lambda name: (_module(name).ORDER, name)))


def options(kind: str) -> tuple[str, ...]:
    """Names of the options that a kind takes.

    Raises:
        ManifestError: If there is no such kind.
    """
    parameters = inspect.signature(_module(kind).read).parameters.values()
    return tuple(p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY)


def recognise(path: Path | str) -> tuple[str, str]:
    """The kind of data set at a path, and why, in words.

    Raises:
        ManifestError: If there is nothing at `path`, or no kind fits; says what was looked for.
    """
    path = Path(path)
    if not path.exists():
        raise ManifestError(f"There is nothing at {path}; expected was {_EXPECTED}.")
    for kind in kinds():
        try:
            reason = _module(kind).recognise(path)
        except OSError:  # what cannot be looked at is told by the last, most general kind
            continue
        if reason:
            return kind, reason
    if path.is_dir() and not any(path.iterdir()):
        raise ManifestError(
            f"{path} holds no data set: the folder is empty. Expected was {_EXPECTED}."
        )
    tables = sorted(file.name for file in path.glob("*.csv"))
    if tables:
        raise ManifestError(
            f"{path} holds no data set that is known. It holds {name_some(tables, 3)}: a table "
            "with the columns path and label is read if it is given itself as the path."
        )
    tried = "".join(f"\n  {kind}: {_summary(kind)}" for kind in kinds())
    raise ManifestError(f"{path} holds no data set that is known. Looked for:{tried}")


def open_dataset(
    path: Path | str,
    kind: str | None = None,
    /,
    classes: str | Sequence[str] | None = None,
    **chosen: Any,
) -> Manifest:
    """Reads the data set at a path.

    Args:
        path: A folder, a CSV file or a NumPy archive.
        kind: One of `kinds`; by default what `recognise` finds.
        classes: Map the data set's classes onto these (see `pipelines.class_mapping.class_set`),
            such as ``hal``; images of classes that cannot be mapped are left out and named in
            the notes. By default the classes stay as they are.
        **chosen: Options of that kind (see `options` and the ``read`` of its module).

    Returns:
        Its manifest; the first of its notes says what kind it was taken for and why.

    Raises:
        ManifestError: If nothing is found, an option is unknown or of another type, or the data
            cannot be used.
    """
    path = Path(path)
    if kind is None:
        kind, reason = recognise(path)
    else:
        reason = "as asked for"
        if not path.exists():
            recognise(path)
    module = _module(kind)
    unknown = sorted(set(chosen) - set(options(kind)))
    if unknown:
        raise ManifestError(
            f"The kind {kind} has no option {', '.join(unknown)}; it has: "
            f"{', '.join(options(kind)) or 'none'}. ({path} was read as {kind}: {reason}.)"
        )
    manifest: Manifest = module.read(path, **_typed(kind, chosen))
    if classes is not None:
        manifest = map_manifest(manifest, classes, word_source(kind))
    notes = (f"Read as {kind}: {reason}.", *manifest.notes)
    return Manifest(manifest.table, manifest.root, manifest.classes, notes)


def word_source(kind: str) -> str | None:
    """The data set whose own words for classes a kind has, or None (`pipelines.class_names`)."""
    return kind if kind in known_words() else None


def _typed(kind: str, chosen: dict[str, Any]) -> dict[str, Any]:
    """The options of a kind if they are of the types that its ``read`` names.

    A whole number may stand for a decimal one, and for a text, such as a column called 1.
    """
    hints = get_type_hints(_module(kind).read)
    typed = dict(chosen)
    for name, value in chosen.items():
        allowed = get_args(hints[name]) or (hints[name],)
        if type(value) in allowed or isinstance(value, Path) or not _TYPE_WORDS.keys() & {*allowed}:
            continue
        number = isinstance(value, int) and not isinstance(value, bool)
        if number and (float in allowed or str in allowed):
            typed[name] = float(value) if float in allowed else str(value)
        else:
            words = [word for kind_of, word in _TYPE_WORDS.items() if kind_of in allowed]
            raise ManifestError(
                f"The option {name} of the kind {kind} takes {' or '.join(words)}, got {value!r}."
            )
    return typed


_TYPE_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}


def _module(kind: str) -> ModuleType:
    try:
        return importlib.import_module(f"{__name__}.{kind}")
    except ModuleNotFoundError:
        raise ManifestError(
            f"There is no kind of data set {kind!r}; there are {', '.join(kinds())}."
        ) from None


def _summary(kind: str) -> str:
    return (_module(kind).__doc__ or "").splitlines()[0].rstrip(".")
