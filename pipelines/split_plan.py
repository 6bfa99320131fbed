"""From a data set to the manifests that are wanted of it: split, folds, subset, fraction."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.errors import ManifestError
from pipelines.folds import FoldSettings, choose_fold, make_folds
from pipelines.fractions import choose_fraction
from pipelines.manifest import Manifest
from pipelines.near_duplicates import NearDuplicateSettings, Progress, mark_near_duplicates
from pipelines.split import SplitSettings, split_manifest
from pipelines.subsets import SubsetSettings, choose_subset

PBC_VALIDATION, PBC_TEST = 0.2, 0.3
"""Study pbc split its subsets 5:2:3."""


@dataclass(frozen=True)
class SplitPlan:
    """What is done to a data set, in this order; each step is optional.

    Args:
        near_duplicates: Search near duplicates, so that every split keeps them together.
        split: Put every image on a side. None leaves the split that came with the data.
        folds: Deal the images to folds instead of splitting them once.
        fold: Which fold is wanted, from 1; None takes all.
        subset: Name of a nested subset, or "" for all images.
        subsets: Which subsets are drawn. None takes the data set's own if its own split stands,
            and else draws those of study pbc.
        fraction: Share of the training side that is kept.
        fraction_by: What that share counts: ``image``, or whole groups such as ``slide``.
        seed: Of the choice of training images or groups, and of subsets if `subsets` is None.

    Raises:
        ManifestError: If the fields do not go together.
    """

    near_duplicates: NearDuplicateSettings | None = None
    split: SplitSettings | None = None
    folds: FoldSettings | None = None
    fold: int | None = None
    subset: str = ""
    subsets: SubsetSettings | None = None
    fraction: float | None = None
    fraction_by: str = "image"
    seed: int = 3001

    def __post_init__(self) -> None:
        if self.split is not None and self.folds is not None:
            raise ManifestError("Images are either split once or dealt to folds, not both.")
        if self.fold is not None and self.folds is None:
            raise ManifestError(
                f"Fold {self.fold} is wanted of how many? Say the number of folds, too."
            )
        if self.folds and self.fold is not None and not 1 <= self.fold <= self.folds.folds:
            raise ManifestError(
                f"Of {self.folds.folds} folds the first is 1 and the last {self.folds.folds}, got "
                f"{self.fold}."
            )


def carry_out(
    manifest: Manifest, plan: SplitPlan, progress: Progress | None = None
) -> tuple[Manifest, ...]:
    """Does what a plan says.

    Args:
        manifest: The data set.
        plan: See `SplitPlan`. A subset of images that are on no side is split first, 5:2:3 as in
            study pbc.
        progress: Called with the images hashed and their number, if near duplicates are searched.

    Returns:
        One manifest, or one a fold.

    Raises:
        ManifestError: As the steps do.
    """
    by = (plan.split or plan.folds or SplitSettings()).by
    if plan.near_duplicates is not None or by == "near_duplicates":
        manifest = mark_near_duplicates(manifest, plan.near_duplicates, progress)
    split = plan.split
    unsplit = bool((manifest.table["split"] == "").all())
    if plan.subset and unsplit and split is None and plan.folds is None:
        split = SplitSettings(validation=PBC_VALIDATION, test=PBC_TEST, seed=plan.seed)
    made: tuple[Manifest, ...] = (manifest,)
    if plan.folds is not None and plan.fold is not None:
        made = (choose_fold(manifest, plan.fold, plan.folds),)
    elif plan.folds is not None:
        made = make_folds(manifest, plan.folds)
    elif split is not None:
        made = (split_manifest(manifest, split),)
    if plan.subset:
        own = plan.folds is None and not unsplit and (split is None or split.keep_given)
        subsets = plan.subsets or (None if own else SubsetSettings(seed=plan.seed))
        made = tuple(choose_subset(one, plan.subset, subsets) for one in made)
    if plan.fraction is not None:
        made = tuple(
            choose_fraction(one, plan.fraction, plan.seed, plan.fraction_by) for one in made
        )
    return made
