"""From logits to calibrated scores, and how far scores can be believed.

A device's file ends in logits; what follows is a few sums, done here in floating point so that
every model, quantised or not, has scores of full resolution.
"""

from __future__ import annotations

import math
from typing import Dict

import numpy as np

from tflite.runtime.errors import LabError

CALIBRATION_BINS = 15


def softmax(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Scores of logits, ``exp(z / T) / sum(exp(z / T))`` (Guo et al. 2017, equation 9).

    Computed in float64 after the largest logit is taken off, so that no exponential overflows.

    Args:
        logits: Finite numbers ``(..., classes)``.
        temperature: T, above 0. Above 1 makes the scores more modest, below 1 bolder; the order
            of the classes stays.

    Returns:
        float32 array of the same shape; 0..1, the last axis sums to 1.

    Raises:
        LabError: If a logit is NaN or infinite, there is no class, or `temperature` is not a
            finite number above 0.
    """
    if not (math.isfinite(temperature) and temperature > 0):
        raise LabError(f"A temperature must be a finite number above 0, got {temperature!r}.")
    values = np.asarray(logits, np.float64)
    if values.ndim == 0 or values.shape[-1] == 0:
        raise LabError(f"Logits have the classes as last axis, got shape {values.shape}.")
    if not np.isfinite(values).all():
        raise LabError("Logits must be finite; got NaN or infinity: the model is broken.")
    powers = np.exp((values - values.max(axis=-1, keepdims=True)) / temperature)
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True), np.float32)


def reliability_bins(
    truth: np.ndarray, scores: np.ndarray, bins: int = CALIBRATION_BINS
) -> Dict[str, np.ndarray]:
    """Confidence against accuracy in equal bins of the highest score (Guo et al. 2017, section 2).

    Args:
        truth: int ``(images,)``.
        scores: float ``(images, classes)``.
        bins: Number of bins over 0..1, closed on the right.

    Returns:
        Arrays ``(bins,)`` by name: ``low, high, count, confidence, accuracy``; the last two are
        NaN where the bin is empty.

    Raises:
        LabError: If `bins` is below 1.
    """
    if bins < 1:
        raise LabError(f"The calibration error needs at least 1 bin, got {bins}.")
    confidence = np.asarray(scores, np.float64).max(axis=1)
    right = (np.argmax(scores, axis=1) == truth).astype(np.float64)
    place = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    count = np.bincount(place, minlength=bins)
    safe = np.where(count > 0, count, math.nan)
    edges = np.linspace(0, 1, bins + 1)
    return {
        "low": edges[:-1],
        "high": edges[1:],
        "count": count,
        "confidence": np.bincount(place, confidence, bins) / safe,
        "accuracy": np.bincount(place, right, bins) / safe,
    }


def expected_calibration_error(
    truth: np.ndarray, scores: np.ndarray, bins: int = CALIBRATION_BINS
) -> float:
    """Mean distance of confidence and accuracy over the bins (Guo et al. 2017, eq. 3), 0..1.

    Args:
        truth: int ``(images,)``, at least one image.
        scores: float ``(images, classes)``.
        bins: See `reliability_bins`.
    """
    table = reliability_bins(truth, scores, bins)
    gap = np.nan_to_num(np.abs(table["accuracy"] - table["confidence"]))
    return float((gap * table["count"]).sum() / len(truth))
