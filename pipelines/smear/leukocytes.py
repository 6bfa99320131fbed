"""White blood cells and erythroblasts, drawn from their morphology."""

from __future__ import annotations

import math

import numpy as np

from pipelines.smear import dyes as dye
from pipelines.smear.morphology import Cell
from pipelines.smear.shapes import (
    BROAD,
    COARSE,
    FINE,
    MEDIUM,
    Field,
    Mask,
    contour,
    noise,
    roughen,
)

_SPINE_POINTS = 28
_THREAD = 0.35  # micrometres: the filament between two lobes


def paint_leukocyte(
    dyes: np.ndarray, field: Field, cell: Cell, centre: np.ndarray, rng: np.random.Generator
) -> None:
    """Paints one cell over a field.

    Args:
        dyes: The field's dyes, float64 ``(5, size, size)``; changed in place.
        field: The field.
        cell: The cell's numbers.
        centre: (x, y) of the cell in micrometres.
        rng: The image's generator.
    """
    body = _body(field, cell, centre, rng)
    place, direction = _nucleus_place(cell, centre, rng)
    nucleus = np.minimum(_nucleus(field, cell, place, centre, rng), body)
    dye.cover(dyes, body)
    _cytoplasm(dyes, field, cell, body, place, direction, rng)
    _granules(dyes, field, cell, body, centre, rng)
    _chromatin(dyes, field, cell, nucleus, place, rng)
    _granules_on_top(dyes, field, cell, body, centre, rng)


def _body(field: Field, cell: Cell, centre: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    outline = contour(centre, cell.diameter / 2, cell.elongation, rng, cell.outline)
    mask = Mask(field).polygon(outline)
    if cell.hairs < 1:
        return roughen(field, mask.alpha(), noise(field, COARSE, rng), 2 * cell.outline, 0.3)
    body = roughen(field, mask.alpha(), noise(field, COARSE, rng), 3 * cell.outline, 0.4)
    return np.maximum(body, _hairs(field, cell, outline, centre, rng))


def _hairs(
    field: Field, cell: Cell, outline: np.ndarray, centre: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Tapering projections that stand around the outline."""
    mask = Mask(field)
    number = round(cell.hairs)
    feet = outline[rng.integers(0, len(outline), number)]
    outward = feet - centre
    outward /= np.sqrt((outward**2).sum(axis=1, keepdims=True))
    across = outward[:, ::-1] * (-1, 1)
    # One side of a cell often has more of them.
    side = rng.standard_normal(2)
    favour = 0.7 + 0.3 * np.clip(outward @ side, -1.5, 1.5)
    lengths = cell.hair_length * (0.25 + 1.0 * rng.random(number)) * favour
    lean = 0.7 * rng.standard_normal(number)
    widths = 0.15 + 0.55 * rng.random(number) ** 2
    tips = feet + outward * lengths[:, None] + across * (lean * lengths)[:, None]
    inner = feet - 0.5 * outward
    levels = 110 + 145 * rng.random(number)
    for first, second, tip, level in zip(
        inner + across * widths[:, None], inner - across * widths[:, None], tips, levels
    ):
        # A blunt tip: a hair narrower than a grid point would vanish.
        aside = 0.2 * (first - second)
        mask.polygon(np.stack((first, tip + aside, tip - aside, second)), int(level))
    return field.blur(mask.alpha(), 0.1)


def _nucleus_place(
    cell: Cell, centre: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Where the nucleus lies, and the direction from the cell's centre to it."""
    turn = 2 * math.pi * rng.random()
    direction = np.array((math.cos(turn), math.sin(turn)))
    room = cell.diameter / 2 * (1 - min(cell.nucleus, 1.0)) * 0.9
    return centre + direction * (cell.offset * room), direction


def _spine(
    cell: Cell, place: np.ndarray, centre: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, float]:
    """Points along the middle of the nucleus, and half its thickness in micrometres."""
    radius = cell.nucleus * cell.diameter / 2
    # Lobes lie one beside the other, so that a lobed nucleus is as long as its lobes.
    lobed = cell.constriction if cell.lobes >= 1.5 else 0.0
    stretch = cell.stretch + lobed * max(0.0, 1.65 * round(cell.lobes) - cell.stretch)
    half = radius * math.sqrt(math.pi / (4 * stretch + math.pi))
    steps = np.linspace(-0.5, 0.5, _SPINE_POINTS)
    wiggle = 0.22 * min(stretch, 2.0) * rng.standard_normal()
    heading = 2 * math.pi * rng.random() + cell.bend * steps
    heading += wiggle * np.sin(2 * np.pi * (steps + rng.random()))
    length = 2 * half * stretch
    points = np.cumsum(np.stack((np.cos(heading), np.sin(heading)), axis=1), axis=0)
    points = (points - points.mean(axis=0)) * (length / _SPINE_POINTS)
    # A long ribbon is folded up until it fits the cell.
    reach = max(math.sqrt((points**2).sum(axis=1).max()), 1e-9)
    room = max(cell.diameter / 2 * 0.94 - half, 0.2)
    shrink = min(1.0, room / reach)
    points = points * shrink + place
    half *= 1 - lobed * (1 - shrink)
    outside = points - centre
    distance = np.sqrt((outside**2).sum(axis=1)).max()
    if distance > room:
        points = points + (centre - points.mean(axis=0)) * min(1.0, (distance - room) / distance)
    return points, half


def _nucleus(
    field: Field, cell: Cell, place: np.ndarray, centre: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    points, half = _spine(cell, place, centre, rng)
    lobes = max(1, round(cell.lobes))
    beads = np.abs(np.sin(np.pi * lobes * (np.arange(_SPINE_POINTS) + 0.5) / _SPINE_POINTS))
    constriction = cell.constriction if lobes > 1 else 0.3 * cell.constriction
    profile = 1 - constriction * (1 - beads**1.3)
    if lobes > 1:
        # Lobes differ in size; what the threads take away the lobes get.
        sizes = 1 + 0.15 * constriction * rng.standard_normal(lobes)
        profile *= np.repeat(sizes, -(-_SPINE_POINTS // lobes))[:_SPINE_POINTS]
        profile *= 1 + 0.42 * constriction
    mask = Mask(field).discs(points, half * profile)
    smooth = 0.35 - 0.25 * constriction
    nucleus = roughen(field, mask.alpha(), noise(field, COARSE, rng), cell.nucleus_outline, smooth)
    if constriction > 0.4:
        thread = Mask(field).line(points, _THREAD).alpha()
        nucleus = np.maximum(nucleus, field.blur(thread, 0.08))
    return nucleus


def _cytoplasm(
    dyes: np.ndarray, field: Field, cell: Cell, body: np.ndarray,
    place: np.ndarray, direction: np.ndarray, rng: np.random.Generator,
) -> None:  # fmt: skip
    texture = 0.6 * noise(field, MEDIUM, rng) + 0.8 * noise(field, COARSE, rng)
    texture = 1 + cell.mottle * (texture + 0.6 * noise(field, BROAD, rng))
    # Thinner towards the membrane, except where ribonucleic acid gathers at it.
    depth = field.blur(body, 0.9)
    azure = cell.azure * texture * (1 + 2 * cell.rim * np.clip(1 - depth, 0, 0.5))
    if cell.halo > 0.02:
        azure = azure * (1 - cell.halo * _golgi(field, cell, place, direction))
    fine = 1 + cell.dust * noise(field, FINE, rng)
    dyes[dye.AZURE] += body * np.maximum(azure, 0)
    dyes[dye.EOSIN] += body * np.maximum(cell.eosin * texture * fine, 0)
    dyes[dye.AZUROPHIL] += body * np.maximum(cell.dust * (0.25 + 0.45 * (fine - 1)), 0)
    if cell.haemoglobin > 0:
        dyes[dye.HAEMOGLOBIN] += body * cell.haemoglobin * (0.6 + 0.4 * depth)
    if cell.vacuoles >= 1:
        dyes *= 1 - 0.85 * body * _vacuoles(field, cell, place, rng)


def _golgi(field: Field, cell: Cell, place: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """The pale zone, 0..1: beside the nucleus, on the side of the cell's middle."""
    y, x = field.grid()
    zone = place - direction * (cell.nucleus * cell.diameter / 2 + 0.3)
    squares = (x - zone[0]) ** 2 + (y - zone[1]) ** 2
    return 1 / (1 + (squares / (0.2 * cell.diameter) ** 2) ** 2)


def _within(radius: float, number: int, rng: np.random.Generator) -> np.ndarray:
    """Points spread evenly over a disc around 0, ``(number, 2)``."""
    turns, squares = rng.random((2, number))
    reach = radius * np.sqrt(squares)
    return np.stack((reach * np.cos(2 * np.pi * turns), reach * np.sin(2 * np.pi * turns)), axis=1)


def _vacuoles(field: Field, cell: Cell, place: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    number = round(cell.vacuoles)
    points = place + _within(cell.diameter * 0.55, number, rng)
    return field.blur(Mask(field).discs(points, 0.25 + 0.55 * rng.random(number)).alpha(), 0.08)


def _granules(
    dyes: np.ndarray, field: Field, cell: Cell, body: np.ndarray, centre: np.ndarray,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    """Granules that the nucleus hides: the eosinophilic ones."""
    number = round(cell.eosinophils)
    if number < 1:
        return
    points = centre + _within(cell.diameter * 0.48, number, rng)
    sizes = 0.26 + 0.2 * rng.random(number)
    mask = Mask(field).discs(points, sizes, 140 + 115 * rng.random(number)).alpha() * body
    dyes[dye.AZURE] *= 1 - 0.7 * mask
    dyes[dye.EOSIN] += 0.62 * mask
    dyes[dye.AZUROPHIL] += 0.06 * mask


def _chromatin(
    dyes: np.ndarray, field: Field, cell: Cell, nucleus: np.ndarray, place: np.ndarray,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    if cell.nucleus < 0.05:
        return
    grain = min(max(cell.grain, 0.0), 2.0)
    kind = min(int(grain), 1)
    share = grain - kind
    texture = (1 - share) * noise(field, kind, rng) + share * noise(field, kind + 1, rng)
    # Clumps stand out of a ground that is even: no bright holes.
    texture = np.maximum(texture, -1.0)
    # Heterochromatin lies at the membrane: a slightly denser border.
    border = np.clip(2 * nucleus - 2 * field.blur(nucleus, 0.5), 0, 1)
    density = cell.chromatin * (1 + 1.2 * cell.clumping * texture + 0.35 * border)
    density += 0.08 * cell.chromatin * noise(field, BROAD, rng)
    radius = cell.nucleus * cell.diameter / 2
    if cell.folds >= 1:
        density = density * (1 + 0.35 * _folds(field, cell, place, radius, rng))
    blue: float | np.ndarray = 0.12
    if cell.nucleoli >= 0.5:
        number = max(1, round(cell.nucleoli))
        points = place + _within(radius * 0.7, number, rng)
        spots = Mask(field).discs(points, 0.5 + 0.7 * rng.random(number)).alpha()
        spots = field.blur(spots, 0.15)
        density = density * (1 - 0.5 * spots)
        blue = blue + 0.35 * spots
    dye.cover(dyes, nucleus)
    dyes[dye.CHROMATIN] += nucleus * np.maximum(density, 0.15)
    dyes[dye.AZURE] += nucleus * blue


def _folds(
    field: Field, cell: Cell, place: np.ndarray, radius: float, rng: np.random.Generator
) -> np.ndarray:
    mask = Mask(field)
    for _ in range(round(cell.folds)):
        ends = place + _within(radius, 3, rng)
        mask.line(ends, 0.35)
    return field.blur(mask.alpha(), 0.25)


def _granules_on_top(
    dyes: np.ndarray, field: Field, cell: Cell, body: np.ndarray, centre: np.ndarray,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    """Granules that lie over the nucleus as well: azurophilic and basophilic."""
    number = round(cell.azurophils)
    if number >= 1:
        points = centre + _within(cell.diameter * 0.46, number, rng)
        sizes = 0.13 + 0.16 * rng.random(number)
        mask = Mask(field).discs(points, sizes, 120 + 135 * rng.random(number)).alpha() * body
        dyes[dye.AZUROPHIL] += 0.9 * mask
    number = round(cell.basophils)
    if number >= 1:
        points = centre + _within(cell.diameter * 0.47, number, rng)
        sizes = 0.22 + 0.26 * rng.random(number)
        mask = Mask(field).discs(points, sizes, 150 + 105 * rng.random(number)).alpha() * body
        dyes *= 1 - 0.5 * mask
        dyes[dye.CHROMATIN] += 0.85 * mask
        dyes[dye.AZUROPHIL] += 0.35 * mask
        dyes[dye.AZURE] += 0.2 * mask
