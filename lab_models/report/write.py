"""From content to files: pictures, figures, page and card, all together or none."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from lab_models.calibration import reliability_table
from lab_models.metrics import Metrics, lymphocyte_confusion
from lab_models.predictions import Predictions
from lab_models.report import html, plots, sections
from lab_models.report.content import ReportContent
from lab_models.report.contrastive import contrastive_section, plot_collapse, with_embeddings
from lab_models.report.device import device_section
from lab_models.report.figures import DPI, save_figure
from lab_models.report.model_card import write_model_card
from lab_models.report.neighbours import findings_html, findings_json
from lab_models.report.projection import ProjectionSettings, choose_points, project
from lab_models.runs import RunDirectory, write_json

TITLES = {"tsne": "t-SNE", "pca": "Principal components", "umap": "UMAP"}


def draw_pictures(
    folder: Path,
    metrics: Metrics,
    predictions: Predictions,
    features: np.ndarray | None,
    history: Any,
    projection: ProjectionSettings,
    dpi: int = DPI,
) -> dict[str, Path]:
    """Draws every picture that the data allows.

    Args:
        folder: Where the PNG files go.
        metrics: Figures of the main split.
        predictions: Of the main split.
        features: float32 ``(images, d)`` in the order of `predictions`; None without them.
        history: Table of epochs, or None.
        projection: How features are laid out.
        dpi: Dots per inch.

    Returns:
        The files by name, the names as in `lab_models.report.sections.PICTURES`, and ``collapse``.
    """
    confusion, classes = metrics.confusion, metrics.classes
    table = reliability_table(
        predictions.truth, predictions.scores, metrics.settings.calibration_bins
    )
    figures = {
        "confusion_percent": plots.plot_confusion(confusion, classes, normalised=True),
        "confusion": plots.plot_confusion(confusion, classes, normalised=False),
        "recall": plots.plot_recall(metrics),
        "reliability": plots.plot_reliability(table, metrics.calibration_error),
    }
    lymphocytes = lymphocyte_confusion(confusion, classes)
    if lymphocytes is not None:
        for name, normalised in (("lymphocytes_percent", True), ("lymphocytes", False)):
            figures[name] = plots.plot_confusion(*lymphocytes, normalised=normalised)
    if history is not None:
        figures["history"] = plots.plot_history(history)
        if with_embeddings(history) is not None:
            figures["collapse"] = plot_collapse(history)
    scatter = _scatter(predictions, features, projection)
    if scatter is not None:
        figures["scatter"] = scatter
    return {
        name: save_figure(figure, folder / f"{name}.png", dpi) for name, figure in figures.items()
    }


def _scatter(
    predictions: Predictions, features: np.ndarray | None, projection: ProjectionSettings
) -> Any:
    if features is None:
        return None
    chosen = choose_points(len(features), projection)
    places = project(features[chosen], projection)
    if places is None:
        return None
    of_all = (
        f"{len(chosen)} of {len(features)}" if len(chosen) < len(features) else f"{len(chosen)}"
    )
    title = f"{TITLES[projection.method]} of the pooled features of {of_all} images"
    return plots.plot_scatter(places, predictions.truth[chosen], predictions.classes, title)


def report_page(content: ReportContent) -> str:
    """The whole report as one HTML page."""
    facts = content.facts
    subtitle = f"{facts.recipe.get('backbone', 'classifier')}, {len(content.main.classes)} classes"
    started = facts.environment.get("started") or facts.environment.get("date")
    subtitle += f", trained {started}" if started else ""
    parts = (
        ("verdict", "Verdict", sections.verdict_section),
        ("classes", "Classes", sections.classes_section),
        ("confusion", "Confusion", sections.confusion_section),
        ("mistakes", "Mistakes", sections.galleries_section),
        ("neighbours", "Neighbours", neighbours_section),
        ("training", "Training", sections.training_section),
        ("contrastive", "Contrastive training", contrastive_section),
        ("calibration", "Calibration", sections.calibration_section),
        ("features", "Features", sections.scatter_section),
        ("device", "On the device", device_section),
        ("data", "Data", sections.data_section),
        ("recipe", "Recipe", sections.recipe_section),
        ("environment", "Environment", sections.environment_section),
        ("limits", "Limits", sections.limits_section),
    )
    filled = [(anchor, heading, make(content)) for anchor, heading, make in parts]
    return html.page(f"Report: {facts.name}", subtitle, filled)


def neighbours_section(content: ReportContent) -> str:
    """The training cells closest to the missed ones."""
    return findings_html(content.neighbours, content.galleries.label, content.main.accuracy.value)


def metrics_json(content: ReportContent) -> dict[str, Any]:
    """The content of ``metrics.json``: figures by split, the main split named."""
    return {
        "main_split": content.split,
        "data": content.data,
        "class_names": list(content.main.classes),
        "split_statement": content.statement,
        "splits": {split: metrics.to_dict() for split, metrics in content.metrics.items()},
        "nearest_neighbours": findings_json(content.neighbours),
    }


def write_files(folder: RunDirectory, content: ReportContent) -> dict[str, Any]:
    """Writes metrics, report and card beside the pictures.

    Args:
        folder: Directory with the layout of a run.
        content: What to write.

    Returns:
        The content of ``metrics.json``.
    """
    figures = metrics_json(content)
    write_json(folder.metrics, figures)
    folder.report.write_text(report_page(content), encoding="utf-8")
    folder.model_card.write_text(write_model_card(content), encoding="utf-8")
    return figures


class Staging:
    """A hidden directory whose files move into place together, once all of them are written.

    Args:
        target: Where the files belong; made when missing.
    """

    def __init__(self, target: Path) -> None:
        self._target = target

    def __enter__(self) -> RunDirectory:
        self._target.mkdir(parents=True, exist_ok=True)
        self._staged = Path(tempfile.mkdtemp(prefix=".report-", dir=self._target))
        return RunDirectory(self._staged)

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        try:
            if kind is None:
                for path in sorted(self._staged.iterdir()):
                    place = self._target / path.name
                    if path.is_dir() and place.exists():
                        shutil.rmtree(place)
                    path.replace(place)
        finally:
            shutil.rmtree(self._staged, ignore_errors=True)
