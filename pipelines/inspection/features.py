"""Cheap features of an image of a cell: colours, colours by distance from the middle, edges.

They tell the classes of blood cells apart well enough to doubt a label or to see that an image is
like no other. No network is trained for them.
"""

from __future__ import annotations

import numpy as np

SIDE = 64
_BINS = 12
_RINGS = 6
_CELLS = 4
_DIRECTIONS = 8
LENGTH = 2 * 3 * _BINS + 2 * 3 * _RINGS + _CELLS * _CELLS * _DIRECTIONS
"""Features of an image."""


def cheap_features(image: np.ndarray) -> np.ndarray:
    """Features of an image, the same at any size.

    Args:
        image: uint8 ``(height, width, 3)``, red, green, blue.

    Returns:
        float32 ``(LENGTH,)``: histograms of CIE L*a*b* in the whole image and in its middle, mean
        and standard deviation of these in rings around the middle, and histograms of oriented
        gradients (Dalal and Triggs, CVPR 2005, without blocks), all about 0 to 1.
    """
    import cv2

    small = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB)
    quarter = SIDE // 4
    middle = lab[quarter:-quarter, quarter:-quarter]
    return np.concatenate(
        [_histograms(lab), _histograms(middle), _rings(lab), _gradients(lab[..., 0])]
    ).astype(np.float32)


def _histograms(lab: np.ndarray) -> np.ndarray:
    """Square roots of shares (the Hellinger map): a linear classifier separates them better."""
    import cv2

    ranges = ((0, 256), (96, 192), (64, 160))  # of blood cells; beyond is counted at the ends
    shares = []
    for channel, (low, high) in enumerate(ranges):
        values = np.clip(lab[..., channel], low, high - 1)
        counts = cv2.calcHist([values], [0], None, [_BINS], [low, high])
        shares.append(counts.ravel() / values.size)
    return np.sqrt(np.concatenate(shares))


def _rings(lab: np.ndarray) -> np.ndarray:
    axis = (np.arange(SIDE) + 0.5) / SIDE * 2 - 1
    ring = np.hypot(*np.meshgrid(axis, axis))
    number = np.minimum((ring * _RINGS).astype(int), _RINGS - 1).ravel()
    count = np.bincount(number, minlength=_RINGS)
    values = lab.reshape(-1, 3) / 255.0
    mean = np.stack([np.bincount(number, v, _RINGS) / count for v in values.T])
    square = np.stack([np.bincount(number, v * v, _RINGS) / count for v in values.T])
    return np.concatenate([mean.ravel(), np.sqrt(np.maximum(square - mean**2, 0)).ravel()])


def _gradients(lightness: np.ndarray) -> np.ndarray:
    down, across = np.gradient(lightness.astype(np.float32))
    strength = np.hypot(down, across)
    direction = (np.arctan2(down, across) % np.pi) / np.pi * _DIRECTIONS
    place = np.arange(SIDE) // (SIDE // _CELLS)
    cell = place[:, None] * _CELLS + place[None, :]
    number = cell * _DIRECTIONS + np.minimum(direction.astype(int), _DIRECTIONS - 1)
    sums = np.bincount(number.ravel(), strength.ravel(), _CELLS * _CELLS * _DIRECTIONS)
    return np.sqrt(sums / (sums.sum() + 1.0))
