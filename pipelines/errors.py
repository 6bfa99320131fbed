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
    shown = ", ".join(
        f"row {row} ({shorten(repr(str(paths.iloc[row])))})" for row in numbers[:limit]
    )
    return shown + _rest(len(numbers), limit)


def name_some(names: Iterable[str], limit: int = 5) -> str:
    """The first names, quoted, and how many more there are."""
    return list_some((repr(name) for name in names), limit)


def list_some(words: Iterable[str], limit: int = 20, between: str = ", ") -> str:
    """The first words as they are, long ones cut, and how many more there are."""
    listed = list(words)
    return between.join(shorten(word) for word in listed[:limit]) + _rest(len(listed), limit)


def shorten(text: str, most: int = 300) -> str:
    """A text of at most so many characters: of a longer one the beginning and the end."""
    if len(text) <= most:
        return text
    end = most // 3
    return f"{text[: most - end - 1]}…{text[-end:]}"


def _rest(count: int, limit: int) -> str:
    return f" and {count - limit} more" if count > limit else ""
