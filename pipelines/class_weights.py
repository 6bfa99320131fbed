"""Weights of the loss against class imbalance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tflite.runtime.errors import LabError

SCHEMES = ("none", "balanced", "effective")


def class_weights(
    counts: Sequence[int] | np.ndarray, scheme: str = "balanced", beta: float = 0.999
) -> np.ndarray:
    """The weight of each class, such that the mean over all images is 1.

    With a mean of 1 the size of the loss, and so the learning rate, stays comparable whatever the
    scheme.

    - ``none``: 1 for every class.
    - ``balanced``: proportional to 1 / n, n the images of the class, so that every class has the
      same part in the loss (King and Zeng 2001, "Logistic regression in rare events data").
    - ``effective``: proportional to (1 - beta) / (1 - beta^n), one over the effective number of
      samples (Cui, Jia, Lin, Song, Belongie 2019, "Class-balanced loss based on effective number
      of samples", equations 2 and 4). beta 0 gives ``none``; towards 1 it gives ``balanced``.

    Args:
        counts: Training images of each class in class order, whole numbers above 0,
            ``(classes,)``.
        scheme: One of `SCHEMES`.
        beta: From 0 to below 1; only ``effective`` looks at it. Classes with far more than
            1 / (1 - beta) images are treated alike.

    Returns:
        float32 ``(classes,)``, above 0.

    Raises:
        LabError: If the scheme is unknown, a class has no image, or beta is out of range.
    """
    numbers = np.asarray(counts, np.float64)
    if scheme not in SCHEMES:
        raise LabError(f"class_weights knows {', '.join(SCHEMES)}, got {scheme!r}.")
    if numbers.ndim != 1 or not len(numbers) or (numbers % 1 != 0).any() or (numbers <= 0).any():
        raise LabError(
            "Class weights need at least one image of every class, a whole number each, got "
            f"{np.asarray(counts).tolist()}."
        )
    if not 0 <= beta < 1:
        raise LabError(f"beta must be from 0 to below 1, got {beta!r}.")
    raw = _raw_weights(numbers, scheme, beta)
    return (raw * numbers.sum() / (raw * numbers).sum()).astype(np.float32)


def _raw_weights(numbers: np.ndarray, scheme: str, beta: float) -> np.ndarray:
    if scheme == "none" or (scheme == "effective" and beta == 0):
        return np.ones_like(numbers)
    if scheme == "balanced":
        return 1 / numbers
    # 1 - beta^n by expm1: exact for beta near 1 too.
    return (1 - beta) / -np.expm1(numbers * np.log(beta))
