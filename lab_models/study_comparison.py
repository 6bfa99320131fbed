"""The models of study hairy, trained on the same data and seeds, and their figures side by side."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from lab_models.compare import CompareSettings, McNemar, compare_runs
from lab_models.metrics import Metrics, MetricSettings, compute_metrics
from lab_models.predictions import read_predictions
from lab_models.recipes import Recipe, differences, get_recipe
from lab_models.runs import RunDirectory, discard_run, read_json
from lab_models.train import go_on, load_recipe, start_run
from tflite.runtime.errors import LabError

Say = Callable[[str], None]


@dataclass(frozen=True)
class StudyComparisonSettings:
    """What is trained and compared.

    Args:
        recipes: In the order of the table.
        scale: See `Recipe.at_scale`.
        seeds: Every recipe is trained once with each.
        weights: Of the backbones that do not start from random weights as their recipe is
            written; ``""`` leaves them as the scale has them.
        changes: Fields changed in every recipe, as `Recipe.changed` takes them.
        own_changes: The same for single recipes, by name.
        focus: The class that right and false answers are counted of.
        metrics: How figures are computed.
    """

    recipes: tuple[str, ...] = ("hal_r", "hal_t3002", "hal_c3003")
    scale: str = "demo"
    seeds: tuple[int, ...] = (0,)
    weights: str = ""
    changes: Mapping[str, Any] = field(default_factory=dict)
    own_changes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    focus: str = "hairy_cell"
    metrics: MetricSettings = field(default_factory=MetricSettings)

    def __post_init__(self) -> None:
        for name in ("recipes", "seeds"):
            values = getattr(self, name)
            if not values or len(set(values)) != len(values):
                raise LabError(f"{name} must be one or more different ones, got {list(values)}.")
        strangers = sorted(set(self.own_changes) - set(self.recipes))
        if strangers:
            raise LabError(
                f"Changes are given for {', '.join(strangers)}, but only "
                f"{', '.join(self.recipes)} are compared."
            )

    def recipe(self, name: str, seed: int) -> Recipe:
        """One recipe as it will be trained.

        Raises:
            LabError: If there is no such recipe or scale, or a change does not fit.
        """
        recipe = get_recipe(name)
        random = recipe.weights == "random"
        changes = {**self.changes, **self.own_changes.get(name, {}), "seed": seed}
        if self.weights and not random:
            # HAL-R is the control without trained weights: it would be none with them.
            changes["weights"] = self.weights
        return recipe.at_scale(self.scale).changed(changes)


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
        metrics: By split, ``test`` before ``validation``.
        focus_class: The class that right and false answers are counted of.
        training_seconds: Of all parts of the training, when it was stopped between.
        weights: The backbone started from.
        reused: Whether it had been finished before.
    """

    recipe: str
    seed: int
    run: RunDirectory
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
        statement: What the split promises.
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


def compare_study(
    settings: StudyComparisonSettings,
    data: Path | None,
    runs_folder: Path,
    *,
    smears_folder: Path = Path("data"),
    say: Say = print,
) -> StudyComparison:
    """Trains what is not trained yet, and puts the figures together.

    A run in `runs_folder` is used again if its recipe, images, labels and split are those that a
    new one would have; a finished one as it is, a stopped one goes on.

    Args:
        settings: What is trained.
        data: Any data set that `pipelines.datasets` reads; None draws synthetic smears.
        runs_folder: Usually ``runs``.
        smears_folder: Where synthetic smears are kept.
        say: Takes one line of progress at a time.

    Raises:
        LabError: If a recipe or the data are not fit to train, the recipes split the data
            differently, or a training fails. Finished trainings stay and are used again.
    """
    wanted = [(name, seed) for seed in settings.seeds for name in settings.recipes]
    # All of them, so that a bad one is told before the first has trained for hours.
    recipes = [settings.recipe(*pair) for pair in wanted]
    laid: list[tuple[RunDirectory, bool]] = []
    try:
        for place, recipe in enumerate(recipes):
            heard = say if place == 0 else _hear_nothing
            laid.append(find_or_start(recipe, data, runs_folder, smears_folder, heard, say))
        _check_same_data(wanted, [run for run, _ in laid])
        for place, ((name, seed), (run, done)) in enumerate(zip(wanted, laid)):
            told = "finished before" if done else "trains"
            say(f"[{place + 1} of {len(laid)}] {name}, seed {seed}: {told}, {run.path}")
            if not done:
                go_on(run, say=say)
    except BaseException:
        for run, _ in laid:
            if not run.checkpoints.exists() and not run.finished.exists():
                discard_run(run)  # nothing was trained in it
        raise
    return _put_together(settings, wanted, laid)


def _hear_nothing(line: str) -> None:
    """For what was said before."""


def find_or_start(
    recipe: Recipe, data: Path | None, runs_folder: Path, smears_folder: Path, heard: Say, say: Say
) -> tuple[RunDirectory, bool]:
    """A run of this recipe and data, and whether it is finished.

    What a new run would be decides, so a new one is laid down and gives way to its equal.

    Args:
        recipe: What to train.
        data: As in `compare_study`.
        runs_folder: Where runs are looked for, under the recipe's name.
        smears_folder: Where synthetic smears are kept.
        heard: Takes what reading the data says.
        say: Takes what is said of runs that are there.
    """
    new = start_run(recipe, data, runs_folder, smears_folder=smears_folder, say=heard)
    equal = [run for run in _runs_beside(new) if _same_start(run, new, say)]
    finished = [run for run in equal if run.finished.exists()]
    if not equal:
        return new, False
    found = (finished or equal)[-1]
    then, now = (read_json(run.environment).get("git_commit") for run in (found, new))
    if then != now:
        say(f"{found.path} was started with another version of lab-models ({then or 'unknown'})")
    discard_run(new)
    return found, bool(finished)


def _runs_beside(new: RunDirectory) -> Iterator[RunDirectory]:
    for path in sorted(new.path.parent.iterdir()):
        run = RunDirectory(path)
        if path != new.path and run.recipe_json.exists():
            yield run


def _same_start(old: RunDirectory, new: RunDirectory, say: Say) -> bool:
    """Whether recipe, images, labels, split and input of two runs are the same."""
    files = ("manifest", "contract_json", "quarantine")
    pairs = [(getattr(old, name), getattr(new, name)) for name in files]
    if not all(a.exists() and a.read_bytes() == b.read_bytes() for a, b in pairs):
        return False
    try:
        # Not by their text: a later version may write a field more, with its default.
        if differences(load_recipe(old), load_recipe(new)):
            return False
        roots = [read_json(run.require(run.environment))["data_root"] for run in (old, new)]
    except (LabError, KeyError) as error:
        say(f"{old.path} is not used again, because it cannot be read: {error}")
        return False
    return roots[0] == roots[1]


def _check_same_data(wanted: Sequence[tuple[str, int]], runs: list[RunDirectory]) -> None:
    """Every recipe must have the same images on the same sides for a seed."""
    first: dict[int, tuple[str, bytes]] = {}
    for (name, seed), run in zip(wanted, runs):
        manifest = run.require(run.manifest).read_bytes()
        other, expected = first.setdefault(seed, (name, manifest))
        if manifest != expected:
            raise LabError(
                f"{other} and {name} would be trained on different images or splits (seed "
                f"{seed}), and their figures could not be compared. Give both the same data "
                "settings, e.g. --set data.split.validation=0.2."
            )


def _put_together(
    settings: StudyComparisonSettings,
    wanted: Sequence[tuple[str, int]],
    laid: Sequence[tuple[RunDirectory, bool]],
) -> StudyComparison:
    runs = {pair: run for pair, (run, _) in zip(wanted, laid)}
    done = {pair: done for pair, (_, done) in zip(wanted, laid)}
    metrics = {pair: _metrics(run, settings.metrics) for pair, run in runs.items()}
    split = "test" if all("test" in m for m in metrics.values()) else "validation"
    order = [(name, seed) for name in settings.recipes for seed in settings.seeds]
    tests = []
    compared = CompareSettings(split=split, metrics=settings.metrics)
    for seed in settings.seeds:
        for one, two in itertools.combinations(settings.recipes, 2):
            comparison = compare_runs([runs[one, seed], runs[two, seed]], compared)
            tests.append(PairTest(one, two, seed, comparison.tests[0]))
    return StudyComparison(
        tuple(
            StudyRun(
                recipe=pair[0],
                seed=pair[1],
                run=runs[pair],
                metrics=metrics[pair],
                focus_class=settings.focus,
                training_seconds=float(_environment(runs[pair], "durations", "training_seconds")),
                weights=str(read_json(runs[pair].recipe_json)["weights"]),
                reused=done[pair],
            )
            for pair in order
        ),
        tuple(tests),
        split,
        str(_environment(runs[order[0]], "split_statement")),
        settings,
    )


def _environment(run: RunDirectory, *names: str) -> Any:
    value = read_json(run.require(run.environment))
    for name in names:
        value = value[name]
    return value


def _metrics(run: RunDirectory, settings: MetricSettings) -> dict[str, Metrics]:
    predictions = read_predictions(run.require(run.predictions), run.classes)
    parts = {split: predictions.part(split) for split in predictions.splits}
    return {
        split: compute_metrics(
            part.truth, part.scores, part.classes, settings, part.table["slide"].to_numpy(str)
        )
        for split, part in parts.items()
    }


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
