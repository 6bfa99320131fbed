"""Splits a data set into train, validation and test without leaks, and says what that promises."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipelines.errors import ManifestError, name_rows, name_some
from pipelines.groups import NEAR_DUPLICATES, NOT_FOR_GROUPING, kept_together, possible_groupings
from pipelines.image_names import names_to_draw_by
from pipelines.leaks import check_leaks
from pipelines.manifest import Manifest
from pipelines.near_duplicates import mark_near_duplicates
from pipelines.same_content import same_content
from pipelines.side_checks import check_every_class, check_sides
from pipelines.split_report import describe_split
from pipelines.stratify import deal_groups, draw_order

__all__ = ["GROUPINGS", "SplitSettings", "check_leaks", "describe_split", "split_manifest"]

GROUPINGS = ("auto", "given", "patient", "slide", "source", "image", NEAR_DUPLICATES)
"""Ways to split that every data set can be asked for; besides them any column of its own."""


@dataclass(frozen=True)
class SplitSettings:
    """How a data set is split.

    Args:
        by: What is kept on one side. ``patient``, ``slide``, ``source``, or any further column
            of the data, such as ``day``: all images of one. ``image``: only files of identical
            content. ``near_duplicates``: also images that show the same picture, which are
            searched unless the data have the column (`pipelines.near_duplicates`); where they
            have it, near duplicates are kept together whatever the grouping. ``given``: a split
            must have come with the data. ``auto``: patients if known, else slides, if there are
            at least `minimum_groups` of them and they can fill every side; else images.
        validation: Fraction, from 0 below 1, of the images that are dealt out. Those that were
            held out as test beforehand do not count.
        test: The same for the test side. 0 leaves it empty, unless it is given or held out.
        test_sources: Sources that become test as a whole.
        test_slides: Slides that become test as a whole.
        seed: Decides who goes where; with the same files and seed always the same.
        keep_given: Whether a split that came with the data is kept. Then only sides that it
            lacks are carved out of its training images (and images that it puts on no side).
        minimum_groups: How many patients or slides ``auto`` asks for.
        require_every_class: Whether a split is refused in which a class is missing on a side
            that images were dealt to. Otherwise the report names it.

    Raises:
        ManifestError: If a field is out of range; all bad fields are named.
    """

    by: str = "auto"
    validation: float = 0.2
    test: float = 0.0
    test_sources: tuple[str, ...] = ()
    test_slides: tuple[str, ...] = ()
    seed: int = 3001
    keep_given: bool = True
    minimum_groups: int = 5
    require_every_class: bool = False

    def __post_init__(self) -> None:
        faults = []
        for name in ("test_sources", "test_slides"):
            if isinstance(getattr(self, name), str):
                faults.append(f"{name} must be a list of names, got {getattr(self, name)!r}")
            else:
                object.__setattr__(self, name, tuple(getattr(self, name)))
        if not isinstance(self.by, str) or self.by in ("", *NOT_FOR_GROUPING):
            faults.append(
                f"by must be one of {', '.join(GROUPINGS)}, or another column that says where "
                f"images come from, got {self.by!r}"
            )
        for name in ("validation", "test"):
            if not 0 <= getattr(self, name) < 1:
                faults.append(f"{name} must be from 0 to below 1, got {getattr(self, name)!r}")
        if not self.validation + self.test < 1:
            faults.append("validation and test together must leave something to train on")
        if self.minimum_groups < 2:
            faults.append(f"minimum_groups must be at least 2, got {self.minimum_groups!r}")
        if faults:
            raise ManifestError("The split settings have bad fields: " + "; ".join(faults) + ".")


def split_manifest(manifest: Manifest, settings: SplitSettings | None = None) -> Manifest:
    """Puts every image on a side.

    Classes keep their shares on every side as far as groups allow (`pipelines.stratify`); the
    result depends on paths, labels, groups and seed, not on the order of rows. Files of
    identical content stay together whatever the grouping.

    Args:
        manifest: The data set. Its column ``split`` may hold a split that came with the data.
        settings: By default ``SplitSettings()``.

    Returns:
        The manifest with ``split`` filled, and a column ``split_by`` that says for each image how
        its side was found: ``given``, ``held_out`` or the grouping it was dealt by.

    Raises:
        ManifestError: If the asked grouping is not known for all images, a held-out name does
            not exist, the split that came with the data leaks, a side stays empty, or a class
            has no training image (or, if so set, is missing on a side).
    """
    settings = settings or SplitSettings()
    if settings.by == NEAR_DUPLICATES and NEAR_DUPLICATES not in manifest.table.columns:
        manifest = mark_near_duplicates(manifest)
    table = manifest.table.copy()
    if not settings.keep_given:
        table["split"] = ""
    if settings.by == "given" and (table["split"] == "").all():
        raise ManifestError(
            f"No split came with {manifest.root}; choose another grouping than 'given': "
            f"{', '.join(GROUPINGS)}."
        )
    before = table["split_by"] if "split_by" in table.columns else "given"
    table["split_by"] = np.where(table["split"] == "", "", before)
    table.loc[(table["split"] != "") & (table["split_by"] == ""), "split_by"] = "given"
    _hold_out(table, settings)
    content = same_content([manifest.root / str(path) for path in table["path"]])
    _deal_out(table, content, manifest.classes, settings)
    result = manifest.with_table(table).with_notes(*doubtful_labels(table, content))
    check_leaks(result, content)
    wanted = ("train", *(name for name in ("validation", "test") if getattr(settings, name)))
    check_sides(result, wanted)
    if settings.require_every_class:
        check_every_class(result)
    return result


def _hold_out(table: pd.DataFrame, settings: SplitSettings) -> None:
    for column, names in (("source", settings.test_sources), ("slide", settings.test_slides)):
        known = set(table[column]) - {""}
        unknown = [name for name in names if name not in known]
        if unknown:
            raise ManifestError(
                f"No image has the {column} {name_some(unknown)}, which should be held out for "
                f"the test; there are: {name_some(sorted(known), 30) or 'none'}."
            )
        chosen = table[column].isin(names)
        table.loc[chosen, ["split", "split_by"]] = ["test", "held_out"]


def _deal_out(
    table: pd.DataFrame, content: np.ndarray, classes: Sequence[str], settings: SplitSettings
) -> None:
    """Fills the sides that are lacking out of the training images and those on no side."""
    present = set(table["split"])
    fractions = {
        side: share
        for side, share in (("validation", settings.validation), ("test", settings.test))
        if share > 0 and side not in present
    }
    pool = np.flatnonzero(table["split"].isin(("", "train")))
    if not len(pool) or not (fractions or "" in present):
        return
    sides = ["train", *fractions]
    shares = [1 - sum(fractions.values()), *fractions.values()]
    dealt, used = np.full(len(pool), "train", object), "given"
    if fractions:
        chosen = table.iloc[pool]
        order = draw_order(names_to_draw_by(chosen), settings.seed)
        labels = pd.Categorical(chosen["label"], categories=list(classes)).codes.astype(np.int64)
        for used in possible_groupings(chosen, settings.by, settings.minimum_groups):
            parts = deal_groups(labels, kept_together(chosen, used, content[pool]), order, shares)
            dealt = np.array(sides, object)[parts]
            if _fills(parts, labels, len(sides)):
                break
    split, ways = (table[name].to_numpy(object, copy=True) for name in ("split", "split_by"))
    split[pool], ways[pool] = dealt, used
    table["split"], table["split_by"] = split, ways


def _fills(parts: np.ndarray, labels: np.ndarray, sides: int) -> bool:
    return len(np.unique(parts)) == sides and set(labels[parts == 0]) == set(labels)


def doubtful_labels(table: pd.DataFrame, content: np.ndarray) -> list[str]:
    """A sentence on files of identical content that have different labels."""
    rows = np.flatnonzero(content >= 0)
    labels = table["label"].iloc[rows].groupby(content[rows]).nunique()
    doubtful = labels.index[labels > 1]
    if not len(doubtful):
        return []
    first = np.flatnonzero(content == doubtful[0])
    return [
        f"{len(doubtful)} image(s) are in the data several times with different labels, such as "
        f"{name_rows(table, first)} as {name_some(table['label'].iloc[first])}; at least one of "
        "the labels is wrong."
    ]
