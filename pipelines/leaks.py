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

_EXEMPT = {"patient": ("image", "slide"), "slide": ("image",)}
"""Which ways of splitting (column ``split_by``) let a patient or slide stand on both sides.

That is the user's decision or the data's fault, and `pipelines.split.describe_split` tells it.
"""

_SHOWN = 3


def check_leaks(manifest: Manifest, content: bool | np.ndarray = True) -> None:
    """Refuses a split that has the same patient, slide or file content on two sides.

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
    for name, exempt in _EXEMPT.items():
        values = table[name].to_numpy()
        rows = placed[values[placed] != ""]
        loose = ways.isin(exempt).to_numpy()
        codes = pd.factorize(values[rows])[0]
        crossing = _crossing(codes, table["split"].to_numpy()[rows])
        for_all = pd.Series(loose[rows]).groupby(codes).all().to_numpy()
        crossing = [code for code in crossing if not for_all[code]]
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
        value = "" if name == "file content" else f"{table[name].iloc[members[0]]!r} "
        placed = ", ".join(f"{table['split'].iloc[r]}: {name_rows(table, [r])}" for r in firsts)
        shown.append(f"{value}({len(members)} rows; {placed})")
    rest = f" and {len(crossing) - _SHOWN} more" if len(crossing) > _SHOWN else ""
    advice = (
        "; move the copies to one side or remove them"
        if name == "file content"
        else f"; keep each {name} on one side (numbers that start again in every source are "
        f"different {name}s: put the source into the name)"
    )
    return f"the same {name} is on two sides: " + ", ".join(shown) + rest + advice
