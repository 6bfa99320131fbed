"""The models of study hairy, trained on the same data and seeds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from lab_models.recipes import Recipe, differences
from lab_models.runs import RunDirectory, discard_run, read_json
from lab_models.study_results import StudyComparison, put_together, read_study_run
from lab_models.study_settings import StudyComparisonSettings
from lab_models.train import go_on, load_recipe, start_run
from tflite.runtime.errors import LabError

Say = Callable[[str], None]


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
    runs = [
        read_study_run(name, seed, run, settings, done)
        for (name, seed), (run, done) in zip(wanted, laid)
    ]
    return put_together(runs, settings)


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
