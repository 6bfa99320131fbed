"""What a report is made of: read from a run directory, before anything is drawn or written."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from lab_models.metrics import Metrics
from lab_models.report.galleries import Galleries
from lab_models.report.neighbours import NeighbourFindings
from lab_models.runs import RunDirectory, RunError, read_json


@dataclass(frozen=True)
class RunFacts:
    """What a run says about itself, as far as its files are there.

    Args:
        name: ``<recipe>/<time>``.
        recipe: ``recipe.json``.
        environment: ``environment.json``.
        manifest: ``manifest.csv``, all text, missing values ``""``; None if not there.
        quarantine: ``quarantine.csv`` likewise; empty if not there.
        history: ``history.csv``; None if not there.
        parity: ``tflite/parity.json``; None if the run was not exported.
        data_root: Folder that image paths are relative to; None where it is not known.
    """

    name: str
    recipe: dict[str, Any]
    environment: dict[str, Any]
    manifest: pd.DataFrame | None
    quarantine: pd.DataFrame
    history: pd.DataFrame | None
    parity: Any
    data_root: Path | None


@dataclass(frozen=True)
class ReportContent:
    """Everything that a page shows.

    Args:
        facts: Of the run.
        metrics: Figures by split, the main one first.
        data: What the figures are of, in words: ``test images``, ``images of zheng1``.
        statement: What the split promises.
        galleries: Mistakes around one class of the main split.
        pictures: PNG files by name, see `lab_models.evaluate`.
        neighbours: Closest training cells; None where the run has no features of them.
    """

    facts: RunFacts
    metrics: dict[str, Metrics]
    data: str
    statement: str
    galleries: Galleries
    pictures: dict[str, Path] = field(default_factory=dict)
    neighbours: NeighbourFindings | None = None

    @property
    def split(self) -> str:
        """Name of the main split."""
        return next(iter(self.metrics))

    @property
    def main(self) -> Metrics:
        """Figures of the main split."""
        return self.metrics[self.split]


def read_facts(run: RunDirectory) -> RunFacts:
    """Reads what a run says about itself; only the recipe must be there.

    Raises:
        RunError: If this is no run directory, or one of its files is damaged.
    """
    environment = read_json(run.environment) if run.environment.exists() else {}
    root = environment.get("data_root")
    parity = run.tflite / "parity.json"
    path = run.path.resolve()
    quarantine = _read_text_table(run.quarantine)
    return RunFacts(
        name=f"{path.parent.name}/{path.name}",
        recipe=read_json(run.require(run.recipe_json)),
        environment=environment,
        manifest=_read_text_table(run.manifest),
        quarantine=pd.DataFrame({"path": [], "reason": []}) if quarantine is None else quarantine,
        history=read_history(run.history),
        parity=read_json(parity) if parity.exists() else None,
        data_root=Path(root) if root else None,
    )


def _read_text_table(path: Path) -> pd.DataFrame | None:
    if not path.exists():
        return None
    try:
        return pd.read_csv(path, dtype=str, keep_default_na=False)
    except (ValueError, OSError) as error:
        raise RunError(f"{path} cannot be read as a table: {error}") from None


def read_history(path: Path) -> pd.DataFrame | None:
    """``history.csv``; None if it is not there or holds no epoch.

    Raises:
        RunError: If it is no table.
    """
    if not path.exists():
        return None
    try:
        table = pd.read_csv(path)
    except pd.errors.EmptyDataError:
        return None
    except (ValueError, OSError) as error:
        raise RunError(f"{path} cannot be read as a training history: {error}") from None
    return None if table.empty else table
