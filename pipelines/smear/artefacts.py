"""Smudge cells and what is no cell at all: stain deposits, dust, fibres, bubbles, crushed cells."""

from __future__ import annotations

import math

import numpy as np

from pipelines.smear import dyes as dye
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


def paint_smudge(
    dyes: np.ndarray, field: Field, middle: np.ndarray, rng: np.random.Generator
) -> None:
    """Paints a smudge cell: a burst nucleus, its chromatin drawn out, without a membrane.

    Args:
        dyes: The field's dyes, float64 ``(5, size, size)``; changed in place.
        field: The field.
        middle: (x, y) in micrometres.
        rng: The image's generator.
    """
    radius = 4.5 + 4.0 * rng.random()
    mask = Mask(field)
    mask.polygon(contour(middle, radius * 0.75, 1 + 0.6 * rng.random(), rng, 0.25))
    for _ in range(int(rng.integers(2, 6))):
        place = middle + 0.55 * radius * rng.standard_normal(2)
        mask.polygon(contour(place, radius * (0.2 + 0.35 * rng.random()), 1.6, rng, 0.3))
    _streaks(mask, middle, radius, rng)
    ragged = 0.15 + 0.25 * rng.random()
    shape = roughen(field, mask.alpha(), noise(field, COARSE, rng), ragged, 0.6)
    shape = field.blur(shape, 0.25 + 0.7 * rng.random())
    density = 0.3 + 0.35 * rng.random()
    texture = 1 + 0.12 * noise(field, MEDIUM, rng) + 0.12 * noise(field, COARSE, rng)
    texture = texture + 0.2 * noise(field, BROAD, rng)
    dye.cover(dyes, shape * 0.9)
    dyes[dye.CHROMATIN] += shape * density * np.maximum(texture, 0.1)
    dyes[dye.AZUROPHIL] += shape * (0.1 + 0.25 * rng.random()) * np.maximum(texture, 0.1)


def _streaks(mask: Mask, middle: np.ndarray, radius: float, rng: np.random.Generator) -> None:
    """Strands of chromatin, most in the direction in which the smear was drawn."""
    along = 2 * math.pi * rng.random()
    for _ in range(int(rng.integers(0, 9))):
        turn = along + 0.5 * rng.standard_normal() + math.pi * int(rng.integers(0, 2))
        direction = np.array((math.cos(turn), math.sin(turn)))
        start = middle + 0.4 * radius * rng.standard_normal(2)
        bow = start + direction * radius * 0.5 + 0.4 * rng.standard_normal(2)
        end = start + direction * radius * (0.7 + 0.6 * rng.random())
        mask.line(np.stack((start, bow, end)), 0.4 + 0.8 * rng.random())


def paint_artefact(
    dyes: np.ndarray, field: Field, middle: np.ndarray, rng: np.random.Generator
) -> None:
    """Paints one of the things that a slide scanner takes for a cell (arguments as above)."""
    kinds = (_deposit, _dust, _fibre, _bubble, _crushed, _blot)
    shares = (0.28, 0.16, 0.1, 0.1, 0.18, 0.18)
    kinds[int(rng.choice(len(kinds), p=shares))](dyes, field, middle, rng)


def _deposit(dyes: np.ndarray, field: Field, middle: np.ndarray, rng: np.random.Generator) -> None:
    """Precipitated stain: clusters of dark purple grains."""
    number = int(rng.integers(15, 140))
    spread = (1.0 + 3.5 * rng.random()) * (0.5 + rng.random(2))
    points = middle + spread * rng.standard_normal((number, 2))
    sizes = 0.15 + 0.5 * rng.random(number) ** 2
    mask = field.blur(Mask(field).discs(points, sizes, 120 + 135 * rng.random(number)).alpha(), 0.1)
    dyes[dye.CHROMATIN] += mask * (0.8 + 0.6 * rng.random())
    dyes[dye.AZUROPHIL] += mask * 0.6 * rng.random()


def _dust(dyes: np.ndarray, field: Field, middle: np.ndarray, rng: np.random.Generator) -> None:
    """A particle, dark brown to black, with a sharp corner or two and a bright fringe."""
    corners = int(rng.integers(4, 9))
    outline = contour(middle, 1.2 + 3.5 * rng.random(), 1 + rng.random(), rng, 0.4, points=corners)
    mask = roughen(field, Mask(field).polygon(outline).alpha(), noise(field, MEDIUM, rng), 0.1, 0.2)
    dyes *= 1 - 0.7 * np.clip(field.blur(mask, 0.7) * 2, 0, 1)
    grain = 1 + 0.3 * noise(field, COARSE, rng)
    for number, amount in ((dye.CHROMATIN, 0.7), (dye.EOSIN, 0.9), (dye.AZURE, 0.5)):
        dyes[number] += mask * amount * (0.4 + 0.8 * rng.random()) * np.maximum(grain, 0.1)


def _fibre(dyes: np.ndarray, field: Field, middle: np.ndarray, rng: np.random.Generator) -> None:
    """A thread of cloth or a scratch that crosses the field."""
    turn = 2 * math.pi * rng.random()
    steps = np.linspace(-0.7, 0.7, 24)
    heading = turn + (2.5 * rng.random() - 1.25) * steps
    points = np.cumsum(np.stack((np.cos(heading), np.sin(heading)), axis=1), axis=0)
    points = (points - points.mean(axis=0)) * (field.width * (0.5 + 0.7 * rng.random()) / 24)
    width = 0.4 + 1.4 * rng.random()
    mask = field.blur(Mask(field).line(points + middle, width).alpha(), 0.2)
    core = field.blur(Mask(field).line(points + middle, width * 0.4).alpha(), 0.15)
    dyes *= 1 - 0.8 * core
    dyes[dye.AZURE] += (mask - 0.5 * core) * (0.3 + 0.9 * rng.random())
    dyes[dye.CHROMATIN] += (mask - 0.5 * core) * 0.6 * rng.random()


def _bubble(dyes: np.ndarray, field: Field, middle: np.ndarray, rng: np.random.Generator) -> None:
    """A bubble or drop of oil: a dark ring around a bright middle."""
    radius = 2.0 + 5.0 * rng.random()
    outer = Mask(field).polygon(contour(middle, radius, 1 + 0.2 * rng.random(), rng, 0.03)).alpha()
    inner = field.blur(outer, 0.4 + 0.4 * rng.random())
    ring = np.clip(outer * (1 - inner) * 3, 0, 1)
    dyes *= 1 - (0.4 + 0.5 * rng.random()) * outer
    for number in (dye.AZURE, dye.HAEMOGLOBIN):
        dyes[number] += ring * (0.5 + 1.2 * rng.random())


def _crushed(dyes: np.ndarray, field: Field, middle: np.ndarray, rng: np.random.Generator) -> None:
    """A shrunken, dying cell: dense drops of chromatin in pale cytoplasm."""
    radius = 3.0 + 3.5 * rng.random()
    outline = contour(middle, radius, 1 + 0.5 * rng.random(), rng, 0.2)
    body = roughen(field, Mask(field).polygon(outline).alpha(), noise(field, COARSE, rng), 0.3, 0.4)
    number = int(rng.integers(2, 8))
    points = middle + 0.5 * radius * rng.standard_normal((number, 2))
    drops = Mask(field).discs(points, radius * (0.12 + 0.3 * rng.random(number))).alpha()
    drops = field.blur(drops, 0.15 + 0.3 * rng.random())
    dye.cover(dyes, body)
    dyes[dye.AZURE] += body * 0.4 * rng.random()
    dyes[dye.EOSIN] += body * 0.3 * rng.random()
    dye.cover(dyes, drops)
    dyes[dye.CHROMATIN] += drops * (0.9 + 0.5 * rng.random())


def _blot(dyes: np.ndarray, field: Field, middle: np.ndarray, rng: np.random.Generator) -> None:
    """A blot of stain or dried protein without structure, of any dye."""
    outline = contour(middle, 2.5 + 5.5 * rng.random(), 1 + rng.random(), rng, 0.3)
    ragged = 0.4 * rng.random()
    mask = roughen(field, Mask(field).polygon(outline).alpha(), noise(field, BROAD, rng), ragged, 1)
    mask = field.blur(mask, 0.2 + 0.9 * rng.random())
    texture = 1 + 0.3 * noise(field, BROAD, rng) + 0.15 * noise(field, FINE, rng)
    amounts = rng.dirichlet(np.ones(dye.NUMBER)) * (0.5 + 0.7 * rng.random())
    dyes += mask * np.maximum(texture, 0.1) * amounts[:, None, None]
