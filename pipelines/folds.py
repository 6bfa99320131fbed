"""Cross-validation: k folds, each image in the test of exactly one, groups whole."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipelines.errors import ManifestError
from pipelines.groups import NEAR_DUPLICATES, NOT_FOR_GROUPING, kept_together, possible_groupings
from pipelines.image_names import names_to_draw_by
from pipelines.leaks import check_leaks
from pipelines.manifest import Manifest
from pipelines.near_duplicates import mark_near_duplicates
from pipelines.same_content import same_content
from pipelines.side_checks import check_every_class, check_sides
from pipelines.split import doubtful_labels
from pipelines.split_report import FOLD
from pipelines.stratify import deal_groups, draw_order


@dataclass(frozen=True)
class FoldSettings:
    """How a data set is dealt to folds.

    Args:
        folds: How many, at least 2.
        by: What is kept in one fold, as in `pipelines.split.SplitSettings`; ``given`` is not
            possible.
        validation: Fraction, from 0 below 1, of the images outside the test fold that become
            validation. 0 leaves that side empty.
        seed: Decides who goes where; with the same files and seed always the same.
        minimum_groups: How many patients or slides ``auto`` asks for; at least as many as folds
            are needed anyway.
        require_every_class: Whether folds are refused in which a class is missing on a side.
            Otherwise the report names it.

    Raises:
        ManifestError: If a field is out of range; all bad fields are named.
    """

    folds: int = 5
    by: str = "auto"
    validation: float = 0.2
    seed: int = 3001
    minimum_groups: int = 5
    require_every_class: bool = False

    def __post_init__(self) -> None:
        faults = []
        if not (isinstance(self.folds, int) and self.folds >= 2):
            faults.append(f"folds must be a whole number from 2, got {self.folds!r}")
        if self.by in ("", "given", *NOT_FOR_GROUPING):
            faults.append(
                "by must be auto, image, near_duplicates, or a column that says where images "
                f"come from, got {self.by!r}"
            )
        if not 0 <= self.validation < 1:
            faults.append(f"validation must be from 0 to below 1, got {self.validation!r}")
        if self.minimum_groups < 2:
            faults.append(f"minimum_groups must be at least 2, got {self.minimum_groups!r}")
        if faults:
            raise ManifestError("The fold settings have bad fields: " + "; ".join(faults) + ".")


def make_folds(manifest: Manifest, settings: FoldSettings | None = None) -> tuple[Manifest, ...]:
    """The same data set `folds` times, each time with another fold as the test side.

    A split that came with the data is set aside: all images are dealt anew, stratified by class
    (`pipelines.stratify`). The result depends on paths, labels, groups and seed, not on the order
    of rows.

    Args:
        manifest: The data set.
        settings: By default ``FoldSettings()``.

    Returns:
        One manifest a fold, with ``split`` filled; a column ``split_by`` that names the grouping;
        and a column ``test_fold`` that says for each image in which fold it is tested, such as
        ``2/5`` for the second of five.

    Raises:
        ManifestError: If the asked grouping is not known for all images, there are fewer groups
            than folds, or a class has no training image in some fold (or, if so set, is missing
            on a side).
    """
    settings = settings or FoldSettings()
    return _make(manifest, settings, range(settings.folds))


def _make(
    manifest: Manifest, settings: FoldSettings, wanted: Iterable[int]
) -> tuple[Manifest, ...]:
    if settings.by == NEAR_DUPLICATES and NEAR_DUPLICATES not in manifest.table.columns:
        manifest = mark_near_duplicates(manifest)
    if (manifest.table["split"] != "").any():
        manifest = manifest.with_notes(
            "The split that came with the data was set aside for the folds."
        )
    table = manifest.table
    content = same_content(manifest.paths())
    manifest = manifest.with_notes(*doubtful_labels(table, content))
    parts, used, groups = _deal_to_folds(table, content, manifest.classes, settings)
    tested = [f"{part + 1}/{settings.folds}" for part in parts]
    marked = table.assign(**{"split": "train", "split_by": used, FOLD: tested})
    made = []
    for fold in wanted:
        sides = _sides(marked, parts == fold, groups, manifest.classes, settings)
        one = manifest.with_table(marked.assign(split=sides))
        _check(one, content, fold, settings)
        made.append(one)
    return tuple(made)


def choose_fold(manifest: Manifest, fold: int, settings: FoldSettings | None = None) -> Manifest:
    """One of `make_folds`, without making and checking the others.

    Args:
        manifest: The data set.
        fold: Its number, from 1.
        settings: By default ``FoldSettings()``.

    Raises:
        ManifestError: If there is no such fold, or as `make_folds`.
    """
    settings = settings or FoldSettings()
    if not 1 <= fold <= settings.folds:
        raise ManifestError(
            f"There is no fold {fold!r}; of {settings.folds} folds the first is 1 and the last "
            f"{settings.folds}."
        )
    return _make(manifest, settings, [fold - 1])[0]


def _deal_to_folds(
    table: pd.DataFrame, content: np.ndarray, classes: Sequence[str], settings: FoldSettings
) -> tuple[np.ndarray, str, np.ndarray]:
    """Fold of each image from 0, the grouping used, and the groups."""
    order = draw_order(names_to_draw_by(table), settings.seed)
    labels = _label_numbers(table, classes)
    shares = [1 / settings.folds] * settings.folds
    parts, groups, used = np.zeros(len(table), np.int64), np.zeros(len(table), np.int64), ""
    least = max(settings.minimum_groups, settings.folds)
    *better, last = possible_groupings(table, settings.by, least)
    for used in (*better, last):
        groups = kept_together(table, used, content)
        parts = deal_groups(labels, groups, order, shares)
        if used == last or _holds(table, parts, groups, classes, settings):
            break
    filled = len(np.unique(parts))
    if filled < settings.folds:
        raise ManifestError(
            f"The images cannot be dealt to {settings.folds} folds by {used}: only {filled} would "
            f"hold any, because there are {len(np.unique(groups))} groups. Ask for fewer folds, "
            "or split by 'image'."
        )
    return parts, used, groups


def _can_train(parts: np.ndarray, labels: np.ndarray, folds: int) -> bool:
    """Whether no fold is empty and no class is wholly in one fold."""
    spread = pd.Series(parts).groupby(labels).nunique()
    return len(np.unique(parts)) == folds and bool((spread > 1).all())


def _holds(
    table: pd.DataFrame,
    parts: np.ndarray,
    groups: np.ndarray,
    classes: Sequence[str],
    settings: FoldSettings,
) -> bool:
    """Whether in every fold every class is trained on and no side that is wanted is empty."""
    labels = _label_numbers(table, classes)
    if not _can_train(parts, labels, settings.folds):
        return False
    for fold in range(settings.folds):
        sides = _sides(table, parts == fold, groups, classes, settings)
        if settings.validation and not (sides == "validation").any():
            return False
        if set(labels[sides == "train"]) != set(labels):
            return False
    return True


def _sides(
    table: pd.DataFrame,
    on_test: np.ndarray,
    groups: np.ndarray,
    classes: Sequence[str],
    settings: FoldSettings,
) -> np.ndarray:
    """The fold is the test side; the rest is dealt to training and validation, groups whole."""
    sides = np.where(on_test, "test", "train").astype(object)
    rest = np.flatnonzero(~on_test)
    if settings.validation and len(rest):
        chosen = table.iloc[rest]
        order = draw_order(names_to_draw_by(chosen), settings.seed)
        shares = (1 - settings.validation, settings.validation)
        dealt = deal_groups(_label_numbers(chosen, classes), groups[rest], order, shares)
        sides[rest[dealt == 1]] = "validation"
    return sides


def _label_numbers(table: pd.DataFrame, classes: Sequence[str]) -> np.ndarray:
    return pd.Categorical(table["label"], categories=list(classes)).codes.astype(np.int64)


def _check(manifest: Manifest, content: np.ndarray, fold: int, settings: FoldSettings) -> None:
    check_leaks(manifest, content)
    wanted = ("train", "validation", "test") if settings.validation else ("train", "test")
    try:
        check_sides(manifest, wanted)
        if settings.require_every_class:
            check_every_class(manifest)
    except ManifestError as error:
        raise ManifestError(f"Fold {fold + 1} of {settings.folds}: {error}") from None
