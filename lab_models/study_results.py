"""Figures of trainings that are held against study hairy."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from lab_models.compare import McNemar, mcnemar
from lab_models.metrics import Metrics, MetricSettings, compute_metrics
from lab_models.predictions import Predictions, read_predictions
from lab_models.runs import RunDirectory, read_json
from lab_models.study_settings import StudyComparisonSettings
from pipelines.datasets.hal import SUBSETS
from tflite.runtime.errors import LabError


@dataclass(frozen=True)
class Focus:
    """Answers about one class: right of images, and of other classes."""

    right: int
    images: int
    false: int


@dataclass(frozen=True)
class StudyRun:
    """One training and its figures.

    Args:
        recipe: Name.
        seed: Of everything random.
        run: Where it is.
        parts: Answers by split, ``test`` before ``validation``.
        metrics: Their figures.
        focus_class: The class that right and false answers are counted of.
        training_seconds: Of all parts of the training, when it was stopped between.
        weights: The backbone started from.
        reused: Whether it had been finished before.
    """

    recipe: str
    seed: int
    run: RunDirectory
    parts: dict[str, Predictions]
    metrics: dict[str, Metrics]
    focus_class: str
    training_seconds: float
    weights: str
    reused: bool

    def focus(self, split: str) -> Focus | None:
        """Answers about the class; None where the split holds no image of it."""
        metrics = self.metrics.get(split)
        if metrics is None or self.focus_class not in metrics.classes:
            return None
        place = metrics.classes.index(self.focus_class)
        right, images = int(metrics.confusion[place, place]), int(metrics.confusion[place].sum())
        if not images:
            return None
        return Focus(right, images, int(metrics.confusion[:, place].sum()) - right)


@dataclass(frozen=True)
class PairTest:
    """McNemar's test of two recipes that were trained with one seed."""

    first: str
    second: str
    seed: int
    test: McNemar


@dataclass(frozen=True)
class StudyComparison:
    """The trainings of all recipes and seeds.

    Args:
        runs: By recipe, then seed.
        tests: Of every two recipes, for each seed.
        split: The split that is compared: ``test`` where there is one, else ``validation``.
        statement: What the split promises, and which images are left out.
        settings: What was trained.
    """

    runs: tuple[StudyRun, ...]
    tests: tuple[PairTest, ...]
    split: str
    statement: str
    settings: StudyComparisonSettings

    def of(self, recipe: str) -> tuple[StudyRun, ...]:
        """The trainings of one recipe."""
        return tuple(run for run in self.runs if run.recipe == recipe)

    def table(self) -> pd.DataFrame:
        """A row for each recipe, seed and split, with every figure."""
        return pd.DataFrame([_record(r, split) for r in self.runs for split in r.metrics])


def read_study_run(
    recipe: str, seed: int, run: RunDirectory, settings: StudyComparisonSettings, reused: bool
) -> StudyRun:
    """The figures of a finished training.

    Args:
        recipe: Its recipe.
        seed: Its seed.
        run: Where it is.
        settings: Choices.
        reused: Whether it had been finished before.

    Raises:
        LabError: If a file of the run is missing or damaged.
    """
    predictions = read_predictions(run.require(run.predictions), run.classes)
    table = pd.read_csv(run.require(run.manifest), dtype=str, keep_default_na=False)
    chosen = _chosen(predictions, table, settings.subsets)
    parts = {split: chosen.part(split) for split in chosen.splits}
    return StudyRun(
        recipe=recipe,
        seed=seed,
        run=run,
        parts=parts,
        metrics={split: _metrics(part, settings.metrics) for split, part in parts.items()},
        focus_class=settings.focus,
        training_seconds=float(
            read_json(run.require(run.environment))["durations"]["training_seconds"]
        ),
        weights=str(read_json(run.require(run.recipe_json))["weights"]),
        reused=reused,
    )


def _chosen(predictions: Predictions, manifest: pd.DataFrame, subsets: str) -> Predictions:
    """The answers about images of the named sets; all where the data has no such sets."""
    if not subsets or "subset" not in manifest or not set(manifest["subset"]) <= set(SUBSETS):
        return predictions
    of_row = manifest["subset"].iloc[predictions.table["index"]]
    kept = of_row.isin(list(subsets)).to_numpy()
    if not kept.any():
        return predictions
    table = predictions.table[kept].reset_index(drop=True)
    return Predictions(table, predictions.scores[kept], predictions.classes)


def _metrics(part: Predictions, settings: MetricSettings) -> Metrics:
    slides = part.table["slide"].to_numpy(str)
    return compute_metrics(part.truth, part.scores, part.classes, settings, slides)


def put_together(runs: Sequence[StudyRun], settings: StudyComparisonSettings) -> StudyComparison:
    """Trainings on the same images, and McNemar's test of every two recipes.

    Args:
        runs: Of every recipe and seed.
        settings: What was trained.

    Raises:
        LabError: If runs of one seed hold different images.
    """
    by = {(run.recipe, run.seed): run for run in runs}
    ordered = tuple(by[name, seed] for name in settings.recipes for seed in settings.seeds)
    split = "test" if all("test" in run.parts for run in ordered) else "validation"
    tests = tuple(
        PairTest(one, two, seed, _test(by[one, seed], by[two, seed], split, settings))
        for one, two in itertools.combinations(settings.recipes, 2)
        for seed in settings.seeds
    )
    return StudyComparison(ordered, tests, split, _statement(ordered[0], split), settings)


def _test(
    first: StudyRun, second: StudyRun, split: str, settings: StudyComparisonSettings
) -> McNemar:
    one, two = first.parts[split], second.parts[split]
    if list(one.table["path"]) != list(two.table["path"]):
        raise LabError(
            f"{first.run.path} and {second.run.path} were tested on different images; they "
            "cannot be compared."
        )
    confidence = settings.metrics.confidence
    return mcnemar(one.answers == one.truth, two.answers == two.truth, confidence=confidence)


def _statement(run: StudyRun, split: str) -> str:
    statement = str(read_json(run.run.require(run.run.environment))["split_statement"])
    predictions = read_predictions(run.run.require(run.run.predictions), run.run.classes)
    there, taken = len(predictions.part(split)), len(run.parts[split])
    if taken == there:
        return statement
    return (
        f"Figures are of the {taken:,} {split} images of sets A and B, which the study tested on; "
        f"the {there - taken:,} others belong to the shortcut test. {statement}"
    )


def _record(result: StudyRun, split: str) -> dict[str, Any]:
    """A row of the CSV."""
    metrics = result.metrics[split]
    focus = result.focus(split)
    return {
        "recipe": result.recipe,
        "seed": result.seed,
        "split": split,
        "images": metrics.count,
        "accuracy": metrics.accuracy.value,
        "accuracy_low": metrics.accuracy.low,
        "accuracy_high": metrics.accuracy.high,
        "macro_f1": metrics.macro_f1.value,
        "macro_f1_low": metrics.macro_f1.low,
        "macro_f1_high": metrics.macro_f1.high,
        "log_loss": metrics.cross_entropy,
        "calibration_error": metrics.calibration_error,
        "focus_right": focus.right if focus else None,
        "focus_images": focus.images if focus else None,
        "focus_false": focus.false if focus else None,
        "training_seconds": result.training_seconds,
        "weights": result.weights,
        "run": str(result.run.path),
    }
