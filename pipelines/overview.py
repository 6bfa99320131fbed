"""What a data set holds, as a text that fits a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from pipelines.errors import name_some, shorten
from pipelines.labels import visible
from pipelines.manifest import SPLITS, Manifest
from pipelines.split_report import class_counts, describe_split

_SHOWN = 10
_MOST_ROWS = 60
_NO_SIDE = "no side"


def describe_dataset(manifest: Manifest, unreadable: pd.DataFrame | None = None) -> str:
    """Classes with their images on each side, sources, slides, unreadable files, split, notes.

    Args:
        manifest: The data set, without its unreadable files.
        unreadable: These, as `pipelines.quarantine.find_unreadable` lists them; None if nobody
            looked.
    """
    blocks = [
        f"{len(manifest):,} images of {len(manifest.classes)} classes in {manifest.root}",
        _classes(manifest),
        _doubts(manifest),
        _sources(manifest),
        _unreadable(unreadable),
        describe_split(replace(manifest, notes=())),
        "\n".join(f"Note: {note}" for note in manifest.notes),
    ]
    return "\n\n".join(block for block in blocks if block)


def _classes(manifest: Manifest) -> str:
    counts = class_counts(manifest).rename(columns={"": _NO_SIDE})
    shown = [side for side in (*SPLITS, _NO_SIDE) if counts[side].sum()]
    total = counts.sum(axis=1)
    few = len(counts) <= _MOST_ROWS
    chosen = counts.index if few else total.sort_values(ascending=False, kind="stable").index
    rows = [
        [_name(label), *(f"{n:,}" for n in (*counts.loc[label, shown], total[label]))]
        for label in chosen[:_MOST_ROWS]
    ]
    sums = [*counts[shown].sum(), total.sum()]
    lines = _align([["class", *shown, "all"], *rows, ["all", *(f"{n:,}" for n in sums)]])
    if few:
        return lines
    rest = total[chosen[_MOST_ROWS:]]
    least, most = rest.min(), rest.max()
    images = f"{least:,} to {most:,} images" if least < most else f"{least:,} image(s) each"
    return (
        f"{lines}\nThe {_MOST_ROWS} largest classes are listed; {len(rest):,} more have {images}."
    )


def _name(label: object, most: int = 60) -> str:
    return shorten(visible(str(label)), most)


def _doubts(manifest: Manifest) -> str:
    """What a reader of the table of classes might overlook."""
    lines = []
    if len(manifest.classes) == 1:
        lines.append("There is a single class; a classifier needs two. Is PATH one level too deep?")
    hidden = [label for label in manifest.classes if not label.isprintable()]
    if hidden:
        lines.append(
            f"Labels with invisible characters, shown as codes: {name_some(hidden)}. Write these "
            "labels anew."
        )
    return "\n".join(lines)


def _sources(manifest: Manifest) -> str:
    table = manifest.table
    if not (table[["source", "slide", "patient"]] != "").to_numpy().any():
        return "Sources, slides and patients are not known."
    rows = []
    for source, part in table.groupby("source"):
        names = (str(len(set(part[name]) - {""}) or "?") for name in ("slide", "patient"))
        rows.append([_name(source) or "(not known)", f"{len(part):,}", *names])
    lines = _align([["source", "images", "slides", "patients"], *rows[:_MOST_ROWS]])
    rest = len(rows) - _MOST_ROWS
    return f"{lines}\nand {rest:,} more sources" if rest > 0 else lines


def _unreadable(unreadable: pd.DataFrame | None) -> str:
    if unreadable is None:
        return "The images were not opened."
    if unreadable.empty:
        return "Every image can be read."
    lines = [f"{len(unreadable):,} file(s) cannot be read and are left out:"]
    lines += [f"  {reason}" for reason in unreadable["reason"].head(_SHOWN)]
    if len(unreadable) > _SHOWN:
        lines.append(f"  and {len(unreadable) - _SHOWN} more")
    return "\n".join(lines)


def _align(rows: Sequence[Sequence[str]]) -> str:
    """Columns side by side, the first to the left and numbers to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths))
        )
        for row in rows
    )
