"""What a split cannot promise: counted in its table, not taken from how it was meant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from pipelines.leaks import NEAR_DUPLICATES

SINGLY = ("image", NEAR_DUPLICATES)
"""Ways of dealing images that keep no slide and no patient together."""

_UNITS = ("patient", "slide")


def on_several_sides(table: pd.DataFrame, column: str) -> tuple[int, int]:
    """Groups of a column that are on several sides of the split, and groups on any side.

    Args:
        table: A manifest's table. Images without a value or on no side do not count.
        column: Such as ``slide``.
    """
    values = table[column].astype(str).where(table[column].notna(), "")
    placed = table["split"][(values != "") & (table["split"] != "")]
    sides = placed.groupby(values[placed.index]).nunique()
    return int((sides > 1).sum()), len(sides)


def describe_limits(table: pd.DataFrame, ways: Sequence[str]) -> Iterator[str]:
    """Sentences on what the split leaves open.

    Args:
        table: A manifest's table with its split.
        ways: How images were dealt, such as ``slide``; none if the whole split was given.
    """
    yield from _near_duplicates(table, ways)
    placed = table[table["split"] != ""]
    known = [name for name in _UNITS if (placed[name] != "").any()]
    if known:
        yield from _known_units(table, ways, known)
        unnamed = int((placed[known] == "").all(axis=1).sum())
        if unnamed:
            what = " nor ".join(known)
            yield (
                f"{unnamed:,} images have {'neither ' if len(known) > 1 else 'no '}{what}, so they "
                "may be of one with images on another side."
            )
    else:
        yield _nothing_known(table)
    yield from _sources(table)


def _near_duplicates(table: pd.DataFrame, ways: Sequence[str]) -> Iterator[str]:
    if NEAR_DUPLICATES not in table.columns:
        if not ways or "image" in ways:
            yield "Near duplicates were not searched."
        return
    names = table[NEAR_DUPLICATES].dropna()
    names = names[names != ""]
    if not len(names):
        yield "Near duplicates were searched; there are none."
        return
    torn, _ = on_several_sides(table, NEAR_DUPLICATES)
    found = f"{len(names):,} near duplicates in {len(set(names)):,} groups"
    kept = f"; {torn} of the groups are on several sides" if torn else " were kept together"
    yield (
        f"{found}{kept}; a cell that was photographed or cut out anew is not recognised as the "
        "same."
    )


def _known_units(table: pd.DataFrame, ways: Sequence[str], known: Sequence[str]) -> Iterator[str]:
    """How many patients and slides are on several sides, where that is not told already."""
    for name in known:
        torn, number = on_several_sides(table, name)
        if any(way in SINGLY for way in ways) and torn:
            yield (
                f"The {name}s are known but were not kept on one side (too few, too unlike, or so "
                f"ordered): {torn:,} of {number:,} are on several sides, and the accuracy on new "
                "ones may be lower than measured here."
            )
        elif torn:
            yield (
                f"Of the {name}s {torn:,} of {number:,} are on several sides, so the accuracy on "
                "new ones may be lower than measured here."
            )
        elif name not in ways:
            yield f"Of the {name}s none is on several sides."
    if "patient" not in known:
        yield "Patients are not known, so two slides of one patient may be on different sides."


def _nothing_known(table: pd.DataFrame) -> str:
    torn, number = on_several_sides(table, "source")
    whole = number > 1 and not torn and (table["source"][table["split"] != ""] != "").all()
    if whole:
        return (
            "Neither slides nor patients are known; as every source is on one side, only a slide "
            "or patient of two sources can be on both."
        )
    return (
        "Neither slides nor patients are known, so cells of one slide or patient may be on both "
        "sides, and the accuracy on new slides may be lower than measured here."
    )


def _sources(table: pd.DataFrame) -> Iterator[str]:
    torn, number = on_several_sides(table, "source")
    if torn:
        which = "The one source is" if number == 1 else f"{torn:,} of {number:,} sources are"
        yield f"{which} on several sides: nothing is said about images of another source."
