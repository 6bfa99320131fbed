"""What lies behind and beside the cell: red cells, small thrombocytes, the plasma's tint."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pipelines.smear import dyes as dye
from pipelines.smear.shapes import BROAD, Field, noise
from pipelines.smear.thrombocytes import paint_thrombocytes

_TRIES = 3  # places tried for every red cell wanted


@dataclass(frozen=True)
class Blood:
    """A slide's red cells.

    Attributes:
        number: Red cells in a field of 25.6 micrometres, on average.
        diameter: Micrometres.
        spread: Relative standard deviation of the diameter (anisocytosis).
        pallor: Depth of the central pallor, 0..1.
        oval: Greatest elongation above 1.
    """

    number: float
    diameter: float
    spread: float
    pallor: float
    oval: float


def paint_background(
    dyes: np.ndarray, field: Field, blood: Blood, middle: np.ndarray, free: float,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    """Paints everything but the cell of interest.

    Args:
        dyes: The field's dyes, float64 ``(5, size, size)``; changed in place.
        field: The field.
        blood: The slide's red cells.
        middle: (x, y) of the cell of interest in micrometres.
        free: Radius around it that red cells leave free; they may touch it.
        rng: The image's generator.
    """
    tint = 1 + 0.3 * noise(field, BROAD, rng)
    dyes[dye.EOSIN] += 0.015 * tint
    dyes[dye.AZURE] += 0.012 * tint
    for x, y, radius in _places(field, blood, middle, free, rng):
        _red_cell(dyes, field, blood, (x, y), radius, rng)
    number = int(rng.poisson(0.6))
    if number:
        centres = field.width * rng.random((number, 2))
        apart = np.sqrt(((centres - middle) ** 2).sum(axis=1))
        centres = centres[apart > free + 2]
        if len(centres):
            paint_thrombocytes(dyes, field, centres, 1.6 + 1.4 * rng.random(len(centres)), rng)


def _places(
    field: Field, blood: Blood, middle: np.ndarray, free: float, rng: np.random.Generator
) -> list[tuple[float, float, float]]:
    """Centres and radii of red cells that keep some distance from each other and the cell."""
    margin = 4.0
    area = ((field.width + 2 * margin) / 25.6) ** 2
    number = int(rng.poisson(blood.number * area))
    tries = rng.random((_TRIES * number, 2)) * (field.width + 2 * margin) - margin
    radii = (
        blood.diameter
        / 2
        * np.clip(1 + blood.spread * rng.standard_normal(_TRIES * number), 0.6, 1.5)
    )
    overlap = 0.8 + 0.25 * rng.random()
    placed: list[tuple[float, float, float]] = []
    for (x, y), radius in zip(tries.tolist(), radii.tolist()):
        if len(placed) == number:
            break
        if math.hypot(x - middle[0], y - middle[1]) < free + 0.9 * radius:
            continue
        near = (math.hypot(x - a, y - b) < overlap * (radius + r) for a, b, r in placed)
        if not any(near):
            placed.append((x, y, radius))
    return placed


def _red_cell(
    dyes: np.ndarray, field: Field, blood: Blood, place: tuple[float, float], radius: float,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    """Adds one red cell; where two overlap, light passes both.

    The thickness follows Evans and Fung 1972 (Microvascular Research 4:335), flattened because
    cells on a smear are dry: sqrt(1 - r^2) * (c0 + c1 r^2 + c2 r^4).
    """
    elongation, turn, pallor, amount = rng.random(4)
    stretch = math.sqrt(1 + blood.oval * elongation**2)
    reach = radius * stretch + 0.5
    x0, x1, y0, y1 = _window(field, place, reach)
    if x0 >= x1 or y0 >= y1:
        return
    y, x = field.grid()
    x, y = x[:, x0:x1] - place[0], y[y0:y1] - place[1]
    cosine, sine = math.cos(math.pi * turn), math.sin(math.pi * turn)
    along = (x * cosine + y * sine) / (radius * stretch)
    across = (y * cosine - x * sine) * (stretch / radius)
    squares = along * along + across * across
    edge = np.clip((1 - np.sqrt(squares)) * radius * field.scale + 0.5, 0, 1)
    inside = np.minimum(squares, 1)
    depth = blood.pallor * (0.7 + 0.5 * pallor)
    disc = 0.75 + 0.25 * np.sqrt(1 - inside)
    dip = np.maximum(1 - inside / 0.5, 0)
    thickness = disc * (1 - depth * dip * dip * (3 - 2 * dip))
    dyes[dye.HAEMOGLOBIN, y0:y1, x0:x1] += edge * thickness * (0.8 + 0.3 * amount)


def _window(field: Field, place: tuple[float, float], reach: float) -> tuple[int, int, int, int]:
    """First and last columns and rows that a disc touches."""
    edges = []
    for middle in place:
        edges.append(max(0, math.floor((middle - reach) * field.scale)))
        edges.append(min(field.size, math.ceil((middle + reach) * field.scale)))
    return edges[0], edges[1], edges[2], edges[3]
