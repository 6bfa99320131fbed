"""Refuses splits that lack something: an empty side, a class without training images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipelines.errors import ManifestError, list_some, name_some
from pipelines.labels import display_name
from pipelines.manifest import SPLITS, Manifest
from pipelines.split_report import class_counts, list_counts

_NOT_DEALT = ("given", "held_out")


def check_sides(manifest: Manifest, wanted: Sequence[str]) -> None:
    """Refuses a split with an empty side, or a class without training images.

    Args:
        manifest: With its split.
        wanted: The sides that must hold images.

    Raises:
        ManifestError: Tells the counts.
    """
    counts = class_counts(manifest)
    empty = [side for side in wanted if not counts[side].sum()]
    total = counts[list(SPLITS)].sum(axis=1)
    if empty:
        raise ManifestError(
            f"The split of {manifest.root} leaves {' and '.join(empty)} without an image. Images "
            f"in each class: {list_counts(total)}. Add images, ask for a larger or no share of "
            "that side, or split by 'image'."
        )
    untrained = counts.index[(counts["train"] == 0) & (total > 0)]
    if len(untrained):
        raise ManifestError(
            f"There is no training image of {name_some(untrained)}; all of them are on other "
            f"sides: {list_counts(total[untrained])}. Add images, drop the class, or split by "
            "'image'."
        )


def check_every_class(manifest: Manifest) -> None:
    """Refuses a split that was dealt and lacks a class on a side.

    Sides that came with the data or were held out are what they are; only those that images were
    dealt to are looked at.

    Args:
        manifest: As `pipelines.split.split_manifest` gave it.

    Raises:
        ManifestError: Tells for each such class how many images each side has.
    """
    table = manifest.table
    dealt = table[(table["split"] != "") & ~table["split_by"].isin(_NOT_DEALT)]
    counts = pd.crosstab(dealt["label"], dealt["split"])
    sides = [side for side in SPLITS if side in counts.columns]
    lacking = counts[(counts[sides] == 0).any(axis=1)]
    if len(lacking):
        used = dealt["split_by"].iloc[0]
        raise ManifestError(
            f"{len(lacking)} class(es) cannot be on every side when {manifest.root} is dealt by "
            f"{used}: {_by_side(lacking, sides)}. Add images, drop the class or put it together "
            "with another, split by 'image', ask for fewer sides or folds, or allow that classes "
            "are missing."
        )


def check_kept_classes(before: Manifest, after: Manifest, what: str) -> None:
    """Refuses a part of a data set in which a side has lost a class.

    Args:
        before: The data set.
        after: Some of its images.
        what: What the part is called in the message.

    Raises:
        ManifestError: Tells for each such class how many images each side has and had.
    """
    had, has = class_counts(before), class_counts(after)
    lost = (had > 0) & (has == 0)
    if lost.to_numpy().any():
        rows = had.index[lost.any(axis=1)]
        sides = [side for side in had.columns if lost[side].any()]
        raise ManifestError(
            f"{what} would leave sides without a class: {_by_side(has.loc[rows], sides)}; all the "
            f"images there are: {_by_side(had.loc[rows], sides)}. Ask for more, or drop the class."
        )


def _by_side(counts: pd.DataFrame, sides: Sequence[str]) -> str:
    rows = zip(counts.index, np.asarray(counts[list(sides)]))
    told = (
        f"{display_name(str(label))} "
        + ", ".join(f"{side or 'no side'} {int(n)}" for side, n in zip(sides, row))
        for label, row in rows
    )
    return list_some(told, between="; ")
