"""A fraction of the training side, by images or by whole slides, for a learning curve."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipelines.errors import ManifestError, name_rows
from pipelines.groups import grouping_columns, without_group
from pipelines.manifest import Manifest
from pipelines.split_report import FRACTION, FRACTION_BY, FRACTION_KEPT, plural
from pipelines.stratify import draw_order
from pipelines.subsets import keep_part, nested_order, rank_and_size

PARTICLE_FRACTIONS = (0.01, 0.02, 0.05, 0.10, 0.20, 0.25, 0.50, 1.0)
"""Shares of the training side of which study particles drew its learning curve."""


def choose_fraction(
    manifest: Manifest, fraction: float, seed: int = 3001, by: str = "image"
) -> Manifest:
    """Keeps a part of the training side and all of the others.

    Args:
        manifest: With its split.
        fraction: Share of the training side that is kept, above 0 to 1; study particles took
            `PARTICLE_FRACTIONS`. Fractions of one seed and grouping are nested.
        seed: Decides which images or groups; with the same files always the same.
        by: What the fraction counts. ``image``: images, each class in its share. ``slide``,
            ``patient``, or another column: groups of images, which are kept or left out as a
            whole. Groups are of unequal size, so the share of the images is another one.

    Returns:
        The manifest without the other training images, and the columns ``training_fraction``,
        ``training_fraction_by`` and ``training_fraction_kept`` (what was reached, in words).

    Raises:
        ManifestError: If the fraction is out of range, nothing is split yet, `by` is not known
            for all training images, or a class would lose all its training images.
    """
    if not 0 < fraction <= 1:
        raise ManifestError(f"A fraction is above 0 and at most 1 (all), got {fraction!r}.")
    train = manifest.rows("train")
    if not len(train):
        raise ManifestError(
            f"{manifest.root} has no training side yet of which {fraction:g} could be taken; "
            "split it first."
        )
    table = manifest.table.iloc[train]
    if by == "image":
        order = nested_order(manifest.with_table(table), seed)
        kept = np.zeros(len(train), bool)
        kept[order[: _number(fraction, len(train))]] = True
        what = f"{100 * fraction:g} % of {len(train):,} training images"
    else:
        _check_known(manifest.table, train, by)
        kept, what = _whole_groups(table, fraction, seed, by)
    keep = np.ones(len(manifest), bool)
    keep[train] = kept
    columns = {FRACTION: f"{fraction:g}", FRACTION_BY: by, FRACTION_KEPT: _reached(table, kept, by)}
    return keep_part(manifest.with_table(manifest.table.assign(**columns)), keep, what)


def nested_groups(groups: pd.Series, labels: pd.Series, seed: int) -> tuple[pd.Index, int]:
    """An order of groups of which every beginning is a small copy of the whole.

    First come groups that hold every class between them: in the order of a draw, each that
    brings a class which none before it has, without those that the later ones make superfluous.
    So they differ from seed to seed, and yet few groups hold even rare classes. All others follow
    as `pipelines.subsets.nested_order` does it for images: spread evenly over what the groups
    are rich in, which is the class of which a group holds the largest share.

    Args:
        groups: Name of the group of each image.
        labels: Its class.
        seed: Decides who is early.

    Returns:
        Names of the groups, each once, and how many of them the first ones are. The order
        depends on names, classes and seed, not on the order of images.
    """
    pairs = pd.DataFrame({"group": groups.astype(str).to_numpy(), "label": labels.to_numpy()})
    counts = pairs.value_counts(["group", "label"], sort=False).reset_index(name="images")
    counts["share"] = counts["images"] / counts.groupby("label")["images"].transform("sum")
    names = pd.Index(sorted(set(counts["group"])))
    draw = pd.Series(draw_order(list(names), seed), names)
    first = _every_class(counts, draw)
    richest = counts.sort_values(["share", "label"], ascending=[False, True], kind="stable")
    rich_in = richest.drop_duplicates("group").set_index("group")["label"].reindex(names)
    later = pd.Series(~names.isin(first), names)
    early = pd.DataFrame({"later": later, "draw": draw}).sort_values(["later", "draw"])
    turn = pd.Series(np.arange(len(names)), early.index).reindex(names)
    rank, size = rank_and_size(turn, [rich_in])
    frame = pd.DataFrame({"later": later, "place": (rank + 0.5) / size, "draw": draw})
    return frame.sort_values(["later", "place", "draw"], kind="stable").index, len(first)


def _every_class(counts: pd.DataFrame, draw: pd.Series) -> list[str]:
    """Groups that hold every class between them and of which none can be spared."""
    drawn = counts.assign(draw=counts["group"].map(draw)).sort_values(["draw", "label"])
    chosen = drawn.drop_duplicates("label")["group"].unique()
    among = drawn[drawn["group"].isin(chosen)]
    held = {name: list(labels) for name, labels in among.groupby("group")["label"]}
    times = among["label"].value_counts().to_dict()
    kept = []
    for name in chosen:
        if all(times[label] > 1 for label in held[name]):
            for label in held[name]:
                times[label] -= 1
        else:
            kept.append(name)
    return kept


def _whole_groups(
    table: pd.DataFrame, fraction: float, seed: int, by: str
) -> tuple[np.ndarray, str]:
    """Which of the training images are kept, and what they are called in a message."""
    groups = table[by].astype(str)
    order, first = nested_groups(groups, table["label"], seed)
    number = _number(fraction, len(order))
    what = (
        f"{100 * fraction:g} % of the training side by {by}, {number:,} of {len(order):,} groups "
        f"(of this seed the first {first:,} hold every class),"
    )
    if not number:
        raise ManifestError(f"{what} would hold no image; ask for more.")
    return groups.isin(order[:number]).to_numpy(), what


def _check_known(table: pd.DataFrame, train: np.ndarray, by: str) -> None:
    usable = grouping_columns(table)
    if by not in usable:
        raise ManifestError(
            f"No fraction can be taken by {by!r}; it is taken by image, or by a column: "
            f"{', '.join(usable)}."
        )
    unknown = np.intersect1d(without_group(table, by), train)
    if len(unknown):
        raise ManifestError(
            f"No fraction can be taken by {by}: {len(unknown):,} of {len(train):,} training images "
            f"have none, {name_rows(table, unknown)}. Fill the column, or take the fraction by "
            "image."
        )


def _number(fraction: float, whole: int) -> int:
    return int(np.floor(fraction * whole + 0.5))


def _reached(table: pd.DataFrame, kept: np.ndarray, by: str) -> str:
    """What was kept of the training side, counted in all units that are known."""
    words = [f"{kept.sum():,} of {len(kept):,} images ({kept.mean():.3g})"]
    for name in dict.fromkeys((by, "slide", "patient")):
        if name in table.columns:
            names = table[name].astype(str)
            known = set(names) - {""}
            if known:
                left, what = len(set(names[kept]) - {""}), plural(name)
                words.append(f"{left:,} of {len(known):,} {what} ({left / len(known):.3g})")
    return ", ".join(words)
