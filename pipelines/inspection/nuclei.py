"""Nuclei in an image: how many, how large, how far apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_SIDE = 128
_SMALLEST = 0.002


@dataclass(frozen=True)
class Nuclei:
    """The largest nucleus-coloured areas of an image.

    Args:
        first: Area of the largest, as a fraction of the image; 0 if there is none.
        second: The same of the next.
        gap: Smallest distance between the two as a fraction of the longer side; 0 if there are
            not two.
    """

    first: float
    second: float
    gap: float


def find_nuclei(image: np.ndarray, purple: float, darker: float, joining: float) -> Nuclei:
    """Finds areas of the colour of nuclei.

    In Romanowsky stains nuclei are purple: blue is far above green. Red cells and the ground are
    not, whatever the white balance. Otsu's threshold (1979) divides that difference. Blue
    cytoplasm is divided off by a second threshold, in green, where there is much to divide. Gaps
    between the lobes of a nucleus are closed, and what hangs together is counted.

    Args:
        image: uint8 ``(height, width, 3)``, red, green, blue.
        purple: Least threshold of blue over green, in pixel values.
        darker: Least difference in green between nucleus and cytoplasm, in pixel values.
        joining: Diameter of the gaps that are closed, as a fraction of the longer side.
    """
    import cv2

    scale = _SIDE / max(image.shape[:2])
    height, width = (max(1, round(length * scale)) for length in image.shape[:2])
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    excess = cv2.medianBlur(cv2.subtract(small[..., 2], small[..., 1]), 3)  # clipped at 0
    mask = excess > max(_otsu(excess), purple)
    green = cv2.medianBlur(np.ascontiguousarray(small[..., 1]), 3)
    if mask.any():
        inside = green[mask]
        dark = inside <= _otsu(inside.reshape(-1, 1))
        if 0 < dark.sum() < len(dark) and inside[~dark].mean() - inside[dark].mean() >= darker:
            mask &= green <= inside[dark].max()
    closed = _close(mask.astype(np.uint8), 2 * round(joining * _SIDE / 2) + 1)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(closed, connectivity=8)
    return _two_largest(labels, stats[1:, cv2.CC_STAT_AREA] / closed.size)


def _otsu(values: np.ndarray) -> float:
    import cv2

    return float(cv2.threshold(values, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[0])


def _close(mask: np.ndarray, diameter: int) -> np.ndarray:
    """Closes gaps up to `diameter` pixels, as if the image went on empty beyond its border."""
    import cv2

    brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (diameter, diameter))
    wide = np.pad(mask, diameter)
    wide = cv2.morphologyEx(wide, cv2.MORPH_CLOSE, brush)
    return np.ascontiguousarray(wide[diameter:-diameter, diameter:-diameter])


def _two_largest(labels: np.ndarray, areas: np.ndarray) -> Nuclei:
    import cv2

    order = np.argsort(-areas, kind="stable")[:2]
    order = order[areas[order] >= _SMALLEST]
    if len(order) < 2:
        return Nuclei(float(areas[order[0]]) if len(order) else 0.0, 0.0, 0.0)
    outside = (labels != order[0] + 1).astype(np.uint8)
    distance = cv2.distanceTransform(outside, cv2.DIST_L2, 5)
    gap = float(distance[labels == order[1] + 1].min()) / max(labels.shape)
    return Nuclei(float(areas[order[0]]), float(areas[order[1]]), gap)
