"""Whether a score of 0.9 is right nine times out of ten."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from tflite.runtime.errors import LabError


def reliability_table(truth: np.ndarray, scores: np.ndarray, bins: int = 15) -> pd.DataFrame:
    """Confidence against accuracy in equal bins of the highest score (Guo et al. 2017, section 2).

    Args:
        truth: int ``(images,)``.
        scores: float ``(images, classes)``.
        bins: Number of bins over 0..1, closed on the right.

    Returns:
        A row for each bin: ``low, high, count, confidence, accuracy``; the last two are NaN
        where the bin is empty.

    Raises:
        LabError: If `bins` is below 1.
    """
    if bins < 1:
        raise LabError(f"The calibration error needs at least 1 bin, got {bins}.")
    confidence = np.asarray(scores, np.float64).max(axis=1)
    right = (scores.argmax(axis=1) == truth).astype(np.float64)
    place = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    count = np.bincount(place, minlength=bins)
    safe = np.where(count > 0, count, math.nan)
    edges = np.linspace(0, 1, bins + 1)
    return pd.DataFrame(
        {
            "low": edges[:-1],
            "high": edges[1:],
            "count": count,
            "confidence": np.bincount(place, confidence, bins) / safe,
            "accuracy": np.bincount(place, right, bins) / safe,
        }
    )


def expected_calibration_error(truth: np.ndarray, scores: np.ndarray, bins: int = 15) -> float:
    """Mean distance of confidence and accuracy over the bins (Guo et al. 2017, eq. 3), 0..1."""
    table = reliability_table(truth, scores, bins)
    gap = (table["accuracy"] - table["confidence"]).abs().fillna(0.0)
    return float((gap * table["count"]).sum() / len(truth))
