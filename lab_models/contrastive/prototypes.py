"""Directions that stay put, one a class, as far apart as there is room for."""

from __future__ import annotations

import numpy as np

from tflite.runtime.errors import LabError


def class_prototypes(classes: int, units: int) -> np.ndarray:
    """Unit vectors whose largest cosine is as small as it can be (Rankin 1955).

    - Up to units + 1 classes: the corners of a regular simplex, every cosine
      -1 / (classes - 1); two classes are opposite poles.
    - Up to 2 x units classes: then no arrangement has a largest cosine below 0. The units are
      shared out among ``classes - units`` groups, each a simplex in dimensions of its own, so
      that prototypes are orthogonal across groups and further apart within them.

    The same numbers give the same prototypes always.

    Args:
        classes: At least 2.
        units: Length of a prototype, at least half the classes.

    Returns:
        float64 ``(classes, units)``.

    Raises:
        LabError: If there are fewer than 2 classes or more than twice the units.
    """
    if classes < 2:
        raise LabError(f"Prototypes need at least 2 classes, got {classes}.")
    if classes > 2 * units:
        raise LabError(
            f"{classes} prototypes cannot all be at right angles or more in {units} units: give "
            f"the projection head at least {-(-classes // 2)} units, or leave classes out."
        )
    prototypes = np.zeros((classes, units))
    row = column = 0
    for part in np.array_split(np.arange(classes), max(1, classes - units)):
        size = len(part)
        prototypes[row : row + size, column : column + size - 1] = _simplex(size)
        row, column = row + size, column + size - 1
    return prototypes


def _simplex(corners: int) -> np.ndarray:
    """The corners of a regular simplex about the origin, ``(corners, corners - 1)``."""
    from scipy.linalg import helmert

    return np.asarray(helmert(corners).T * np.sqrt(corners / (corners - 1)))
