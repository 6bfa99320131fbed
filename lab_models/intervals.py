"""Intervals that say how far a figure can be trusted: Wilson, and the bootstrap over images."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from tflite.runtime.errors import LabError


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise LabError(f"confidence must lie between 0 and 1, got {confidence!r}; 0.95 is usual.")


def wilson_interval(
    successes: np.ndarray | float, count: np.ndarray | float, confidence: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """The score interval of a proportion (Wilson 1927, Journal of the ASA 22:209-212).

    Unlike the bootstrap and the textbook interval it keeps a width at 0 and 1: 20 right out of
    20 still may be a true rate of 0.84.

    Args:
        successes: How many succeeded; any shape, ``0 <= successes <= count``.
        count: Out of how many; broadcasts against `successes`.
        confidence: Coverage, between 0 and 1.

    Returns:
        Lower and upper ends in 0..1, of the broadcast shape; NaN where `count` is 0.

    Raises:
        LabError: If `confidence` is out of range.
    """
    _check_confidence(confidence)
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    k, n = np.broadcast_arrays(np.asarray(successes, float), np.asarray(count, float))
    safe = np.where(n > 0, n, 1.0)
    rate = k / safe
    centre = (rate + z**2 / (2 * safe)) / (1 + z**2 / safe)
    half = z / (1 + z**2 / safe) * np.sqrt(rate * (1 - rate) / safe + z**2 / (4 * safe**2))
    # The ends at 0 and 1 are exact; rounding must not move them past the estimate.
    low = np.where(n > 0, np.where(k == 0, 0.0, np.clip(centre - half, 0, 1)), math.nan)
    high = np.where(n > 0, np.where(k == n, 1.0, np.clip(centre + half, 0, 1)), math.nan)
    return low, high


def bootstrap_confusions(confusion: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """Confusion matrices of `draws` bootstrap samples, stratified by true class.

    Drawing the images of one class with replacement and counting their answers *is* one draw
    from a multinomial distribution over the class's row. So nothing is lost by drawing the rows
    themselves, and 1000 draws take milliseconds for any number of images.

    Args:
        confusion: int ``(classes, classes)``, rows are true classes.
        draws: Number of samples, at least 1.
        seed: Seed of the random generator.

    Returns:
        int64 ``(draws, classes, classes)``; every sample has the row sums of `confusion`.

    Raises:
        LabError: If `draws` is below 1 or the matrix is not square.
    """
    matrix = np.asarray(confusion)
    if draws < 1:
        raise LabError(f"The bootstrap needs at least 1 draw, got {draws}; 1000 is usual.")
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise LabError(f"A confusion matrix is square, got shape {matrix.shape}.")
    generator = np.random.default_rng(seed)
    samples = np.zeros((draws, *matrix.shape), np.int64)
    for row, counts in enumerate(matrix):
        total = int(counts.sum())
        if total:
            samples[:, row] = generator.multinomial(total, counts / total, size=draws)
    return samples


def bootstrap_groups(counts: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """Counts of bootstrap samples that draw whole groups, for example slides.

    Cells of one slide share stain, camera and patient; they err together, and an interval over
    single images is then too narrow. Drawing slides tells what another set of slides may give.

    Args:
        counts: int ``(groups, ...)``: for each group, counts that add up over groups.
        draws: Number of samples, at least 1.
        seed: Seed of the random generator.

    Returns:
        int64 ``(draws, ...)``, the sums over the drawn groups.

    Raises:
        LabError: If there is no group or `draws` is below 1.
    """
    groups = len(counts)
    if draws < 1 or groups < 1:
        raise LabError(
            f"The bootstrap needs at least 1 draw and 1 group, got {draws} and {groups}."
        )
    generator = np.random.default_rng(seed)
    times = generator.multinomial(groups, np.full(groups, 1 / groups), size=draws)
    return np.tensordot(times, np.asarray(counts, np.int64), axes=1)


def percentile_interval(
    samples: np.ndarray, confidence: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """The percentile interval over the first axis; NaN samples are left out.

    Args:
        samples: ``(draws, ...)``.
        confidence: Coverage, between 0 and 1.

    Returns:
        Lower and upper ends, of shape ``samples.shape[1:]``; NaN where every sample is NaN.

    Raises:
        LabError: If `confidence` is out of range.
    """
    _check_confidence(confidence)
    values = np.asarray(samples, float)
    empty = np.isnan(values).all(axis=0)
    # nanquantile warns about all-NaN columns; they are answered here.
    filled = np.where(empty, 0.0, values)
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(filled, [tail, 1 - tail], axis=0)
    return np.where(empty, math.nan, low), np.where(empty, math.nan, high)
