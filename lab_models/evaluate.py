"""Evaluation: from saved predictions, or from new images, to figures, report and model card."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from lab_models.metrics import Metrics, MetricSettings, compute_metrics
from lab_models.neighbours import ReferenceCells, saved_training_cells
from lab_models.predictions import Predictions, read_features, read_predictions
from lab_models.report.content import ReportContent, RunFacts, read_facts
from lab_models.report.figures import DPI
from lab_models.report.galleries import GallerySettings, choose_class, find_mistakes
from lab_models.report.neighbours import NeighbourReportSettings, find_for_report
from lab_models.report.projection import ProjectionSettings
from lab_models.report.words import split_statement
from lab_models.report.write import Staging, draw_pictures, write_files
from lab_models.runs import RunDirectory


@dataclass(frozen=True)
class EvaluationSettings:
    """What can be chosen about an evaluation.

    Args:
        split: The split that the report is about; ``""`` takes test if there is one, else
            validation. The figures of the others stand beside it.
        metrics: How figures are computed.
        projection: How features are laid out.
        gallery: Which mistakes are shown. Where it names no class, the ``focus_class`` of the
            recipe is taken.
        neighbours: What is shown of the closest training cells.
        dpi: Dots per inch of the pictures.
    """

    split: str = ""
    metrics: MetricSettings = field(default_factory=MetricSettings)
    projection: ProjectionSettings = field(default_factory=ProjectionSettings)
    gallery: GallerySettings = field(default_factory=GallerySettings)
    neighbours: NeighbourReportSettings = field(default_factory=NeighbourReportSettings)
    dpi: int = DPI


def finish_report(run: RunDirectory, settings: EvaluationSettings | None = None) -> dict[str, Any]:
    """Computes ``metrics.json``, ``plots/``, ``report.html`` and ``MODEL_CARD.md`` of a run.

    Reads ``predictions.csv``, ``contract.json`` and ``recipe.json``; and, as far as they are
    there, ``features.npz``, ``training_features.npz``, ``history.csv``, ``manifest.csv``,
    ``quarantine.csv``, ``environment.json`` and ``tflite/parity.json``. Images are needed for
    the thumbnails only.

    Args:
        run: The run; need not be finished.
        settings: Defaults to `EvaluationSettings()`.

    Returns:
        The content of ``metrics.json``.

    Raises:
        LabError: If a needed file is missing or damaged, or a setting does not fit the run.
    """
    facts = read_facts(run)
    predictions = read_predictions(run.require(run.predictions), run.classes)
    features = read_features(run.features, predictions)
    with Staging(run.path) as staged:
        return write_evaluation(
            staged,
            facts,
            predictions,
            features,
            split_statement(facts.manifest, facts.environment),
            settings or EvaluationSettings(),
            cells=saved_training_cells(run),
        )


def write_evaluation(
    folder: RunDirectory,
    facts: RunFacts,
    predictions: Predictions,
    features: np.ndarray | None,
    statement: str,
    settings: EvaluationSettings,
    images: str = "",
    cells: ReferenceCells | None = None,
) -> dict[str, Any]:
    """Computes and writes everything about some predictions into a folder.

    Args:
        folder: Empty directory, gets the layout of a run.
        facts: Of the run whose model predicted; its ``data_root`` is where thumbnails are taken.
        predictions: Of all splits.
        features: float32 ``(images, d)`` in the order of `predictions`; None without them.
        statement: What the split promises.
        settings: Choices.
        images: What the images are called in sentences, by default ``<split> images``.
        cells: The training cells, to look up the neighbours of missed images; None without.

    Returns:
        The content of ``metrics.json``.
    """
    splits = predictions.splits
    first = settings.split or splits[0]
    main = predictions.part(first)
    metrics = {first: _metrics(main, settings)}
    metrics |= {s: _metrics(predictions.part(s), settings) for s in splits if s != first}
    rows = (predictions.table["split"] == first).to_numpy()
    wanted = settings.gallery.label or focus_class(facts, predictions.classes)
    gallery = replace(settings.gallery, label=choose_class(metrics[first], wanted))
    galleries = find_mistakes(main, gallery.label, facts.data_root, gallery)
    own = None if features is None else features[rows]
    neighbours = None
    if own is not None and cells is not None:
        neighbours = find_for_report(main, own, cells, galleries, settings.neighbours, gallery)
    content = ReportContent(
        facts=facts,
        metrics=metrics,
        data=images or f"{first} images",
        statement=statement,
        galleries=galleries,
        pictures=draw_pictures(
            folder.plots,
            metrics[first],
            main,
            own,
            facts.history,
            settings.projection,
            settings.dpi,
        ),
        neighbours=neighbours,
    )
    return write_files(folder, content)


def _metrics(part: Predictions, settings: EvaluationSettings) -> Metrics:
    slides = part.table["slide"].to_numpy(str)
    return compute_metrics(part.truth, part.scores, part.classes, settings.metrics, slides)


def focus_class(facts: RunFacts, classes: tuple[str, ...]) -> str:
    """The class whose mistakes the recipe wants to see; ``""`` if it names none that is known."""
    wanted = str(facts.recipe.get("focus_class", ""))
    return wanted if wanted in classes else ""
