"""Leaks: what stands on two sides of a split and must not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from pipelines.errors import ManifestError, name_rows
from pipelines.same_content import same_content

if TYPE_CHECKING:
    from pipelines.manifest import Manifest

NEAR_DUPLICATES = "near_duplicates"
"""Column that names the groups of images showing the same picture, "" for images like no other.

`pipelines.near_duplicates.mark_near_duplicates` fills it.
"""

_WHOLE = ("", "given", "held_out", "source", "patient")
_STRICT = {"patient": _WHOLE, "slide": (*_WHOLE, "slide")}
"""Which ways of splitting (column ``split_by``) must keep a patient or slide on one side.

For all others it is the user's decision that a patient or slide may stand on both sides, or the
data's fault, and `pipelines.split_report.describe_split` tells it.
"""

_NO_COLUMN = {"", "given", "held_out", "image", NEAR_DUPLICATES, *_STRICT}
"""Values of the column ``split_by`` that name no further column to be looked at."""

_SHOWN = 3


def check_leaks(manifest: Manifest, content: bool | np.ndarray = True) -> None:
    """Refuses a split that has on two sides what must be on one.

    That is: the same patient or slide, unless images were dealt by something that cannot keep
    them together; the same value of a column that images were dealt by, such as ``day``; near
    duplicates, where the column `NEAR_DUPLICATES` names them; the same file content.

    Args:
        manifest: Rows on no side (split "") are not looked at.
        content: Whether files are compared too; or what `same_content` found for all rows.

    Raises:
        ManifestError: Names the rows.
    """
    leaks = list(find_leaks(manifest.table, manifest.root, content))
    if leaks:
        raise ManifestError(f"The split of {manifest.root} leaks: " + ";\n  ".join(leaks) + ".")


def find_leaks(table: pd.DataFrame, root: Path, content: bool | np.ndarray = True) -> Iterator[str]:
    """Yields one sentence a kind of leak (see `check_leaks`)."""
    placed = np.flatnonzero(table["split"].to_numpy() != "")
    if len(set(table["split"].iloc[placed])) < 2:
        return
    ways = table["split_by"] if "split_by" in table.columns else pd.Series("", index=table.index)
    sides = table["split"].to_numpy()
    for name, strict in _STRICT.items():
        rows, codes = _named(table, placed, name)
        loose = ~ways.isin(strict).to_numpy()[rows]
        for_all = pd.Series(loose).groupby(codes).all().to_numpy()
        crossing = [code for code in _crossing(codes, sides[rows]) if not for_all[code]]
        if crossing:
            yield _sentence(table, rows, codes, crossing, name)
    for name in sorted((set(ways) - _NO_COLUMN) | {NEAR_DUPLICATES}):
        dealt = placed if name == NEAR_DUPLICATES else placed[(ways == name).to_numpy()[placed]]
        rows, codes = _named(table, dealt, name)
        crossing = _crossing(codes, sides[rows])
        if crossing:
            yield _sentence(table, rows, codes, crossing, name)
    if content is not False:
        names = table["path"].iloc[placed]
        found = same_content([root / str(n) for n in names]) if content is True else content[placed]
        groups = np.asarray(found)
        rows, codes = placed[groups >= 0], groups[groups >= 0]
        crossing = _crossing(codes, table["split"].to_numpy()[rows])
        if crossing:
            yield _sentence(table, rows, codes, crossing, "file content")


def _named(table: pd.DataFrame, rows: np.ndarray, name: str) -> tuple[np.ndarray, np.ndarray]:
    """The rows that have a value in the column, and a number for each value, from 0."""
    if name not in table.columns:
        return rows[:0], rows[:0]
    values = table[name].iloc[rows]
    known = (values.notna() & (values.astype(str) != "")).to_numpy()
    return rows[known], pd.factorize(values[known].astype(str))[0]


def _crossing(codes: np.ndarray, sides: np.ndarray) -> list[int]:
    """The codes that occur on more than one side."""
    if not len(codes):
        return []
    counts = pd.Series(sides).groupby(codes).nunique()
    return [int(code) for code in counts.index[counts > 1]]


def _sentence(
    table: pd.DataFrame, rows: np.ndarray, codes: np.ndarray, crossing: list[int], name: str
) -> str:
    shown = []
    for code in crossing[:_SHOWN]:
        members = rows[codes == code]
        sides = table["split"].iloc[members]
        firsts = [int(members[(sides == side).to_numpy()][0]) for side in sorted(set(sides))]
        value = "" if name == "file content" else f"{str(table[name].iloc[members[0]])!r} "
        placed = ", ".join(f"{table['split'].iloc[r]}: {name_rows(table, [r])}" for r in firsts)
        shown.append(f"{value}({len(members)} rows; {placed})")
    rest = f" and {len(crossing) - _SHOWN} more" if len(crossing) > _SHOWN else ""
    what = "group of near duplicates" if name == NEAR_DUPLICATES else name
    return f"the same {what} is on two sides: " + ", ".join(shown) + rest + _advice(name)


def _advice(name: str) -> str:
    if name == "file content":
        return "; move the copies to one side or remove them"
    if name == NEAR_DUPLICATES:
        return "; move them to one side, or split the images anew and keep them together"
    if name not in _STRICT:
        return f"; keep each {name} on one side, or split the images anew"
    return (
        f"; keep each {name} on one side (numbers that start again in every source are "
        f"different {name}s: put the source into the name)"
    )
