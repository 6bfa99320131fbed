"""Masks of shapes given in micrometres.

Shapes are filled by OpenCV in whole numbers on a finer grid and averaged down, so that edges are
smooth and the result is the same on every processor. Floating-point work is double precision:
what rounding may differ between processors is far below one grey level.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from pipelines.smear.draw import TEXTURE, generator

_FINE_GRID = 384  # pixels; images smaller than this are drawn finer and averaged
_SHIFT = 4  # binary places of OpenCV's fixed-point coordinates
_BANK = 512  # pixels of a texture's side

FINE, MEDIUM, COARSE, BROAD = range(4)
TEXTURE_SIGMAS = (0.13, 0.26, 0.48, 1.6)
"""Standard deviations (micrometres) of the Gaussians that make the four textures of noise."""


@dataclass(frozen=True)
class Field:
    """A square field of view.

    Attributes:
        size: Height and width in pixels.
        width: Height and width in micrometres; (0, 0) is the upper left corner.
    """

    size: int
    width: float

    @property
    def scale(self) -> float:
        """Pixels a micrometre."""
        return self.size / self.width

    @property
    def fine(self) -> int:
        """Grid points a pixel at which shapes are filled."""
        return max(1, min(4, _FINE_GRID // self.size))

    def grid(self) -> tuple[np.ndarray, np.ndarray]:
        """Coordinates of the pixels' centres: y ``(size, 1)`` and x ``(1, size)``, micrometres."""
        places = (np.arange(self.size) + 0.5) / self.scale
        return places[:, None], places[None, :]

    def blur(self, values: np.ndarray, sigma: float) -> np.ndarray:
        """Gaussian blur with `sigma` in micrometres (at least a tenth of a pixel)."""
        sigma = max(0.1, sigma * self.scale)
        return cv2.GaussianBlur(values, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101)


class Mask:
    """A mask being filled; `alpha` gives it as shares of pixels, 0..1."""

    def __init__(self, field: Field) -> None:
        self._field = field
        self._grid = np.zeros((field.size * field.fine, field.size * field.fine), np.uint8)

    def _fixed(self, points: np.ndarray) -> np.ndarray:
        scale = self._field.scale * self._field.fine
        return np.rint((points * scale - 0.5) * (1 << _SHIFT)).astype(np.int32)

    def polygon(self, points: np.ndarray, level: int = 255) -> Mask:
        """Fills a polygon given as ``(n, 2)`` points (x, y) in micrometres."""
        cv2.fillPoly(self._grid, [self._fixed(points)], level, shift=_SHIFT)
        return self

    def discs(
        self, centres: np.ndarray, radii: np.ndarray, levels: np.ndarray | None = None
    ) -> Mask:
        """Fills discs: centres ``(n, 2)`` (x, y) and radii ``(n,)``; levels 0..255."""
        scale = self._field.scale * self._field.fine * (1 << _SHIFT)
        sizes = np.maximum(np.rint(np.asarray(radii) * scale), 1).astype(int).tolist()
        depths = [255] * len(sizes) if levels is None else np.rint(levels).astype(int).tolist()
        for (x, y), radius, level in zip(self._fixed(centres).tolist(), sizes, depths):
            cv2.circle(self._grid, (x, y), radius, level, cv2.FILLED, cv2.LINE_8, _SHIFT)
        return self

    def line(self, points: np.ndarray, width: float, level: int = 255) -> Mask:
        """Draws an open line through ``(n, 2)`` points, `width` in micrometres."""
        thickness = max(1, round(width * self._field.scale * self._field.fine))
        cv2.polylines(
            self._grid, [self._fixed(points)], False, level, thickness, cv2.LINE_8, _SHIFT
        )
        return self

    def alpha(self) -> np.ndarray:
        """The mask as float64 ``(size, size)`` in 0..1."""
        size = (self._field.size, self._field.size)
        small = cv2.resize(self._grid, size, interpolation=cv2.INTER_AREA)
        return small * (1 / 255)


@lru_cache(maxsize=16)
def _bank(size: int, width: float) -> tuple[np.ndarray, ...]:
    """Periodic noise of each of `TEXTURE_SIGMAS`: mean 0, variance 1, float64."""
    side = max(_BANK, 2 * size)
    frequencies = np.fft.fftfreq(side)
    squares = frequencies[:, None] ** 2 + frequencies[None, :] ** 2
    white = generator(0, TEXTURE).standard_normal((len(TEXTURE_SIGMAS), side, side))
    textures = []
    for noise, sigma in zip(white, TEXTURE_SIGMAS):
        filtered = np.fft.fft2(noise) * np.exp(-2 * (np.pi * sigma * size / width) ** 2 * squares)
        texture = np.fft.ifft2(filtered).real
        # Rounded, so that the last bits of a processor's transform do not matter.
        textures.append(np.round((texture - texture.mean()) / texture.std(), 6))
    return tuple(textures)


def noise(field: Field, kind: int, rng: np.random.Generator) -> np.ndarray:
    """A random part of one of the textures, float64 ``(size, size)``, mean 0, variance 1.

    Args:
        field: The field.
        kind: `FINE`, `MEDIUM`, `COARSE` or `BROAD`.
        rng: Chooses the part.
    """
    bank = _bank(field.size, field.width)[kind]
    y, x = rng.integers(0, len(bank) - field.size, 2)
    return bank[y : y + field.size, x : x + field.size]


def contour(
    centre: np.ndarray, radius: float, elongation: float, rng: np.random.Generator,
    roughness: float = 0.0, points: int = 48,
) -> np.ndarray:  # fmt: skip
    """A closed outline, roughly elliptic.

    Args:
        centre: (x, y) in micrometres.
        radius: Of the circle of equal area.
        elongation: Long axis by short axis, at least 1.
        rng: Draws direction and waves.
        roughness: Relative amplitude of the waves (2 to 6 around the outline).
        points: How many corners.

    Returns:
        float64 ``(points, 2)`` in micrometres.
    """
    cosines, sines = _circle(points)
    reach = np.ones(points)
    if roughness:
        steps = np.arange(points)
        for wave, phase, size in zip((2, 3, 4, 5, 6), rng.integers(0, points, 5), rng.random(5)):
            reach += roughness * (2 * size / wave) * cosines[(wave * steps + phase) % points]
    stretch = math.sqrt(elongation)
    turn = rng.random() * 2 * math.pi
    x, y = radius * stretch * reach * cosines, radius / stretch * reach * sines
    cosine, sine = math.cos(turn), math.sin(turn)
    return np.stack((x * cosine - y * sine + centre[0], x * sine + y * cosine + centre[1]), axis=1)


@lru_cache(maxsize=16)
def _circle(points: int) -> tuple[np.ndarray, np.ndarray]:
    angles = np.arange(points) * (2 * np.pi / points)
    return np.round(np.cos(angles), 12), np.round(np.sin(angles), 12)


def roughen(
    field: Field, alpha: np.ndarray, texture: np.ndarray, amount: float, smooth: float
) -> np.ndarray:
    """Gives a mask an irregular, soft outline: blurred, plus noise, cut at one half.

    Args:
        field: The field.
        alpha: Mask 0..1.
        texture: Noise of variance 1, as the mask.
        amount: Standard deviation of the noise against a mask of 0..1; 0.1 is a slight, 0.3 a
            ragged outline.
        smooth: Blur of the mask in micrometres: corners of this size are rounded off.
    """
    soft = field.blur(alpha, smooth)
    # A blurred straight edge rises by 1 / (sigma * sqrt(2 pi)) a pixel: made one pixel wide again.
    slope = max(1.0, smooth * field.scale * 2.5) * 0.8
    # Noise counts where the edge is only: deep inside and far outside it must not make holes.
    return np.clip((soft - 0.5 + amount * texture * (4 * soft * (1 - soft))) * slope + 0.5, 0, 1)
