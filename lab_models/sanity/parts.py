"""Which images are trained on and which are tested on: the study's subsets, and whole sources."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from lab_models.sanity.settings import SanityError
from pipelines.datasets import open_dataset
from pipelines.errors import name_some
from pipelines.labels import order_classes
from pipelines.manifest import Manifest, make_manifest
from pipelines.quarantine import split_off_unreadable

SUBSETS = {
    "A": "hairy cells of hairy_db",
    "B": "the other classes of WBCTrain and WBCTest",
    "C": "the other classes of hairy_db",
    "D": "cells that look like hairy cells",
}
PARTS = {"part_1": "A+B", "part_2": "A+B+C"}
AT_HOME = "A+C"
"""Both from hairy_db: on it the database cannot help to tell hairy cells."""

WHOLE = "all"
"""The training on data without subsets: everything, with the split of the recipe."""


@dataclass(frozen=True)
class SanityData:
    """A data set as the shortcut test sees it.

    Args:
        manifest: Everything but the lookalikes, with the split that came with the data. Its row
            numbers name images everywhere in the test.
        lookalikes: Set D, all of it for testing; None where there is none.
    """

    manifest: Manifest
    lookalikes: Manifest | None

    @property
    def subsets(self) -> np.ndarray:
        """Letter of every image of `manifest`, str ``(images,)``; ``""`` without subsets."""
        return _letters(self.manifest.table)

    def rows(self, subsets: str, side: str = "") -> np.ndarray:
        """Row numbers of `manifest` that are in some subsets: int64 ``(rows,)``.

        Args:
            subsets: Letters.
            side: ``test``, ``train`` (all that is not test), or ``""`` for both.
        """
        chosen = np.isin(self.subsets, list(subsets))
        if side:
            chosen &= (self.manifest.table["split"] == "test").to_numpy() == (side == "test")
        return np.flatnonzero(chosen)


def read_data(path: Path, subset: str = "", classes: str = "") -> SanityData:
    """Reads a data set, the lookalikes apart from the rest; unreadable images are left out.

    Args:
        path: Any data set that `pipelines.datasets` reads.
        subset: For data sets with nested subsets (study pbc): which.
        classes: Map the classes onto these, as the recipe's ``map_classes`` says; "" does not.

    Raises:
        LabError: If it cannot be read.
    """
    options = {"subset": subset} if subset else {}
    manifest = open_dataset(path, classes=classes or None, **options)
    manifest, _ = split_off_unreadable(manifest)
    lookalikes = None
    if (path / "lookalikes").is_dir():
        # A set of its own: lookalikes come from slides that stand on the training side, where
        # one data set with both would be refused as leaking.
        lookalikes, _ = split_off_unreadable(
            open_dataset(path, classes=classes or None, subsets="D")
        )
    letters = _letters(manifest.table)
    if (letters == "D").any():
        lookalikes = _chosen(manifest, letters == "D")
        manifest = _chosen(manifest, letters != "D")
    return SanityData(manifest, lookalikes)


def _letters(table: pd.DataFrame) -> np.ndarray:
    if "subset" not in table.columns:
        return np.full(len(table), "")
    return table["subset"].to_numpy(str)


def _chosen(manifest: Manifest, rows: np.ndarray) -> Manifest:
    """Some rows, with the classes that are left."""
    table = manifest.table[rows].reset_index(drop=True)
    return make_manifest(table, manifest.root, order_classes(table["label"]))


def why_no_subsets(data: SanityData) -> str:
    """Why parts 1 and 2 cannot be made of the data, in words; ``""`` if they can."""
    if not set(data.subsets) & set("ABC"):
        return (
            "the data names no subsets A, B and C; databases as in study hairy do, and a CSV "
            "table with a column subset"
        )
    lacking = [
        f"{letter} ({SUBSETS[letter]}) has no {side} image"
        for letter in "ABC"
        for side in ("train", "test")
        if not len(data.rows(letter, side))
    ]
    return "subset " + "; ".join(lacking) if lacking else ""


def why_no_sources(manifest: Manifest, column: str) -> str:
    """Why sources cannot be told from each other, in words; ``""`` if they can."""
    if column not in manifest.table.columns:
        return (
            f"the data has no column {column!r}; it has: "
            f"{', '.join(manifest.table.columns.drop('path'))}"
        )
    found = source_names(manifest, column)
    if not found:
        return f"the column {column!r} is empty: the data does not say where its images come from"
    if len(found) < 2:
        return f"every image has the same {column}, {found[0]!r}; two are needed"
    return ""


def source_names(manifest: Manifest, column: str) -> tuple[str, ...]:
    """The values of a column, sorted; images without one do not count."""
    return tuple(sorted(set(manifest.table[column].astype(str)) - {""}))


def part_manifest(data: SanityData, part: str) -> Manifest:
    """The images of part 1 (A+B) or part 2 (A+B+C), both with the test images of A+B.

    The study chose among models by A+B test; C is tested apart, from the same row numbers.

    Args:
        data: With subsets (see `why_no_subsets`).
        part: A key of `PARTS`.
    """
    train = data.rows(PARTS[part].replace("+", ""), "train")
    test = data.rows("AB", "test")
    labels = data.manifest.table["label"]
    known = labels[test].isin(set(labels[train])).to_numpy()
    return _subset(data.manifest, np.sort(np.concatenate([train, test[known]])))


def _subset(manifest: Manifest, rows: np.ndarray) -> Manifest:
    chosen = np.zeros(len(manifest), bool)
    chosen[rows] = True
    return _chosen(manifest, chosen)


def source_manifest(manifest: Manifest, column: str, name: str) -> Manifest:
    """Trains on all sources but one, tests on that one, in the classes that both have.

    The split that came with the data is dropped: the whole source is new to the network.

    Args:
        manifest: All images.
        column: Names the source of an image; images without one are left out.
        name: The source that is left out.

    Raises:
        SanityError: If the source shares no class with the others, or these hold one class only.
    """
    table = manifest.table
    sources = table[column].astype(str).to_numpy()
    left_out, others = sources == name, (sources != name) & (sources != "")
    trained = set(table["label"][others])
    if len(trained) < 2:
        raise SanityError(
            f"Without {name!r} the data holds the single class {name_some(sorted(trained))}; "
            "nothing can be trained on it."
        )
    shared = left_out & table["label"].isin(trained).to_numpy()
    if not shared.any():
        raise SanityError(
            f"{name!r} shares no class with the other sources: it has "
            f"{name_some(sorted(set(table['label'][left_out])))}, they have "
            f"{name_some(sorted(trained))}."
        )
    chosen = _chosen(manifest.with_table(table.assign(split=np.where(left_out, "test", ""))),
                     shared | others)  # fmt: skip
    return chosen


def single_source_classes(
    manifest: Manifest, rows: np.ndarray, column: str, share: float
) -> dict[str, str]:
    """Classes that (nearly) all come from one source, which then gives them away.

    Args:
        manifest: The data.
        rows: The images that were trained on.
        column: Names the source of an image.
        share: From this share of a class on.

    Returns:
        Class to source, most frequent class first; empty if all images come from one source.
    """
    table = manifest.table.loc[rows, ["label", column]]
    if table[column].nunique() < 2:
        return {}
    counts = pd.crosstab(table["label"], table[column])
    shares = counts.max(axis=1) / counts.sum(axis=1)
    found = counts[shares >= share]
    order = found.sum(axis=1).sort_values(ascending=False, kind="stable").index
    return {str(name): str(found.loc[name].idxmax()) for name in order}


def choose_focus(classes: Sequence[str], wanted: str, single: dict[str, str]) -> str:
    """The class whose recall is doubted (see `SanitySettings.focus`).

    Raises:
        SanityError: If the class that was asked for is not in the data.
    """
    if wanted:
        if wanted not in classes:
            raise SanityError(f"There is no class {wanted!r}; there are {', '.join(classes)}.")
        return wanted
    if "hairy_cell" in classes:
        return "hairy_cell"
    return next(iter(single), "")
