"""Messages for a name that is not in a registry."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def unknown_name(kind: str, name: str, known: Iterable[str]) -> str:
    """A sentence that says the name is unknown, what was probably meant, and what there is.

    Args:
        kind: What the name stands for, as a noun: "backbone", "recipe".
        name: The name that was given.
        known: All names there are.
    """
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    meant = f" Did you mean {near[0]!r}?" if near else ""
    return f"There is no {kind} {name!r}.{meant} There are: {', '.join(names)}."
