"""How far values lie from the rest, by a yardstick that outliers do not move."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

NORMAL = 1.4826
"""Median absolute deviation times this is the standard deviation of a normal distribution."""


def deviations(values: np.ndarray, least: float = 1e-6) -> np.ndarray:
    """Distances from the median in robust standard deviations.

    Args:
        values: Float ``(values,)``.
        least: Lower bound of the standard deviation, in units of `values`: where nearly all
            values are equal, tiny differences are none.

    Returns:
        Float64 ``(values,)``; empty for no values.
    """
    values = np.asarray(values, np.float64)
    if not len(values):
        return values
    away = values - np.median(values)
    return away / max(least, NORMAL * float(np.median(np.abs(away))))


def by_class(labels: np.ndarray, few: int) -> Iterator[np.ndarray]:
    """Row numbers of each class of at least `few`, then those of all smaller classes together.

    Args:
        labels: Label of each row.
        few: Rows that a class needs to be taken by itself.
    """
    names, numbers, counts = np.unique(labels, return_inverse=True, return_counts=True)
    for number in range(len(names)):
        if counts[number] >= few:
            yield np.flatnonzero(numbers == number)
    rest = np.flatnonzero(counts[numbers] < few)
    if len(rest):
        yield rest
