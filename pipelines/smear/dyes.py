"""The dyes of a Romanowsky stain, and how a field holds them."""

from __future__ import annotations

import numpy as np

CHROMATIN, AZURE, EOSIN, HAEMOGLOBIN, AZUROPHIL = range(5)
"""Purple of nuclei (azure B with eosin Y on deoxyribonucleic acid), blue of ribonucleic acid
(azure B), pink to orange (eosin Y), red cells (haemoglobin with eosin), red-purple granules."""

NUMBER = 5

ABSORBANCE = np.array(
    [
        [0.56, 0.80, 0.31],
        [0.40, 0.35, 0.11],
        [0.06, 0.34, 0.37],
        [0.09, 0.19, 0.185],
        [0.24, 0.56, 0.20],
    ]
)
"""Absorbance (decadic) of amount 1 of each dye in red, green and blue, ``(5, 3)``.

Read off the colours of stained smears; only their order of size is claimed.
"""


def cover(dyes: np.ndarray, alpha: np.ndarray) -> None:
    """Takes away what lies under an opaque thing; `alpha` 0..1 is the thing's mask."""
    dyes *= 1 - alpha


def empty(size: int) -> np.ndarray:
    """A field without any dye, float64 ``(5, size, size)``."""
    return np.zeros((NUMBER, size, size))
