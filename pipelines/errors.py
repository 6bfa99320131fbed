"""The exception for data that cannot be used as it stands, and how its messages name rows."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from tflite.runtime.errors import LabError


class ManifestError(LabError):
    """A data set, manifest or split that cannot be used as it stands."""


def name_rows(table: pd.DataFrame, rows: Iterable[int], limit: int = 3) -> str:
    """The first rows with their files, and how many more there are.

    Args:
        table: A manifest's table (or any table with a ``path`` column).
        rows: Row numbers, from 0; row 0 is the first line after a CSV's header.
        limit: How many are written out.

    Returns:
        Such as ``row 3 (a/b.jpg), row 7 (a/c.jpg) and 12 more``.
    """
    numbers = [int(row) for row in rows]
    paths = table["path"]
    shown = ", ".join(f"row {row} ({str(paths.iloc[row])!r})" for row in numbers[:limit])
    return shown + _rest(len(numbers), limit)


def name_some(names: Iterable[str], limit: int = 5) -> str:
    """The first names, quoted, and how many more there are."""
    listed = list(names)
    return ", ".join(repr(name) for name in listed[:limit]) + _rest(len(listed), limit)


def _rest(count: int, limit: int) -> str:
    return f" and {count - limit} more" if count > limit else ""
