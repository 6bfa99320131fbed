"""Options of ``lab-models data`` that say how the images are split."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tflite.runtime.errors import LabError

if TYPE_CHECKING:
    from pipelines.split_plan import SplitPlan


def add_split_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options, in a group of their own."""
    group = parser.add_argument_group("splits")
    add = group.add_argument
    add(
        "--split-by",
        "--split",
        dest="split_by",
        metavar="BY",
        help="keep together on one side: auto, patient, slide, source, near_duplicates, any "
        "further column such as day; or image (nothing), or given (the data's own split)",
    )
    add("--seed", type=int, default=3001, help="of the split (default: 3001)")
    add("--validation", type=float, metavar="SHARE", help="default: 0.2")
    add("--test", type=float, metavar="SHARE", help="default: 0, with --subset 0.3")
    add("--anew", action="store_true", help="set aside the split that came with the data")
    for name in ("source", "slide"):
        add(
            f"--test-{name}",
            action="append",
            default=[],
            metavar="NAME",
            help=f"hold this {name} out as test; may be repeated",
        )
    add(
        "--near-duplicates",
        action="store_true",
        help="search images that show the same picture (turned ones included), keep them "
        "together, and refuse a given split that does not",
    )
    add("--folds", type=int, metavar="K", help="deal the images to K folds for cross-validation")
    add("--fold", type=int, metavar="I", help="only the fold with this number, from 1")
    add("--subset", metavar="NAME", default="", help="a nested subset: tiny, small, medium, large")
    add(
        "--subset-sizes",
        metavar="NAME=N,...",
        help="subsets to draw (default: the data set's own, or those of study pbc, "
        "tiny=400,small=4200,medium=8500,large=17084)",
    )
    add("--fraction", type=float, metavar="SHARE", help="keep this share of the training side")
    add(
        "--fraction-by",
        metavar="BY",
        help="what the share counts: image (default), or whole groups, which are kept or left "
        "out together: slide, patient, source, or any further column",
    )
    add(
        "--allow-missing-classes",
        action="store_true",
        help="accept that a class is missing on a side; the report names it",
    )


def plan_of(arguments: argparse.Namespace) -> SplitPlan:
    """What the options ask for.

    Raises:
        LabError: If they do not go together.
    """
    from pipelines.near_duplicates import NearDuplicateSettings
    from pipelines.split_plan import SplitPlan

    further: dict[str, Any] = {}
    if arguments.fraction_by is not None:
        if arguments.fraction is None:
            raise LabError("--fraction-by needs --fraction SHARE: say how much is to be kept.")
        further["fraction_by"] = arguments.fraction_by
    if arguments.near_duplicates or arguments.split_by == "near_duplicates":
        further["near_duplicates"] = NearDuplicateSettings(workers=arguments.workers)
    if arguments.folds is not None:
        further["folds"] = _folds(arguments)
    else:
        further["split"] = _split(arguments)
    if arguments.subset_sizes:
        further["subsets"] = _subsets(arguments.subset_sizes, arguments.seed)
    return SplitPlan(
        fold=arguments.fold,
        subset=arguments.subset,
        fraction=arguments.fraction,
        seed=arguments.seed,
        **further,
    )


def fold_file(file: Path, fold: int, folds: int) -> Path:
    """The file of one of several folds: ``m.csv`` becomes ``m_fold2.csv``."""
    return file if folds == 1 else file.with_name(f"{file.stem}_fold{fold}{file.suffix}")


def _shared(arguments: argparse.Namespace) -> dict[str, Any]:
    shared = {
        "by": arguments.split_by or "auto",
        "seed": arguments.seed,
        "require_every_class": not arguments.allow_missing_classes,
    }
    return (
        shared if arguments.validation is None else {**shared, "validation": arguments.validation}
    )


def _folds(arguments: argparse.Namespace) -> Any:
    from pipelines.folds import FoldSettings

    if arguments.test is not None or arguments.test_source or arguments.test_slide:
        raise LabError("With --folds each fold is the test side once; leave --test... out.")
    return FoldSettings(folds=arguments.folds, **_shared(arguments))


def _split(arguments: argparse.Namespace) -> Any:
    from pipelines.split import SplitSettings
    from pipelines.split_plan import PBC_TEST, PBC_VALIDATION

    shares = (arguments.validation, arguments.test)
    held_out = (*arguments.test_source, *arguments.test_slide)
    if not (arguments.split_by or arguments.anew or held_out or any(s is not None for s in shares)):
        return None
    usual = {"validation": PBC_VALIDATION, "test": PBC_TEST} if arguments.subset else {}
    fields = {**usual, **_shared(arguments)}
    if arguments.test is not None:
        fields["test"] = arguments.test
    return SplitSettings(
        test_sources=tuple(arguments.test_source),
        test_slides=tuple(arguments.test_slide),
        keep_given=not arguments.anew,
        **fields,
    )


def _subsets(words: str, seed: int) -> Any:
    from pipelines.subsets import SubsetSettings

    try:
        pairs = [word.split("=") for word in words.split(",")]
        sizes = tuple((name.strip(), int(number)) for name, number in pairs)
    except ValueError:
        raise LabError(
            f"--subset-sizes takes NAME=NUMBER with commas between them, got {words!r}."
        ) from None
    return SubsetSettings(sizes=sizes, seed=seed)
