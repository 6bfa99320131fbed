"""The run directory: every file that training, evaluation and export leave, and where it is."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tflite.runtime.contract import InputContract
from tflite.runtime.errors import LabError
from tflite.runtime.files import write_whole


class RunError(LabError):
    """A run directory is missing, unfinished, or lacks a file that is needed."""


@dataclass(frozen=True)
class RunDirectory:
    """One training run on disk, ``runs/<recipe>/<time>/``.

    The properties are paths; whether the file is there yet is the reader's question, answered
    with a clear message by `require`.

    Args:
        path: The directory.
    """

    path: Path

    @property
    def recipe_json(self) -> Path:
        """The recipe as it was run."""
        return self.path / "recipe.json"

    @property
    def contract_json(self) -> Path:
        """Ordered class names and input contract: ``{"classes": [...], "input": {...}}``."""
        return self.path / "contract.json"

    @property
    def manifest(self) -> Path:
        """The images used, with their split."""
        return self.path / "manifest.csv"

    @property
    def quarantine(self) -> Path:
        """Files left out because they could not be read, with reasons."""
        return self.path / "quarantine.csv"

    @property
    def environment(self) -> Path:
        """Versions, git commit, seeds, hardware, data root and durations."""
        return self.path / "environment.json"

    @property
    def history(self) -> Path:
        """One row an epoch, over all phases."""
        return self.path / "history.csv"

    @property
    def checkpoints(self) -> Path:
        """What a stopped run needs to go on."""
        return self.path / "checkpoints"

    @property
    def model(self) -> Path:
        """The trained classifier, pixel values to class scores."""
        return self.path / "model.keras"

    @property
    def encoder(self) -> Path:
        """The classifier up to its pooled features."""
        return self.path / "encoder.keras"

    @property
    def projection(self) -> Path:
        """Encoder and projection head of a contrastive recipe, pixel values to embeddings."""
        return self.path / "projection.keras"

    @property
    def predictions(self) -> Path:
        """Scores of every validation and test image."""
        return self.path / "predictions.csv"

    @property
    def features(self) -> Path:
        """L2-normalised pooled features of the same images."""
        return self.path / "features.npz"

    @property
    def training_features(self) -> Path:
        """The same of the training images (see `lab_models.training_features`)."""
        return self.path / "training_features.npz"

    @property
    def metrics(self) -> Path:
        """Every figure of the report."""
        return self.path / "metrics.json"

    @property
    def plots(self) -> Path:
        """Folder of the report's pictures."""
        return self.path / "plots"

    @property
    def report(self) -> Path:
        """The report, one self-contained page."""
        return self.path / "report.html"

    @property
    def model_card(self) -> Path:
        """The model card."""
        return self.path / "MODEL_CARD.md"

    @property
    def tflite(self) -> Path:
        """Folder of the exported bundles."""
        return self.path / "tflite"

    @property
    def finished(self) -> Path:
        """Empty file, written last: a directory without it is a run that can go on."""
        return self.path / "FINISHED"

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in the order of the model's scores."""
        return tuple(read_json(self.require(self.contract_json))["classes"])

    @property
    def contract(self) -> InputContract:
        """The model's input contract."""
        return InputContract.from_dict(read_json(self.require(self.contract_json))["input"])

    def require(self, path: Path) -> Path:
        """Returns `path` if the file is there.

        Raises:
            RunError: If it is missing; says what kind of directory this seems to be.
        """
        if path.exists():
            return path
        if not self.path.is_dir():
            raise RunError(f"{self.path} is no directory; a run directory was expected.")
        if not self.recipe_json.exists():
            raise RunError(
                f"{self.path} is no run directory: it has no {self.recipe_json.name}. "
                "Give a folder like runs/<recipe>/<time>."
            )
        state = "finished" if self.finished.exists() else "unfinished"
        advice = (
            "the file was removed: train again"
            if self.finished.exists()
            else f"go on with: lab-models train --resume {self.path}"
        )
        raise RunError(f"The {state} run {self.path} has no {path.name}; {advice}.")


def read_json(path: Path) -> Any:
    """Reads a JSON file of a run.

    Raises:
        RunError: If the file is no valid JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise RunError(f"{path} is not valid JSON ({error}); the run was altered.") from None


def write_json(path: Path, content: Any) -> None:
    """Writes JSON whole or not at all, keys in the order given."""
    write_whole(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def new_run(runs_folder: Path, recipe_name: str) -> RunDirectory:
    """Makes the directory of a new run, named by the time, never an existing one.

    Args:
        runs_folder: Usually ``runs``.
        recipe_name: The middle part of the path.
    """
    folder = runs_folder / recipe_name
    folder.mkdir(parents=True, exist_ok=True)
    while True:
        path = folder / time.strftime("%Y-%m-%d_%H-%M-%S")
        try:
            path.mkdir()
        except FileExistsError:
            time.sleep(0.2)  # two runs in one second: the later one takes the next
            continue
        return RunDirectory(path)


def discard_run(run: RunDirectory) -> None:
    """Removes a run that never trained an epoch, and the recipe's folder if that is empty then."""
    shutil.rmtree(run.path, ignore_errors=True)
    for folder in (run.path.parent, run.path.parent.parent):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def newest_run(runs_folder: Path) -> RunDirectory:
    """The finished run with the latest time, of any recipe.

    Raises:
        RunError: If there is no finished run.
    """
    finished = sorted(runs_folder.glob("*/*/FINISHED"), key=lambda p: p.stat().st_mtime)
    if not finished:
        raise RunError(
            f"No finished run in {runs_folder}. Train one first (make train-hairy), "
            "or name the run directory."
        )
    return RunDirectory(finished[-1].parent)
