"""The trainings of the test: each an ordinary run, found again when the test is called again."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from lab_models.recipes import Recipe, differences
from lab_models.runs import RunDirectory, discard_run
from lab_models.sanity.settings import SanityError
from lab_models.train import go_on, load_recipe, start_run
from pipelines.manifest import Manifest
from tflite.runtime.errors import LabError

FOLDER = "trainings"


@dataclass(frozen=True)
class Training:
    """One training that the test needs.

    Args:
        name: Folder of its runs: ``part_1``, ``without_<source>``.
        title: What it is trained on, in words.
        seed: Of everything random in it.
        manifest: Its images, test images among them.
    """

    name: str
    title: str
    seed: int
    manifest: Manifest


def folder_name(text: str) -> str:
    """A source's name as a folder can have it."""
    return re.sub(r"[^\w.-]+", "_", text).strip("._") or "source"


def find_or_train(
    training: Training, recipe: Recipe, out: Path, say: Callable[[str], None]
) -> RunDirectory:
    """The finished run of a training; what is there already is used or gone on with.

    Args:
        training: What is needed.
        recipe: How all are trained; its seed gives way to the training's.
        out: Folder of the test.
        say: Takes one line of progress at a time.

    Raises:
        SanityError: If `out` holds such a training of another recipe or of other images.
        LabError: If the training fails.
    """
    folder = out / FOLDER / training.name / f"seed_{training.seed}"
    recipe = recipe.changed({"seed": training.seed})
    run = _newest(folder)
    if run is not None:
        _check_same(run, recipe, training.manifest, folder)
        if run.finished.exists():
            return run
        say(f"goes on with {run.path}")
    else:
        run = start_run(recipe, training.manifest, folder, say=say)
    try:
        go_on(run, say=say)
    except LabError:
        if not run.checkpoints.exists():
            discard_run(run)  # nothing was trained, so nothing is kept
        raise
    return run


def _newest(folder: Path) -> RunDirectory | None:
    """The finished run of a folder, else the one that can go on."""
    runs = [RunDirectory(path.parent) for path in sorted(folder.glob("*/*/recipe.json"))]
    finished = [run for run in runs if run.finished.exists()]
    chosen = finished or runs
    return chosen[-1] if chosen else None


def _check_same(run: RunDirectory, recipe: Recipe, manifest: Manifest, folder: Path) -> None:
    advice = f"Give another folder with --out, or remove {folder}."
    changes = differences(recipe, load_recipe(run))
    if changes:
        told = "; ".join(f"{k} is {was!r} there, {now!r} now" for k, (was, now) in changes.items())
        raise SanityError(f"{run.path} was trained with another recipe: {told}. {advice}")
    used = pd.read_csv(run.require(run.manifest), dtype=str, keep_default_na=False)
    left_out = pd.read_csv(run.require(run.quarantine), dtype=str, keep_default_na=False)
    there = set(zip(used["path"], used["label"]))
    wanted = set(zip(manifest.table["path"], manifest.table["label"]))
    wanted = {pair for pair in wanted if pair[0] not in set(left_out["path"])}
    if there != wanted:
        raise SanityError(
            f"{run.path} was trained on other images: {len(wanted - there)} of now were not "
            f"there, {len(there - wanted)} of then are not here. {advice}"
        )
