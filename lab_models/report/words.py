"""Numbers and findings as people read them."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from lab_models.metrics import Estimate, Metrics
from pipelines.labels import display_name

NOTHING = "–"
SPACE = "\N{NO-BREAK SPACE}"  # between a number and its unit, and in large numbers
WORST_CLASSES = 3


def percent(value: float | None, digits: int = 1) -> str:
    """A share in 0..1 as per cent; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return NOTHING
    return f"{100 * value:.{digits}f}{SPACE}%"


def number(value: Any, digits: int = 3) -> str:
    """A number as short as its size allows; text and truth values as they are."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return NOTHING
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}".replace(",", SPACE)
    if value != 0 and not 1e-3 <= abs(value) < 1e6:
        return f"{value:.2g}"
    return f"{value:.{digits}f}".rstrip("0").rstrip(".")


def fixed(value: float | None, digits: int = 3) -> str:
    """A number with the same digits in every row of a column; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return NOTHING
    return f"{value:.{digits}f}"


def interval(estimate: Estimate, digits: int = 1) -> str:
    """An interval of shares as per cent: ``90.1 to 93.4 %``."""
    if not (math.isfinite(estimate.low) and math.isfinite(estimate.high)):
        return NOTHING
    return f"{100 * estimate.low:.{digits}f} to {percent(estimate.high, digits)}"


def duration(seconds: float) -> str:
    """Seconds as people say them: ``45 s``, ``7 min 5 s``, ``2 h 13 min``."""
    total = round(seconds)
    if total < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{total} s"
    if total < 3600:
        return f"{total // 60} min {total % 60} s"
    return f"{total // 3600} h {total % 3600 // 60} min"


def names(labels: list[str]) -> str:
    """Labels as a list in a sentence: ``a, b and c``."""
    shown = [display_name(label) for label in labels]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def verdict(metrics: Metrics, images: str) -> list[str]:
    """What the figures say, in sentences, most important first.

    Args:
        metrics: Figures of one split.
        images: What the images are called: ``test images``.
    """
    accuracy = metrics.accuracy
    coverage = f"{100 * metrics.settings.confidence:g}{SPACE}%"
    sentences = [
        f"Of {number(metrics.count)} {images} the model names {percent(accuracy.value)} "
        f"correctly ({coverage} interval {interval(accuracy)}); the mean F1 of the "
        f"{len(metrics.present)} classes is {percent(metrics.macro_f1.value)} "
        f"({interval(metrics.macro_f1)})."
    ]
    slides = metrics.accuracy_over_slides
    if slides is not None:
        sentences.append(
            "Counted over slides instead of single images, because the cells of one slide err "
            f"together, the interval of accuracy is {interval(slides)}."
        )
    sentences += _worst(metrics)
    few = metrics.present[metrics.present["too_few"]]["label"].tolist()
    if few and len(few) < len(metrics.present):
        sentences.append(f"Too few images to judge: {names(few)}.")
    absent = metrics.per_class[metrics.per_class["support"] == 0]["label"].tolist()
    if absent:
        sentences.append(f"Not in this data at all: {names(absent)}.")
    return sentences


def _worst(metrics: Metrics) -> list[str]:
    judged = metrics.present[~metrics.present["too_few"]]
    wrong = judged[judged["recall"] < 1].sort_values("recall").head(WORST_CLASSES)
    if judged.empty:
        return ["No class has enough images for a verdict of its own."]
    if wrong.empty:
        return ["Every class with enough images is found without a miss."]
    parts = []
    for label, recall in zip(wrong["label"], wrong["recall"]):
        place = metrics.classes.index(label)
        counts = metrics.confusion[place].copy()
        counts[place] = 0
        taken = display_name(metrics.classes[int(counts.argmax())])
        parts.append(
            f"{display_name(label)} ({percent(recall)} found, most often taken for {taken})"
        )
    return [f"Weakest: {'; '.join(parts)}."]


def split_statement(manifest: pd.DataFrame | None, environment: dict[str, Any]) -> str:
    """What the split promises: the run's own words, or what its manifest shows.

    Args:
        manifest: The run's manifest; None if it is not there.
        environment: The run's ``environment.json``; ``split_statement`` is used where it holds it.
    """
    recorded = environment.get("split_statement")
    if recorded:
        return str(recorded)
    if manifest is None or "split" not in manifest.columns:
        return "How the images were split is not known."
    for column, singular in (("patient", "patient"), ("slide", "slide")):
        values = manifest.get(column)
        if values is None or (values == "").any():
            continue
        sides = manifest.groupby(column)["split"].nunique()
        shared = int((sides > 1).sum())
        if shared:
            return (
                f"{shared} of {len(sides)} {singular}s have images in more than one split: the "
                "figures are likely better than they would be on new ones."
            )
        return (
            f"No {singular} has images in more than one split: the figures are for {singular}s "
            "that the model has not seen."
        )
    return (
        "The data names neither slide nor patient for every image, so cells of one slide may "
        "stand in training and in evaluation: the figures may be better than they would be on "
        "new slides."
    )
