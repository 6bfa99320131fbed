"""Thrombocytes: large, giant, clumped, and the small ones in the background."""

from __future__ import annotations

import numpy as np

from pipelines.smear import dyes as dye
from pipelines.smear.shapes import COARSE, FINE, MEDIUM, Field, Mask, contour, noise, roughen


def paint_thrombocytes(
    dyes: np.ndarray, field: Field, centres: np.ndarray, diameters: np.ndarray,
    rng: np.random.Generator, roughness: float = 0.12,
) -> None:  # fmt: skip
    """Paints thrombocytes: pale blue hyalomere, purple granules gathered towards the middle.

    Args:
        dyes: The field's dyes, float64 ``(5, size, size)``; changed in place.
        field: The field.
        centres: ``(n, 2)`` (x, y) in micrometres.
        diameters: ``(n,)`` in micrometres.
        rng: The image's generator.
        roughness: Of the outlines.
    """
    bodies, middles = Mask(field), Mask(field)
    for centre, diameter in zip(centres, diameters):
        elongation = 1 + 0.5 * rng.random() ** 2
        bodies.polygon(contour(centre, diameter / 2, elongation, rng, roughness, points=24))
        inner = 0.55 + 0.3 * rng.random()
        middles.polygon(contour(centre, diameter / 2 * inner, elongation, rng, 0.15, points=24))
    body = roughen(field, bodies.alpha(), noise(field, MEDIUM, rng), 0.12, 0.2)
    middle = field.blur(middles.alpha(), 0.35) * body
    granules = np.clip(
        0.6 + 0.35 * noise(field, FINE, rng) + 0.35 * noise(field, MEDIUM, rng), 0, 2
    )
    strength = 0.75 + 0.5 * rng.random()
    dye.cover(dyes, body)
    dyes[dye.AZURE] += body * (0.14 + 0.12 * rng.random() + 0.04 * noise(field, COARSE, rng))
    dyes[dye.EOSIN] += body * 0.05
    dyes[dye.AZUROPHIL] += body * strength * (0.15 + 0.75 * middle) * granules
    dyes[dye.CHROMATIN] += middle * strength * 0.3 * granules


def clump(
    middle: np.ndarray, number: int, diameters: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Centres of thrombocytes that stick together, each to one before it.

    Args:
        middle: (x, y) of the clump in micrometres.
        number: How many.
        diameters: ``(number,)`` in micrometres.
        rng: The image's generator.

    Returns:
        float64 ``(number, 2)``, their mean at `middle`.
    """
    centres = np.zeros((number, 2))
    for place in range(1, number):
        other = int(rng.integers(max(0, place - 8), place))
        direction = rng.standard_normal(2)
        direction /= np.sqrt((direction**2).sum()) + 1e-9
        apart = 0.4 * (diameters[place] + diameters[other])
        centres[place] = centres[other] + apart * direction
    return centres - centres.mean(axis=0) + middle
