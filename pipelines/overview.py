"""What a data set holds, as a text that fits a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from pipelines.manifest import SPLITS, Manifest
from pipelines.split_report import class_counts, describe_split

_SHOWN = 10
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
        _sources(manifest),
        _unreadable(unreadable),
        describe_split(replace(manifest, notes=())),
        "\n".join(f"Note: {note}" for note in manifest.notes),
    ]
    return "\n\n".join(block for block in blocks if block)


def _classes(manifest: Manifest) -> str:
    counts = class_counts(manifest).rename(columns={"": _NO_SIDE})
    shown = [side for side in (*SPLITS, _NO_SIDE) if counts[side].sum()]
    rows = [
        [str(label), *(f"{n:,}" for n in (*row[shown], row.sum()))]
        for label, row in counts.iterrows()
    ]
    sums = [*counts[shown].sum(), counts.to_numpy().sum()]
    return _align([["class", *shown, "all"], *rows, ["all", *(f"{n:,}" for n in sums)]])


def _sources(manifest: Manifest) -> str:
    table = manifest.table
    if not (table[["source", "slide", "patient"]] != "").to_numpy().any():
        return "Sources, slides and patients are not known."
    rows = []
    for source, part in table.groupby("source"):
        names = (str(len(set(part[name]) - {""}) or "?") for name in ("slide", "patient"))
        rows.append([str(source) or "(not known)", f"{len(part):,}", *names])
    return _align([["source", "images", "slides", "patients"], *rows])


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
