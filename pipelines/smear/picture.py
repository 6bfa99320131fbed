"""One image: background, cell, stain, camera."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from pipelines.labels import HAL_CLASSES
from pipelines.smear import dyes as dye
from pipelines.smear.artefacts import paint_artefact, paint_smudge
from pipelines.smear.background import Blood, paint_background
from pipelines.smear.camera import photograph
from pipelines.smear.draw import CLONE, IMAGE, SLIDE, generator
from pipelines.smear.leukocytes import paint_leukocyte
from pipelines.smear.morphology import KNOBS, LARGE_AND_GIANT, LEUKOCYTES, THROMBOCYTES, draw_cell
from pipelines.smear.settings import CameraSettings, SmearSettings
from pipelines.smear.shapes import Field
from pipelines.smear.slides import HAIRY, Image
from pipelines.smear.stain import slide_stain, transmit
from pipelines.smear.thrombocytes import clump, paint_thrombocytes

_KINDS = (*HAL_CLASSES, "lookalike")


@dataclass(frozen=True)
class _Scene:
    """What images of a slide have in common."""

    field: Field
    absorbance: np.ndarray
    blood: Blood
    camera: CameraSettings


def draw_image(settings: SmearSettings, image: Image) -> np.ndarray:
    """Draws one image; equal arguments give equal pixels.

    Args:
        settings: Of the data set.
        image: One of `pipelines.smear.slides.plan`.

    Returns:
        uint8 ``(size, size, 3)``, red, green, blue.
    """
    scene = _scene(settings, image.slide.number, image.slide.hospital, image.slide.database)
    rng = generator(settings.seed, IMAGE, image.number)
    field = scene.field
    middle = field.width / 2 + 0.6 * rng.standard_normal(2)
    dyes = dye.empty(field.size)
    _paint(dyes, scene, settings, image, middle, rng)
    light = transmit(dyes, scene.absorbance, settings.stain.image_strength, rng)
    return photograph(light, field, scene.camera, rng)


@lru_cache(maxsize=256)
def _scene(settings: SmearSettings, slide: int, hospital: int, database: str) -> _Scene:
    camera = settings.hairy_camera if database == HAIRY else settings.wbc_camera
    rng = generator(settings.seed, SLIDE, slide, 1)
    low, high = settings.slides.minimum_red_cells, settings.slides.maximum_red_cells
    blood = Blood(
        number=low + (high - low) * rng.random(),
        diameter=7.2 + 0.25 * rng.standard_normal(),
        spread=0.04 + 0.06 * rng.random(),
        pallor=0.35 + 0.45 * rng.random(),
        oval=0.15 + 0.35 * rng.random(),
    )
    field = Field(settings.size, settings.micrometres / camera.magnification)
    return _Scene(field, slide_stain(settings, hospital, slide), blood, camera)


def _paint(
    dyes: np.ndarray, scene: _Scene, settings: SmearSettings, image: Image, middle: np.ndarray,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    kind, field = image.kind, scene.field
    if kind in LEUKOCYTES:
        noise = settings.labels.continuum_noise
        clone = _clone(settings.seed, image.slide.number, _KINDS.index(kind))
        cell = draw_cell(kind, rng, clone, settings.slides.patient, noise)
        paint_background(dyes, field, scene.blood, middle, cell.diameter / 2, rng)
        _second_cell(dyes, scene, settings.slides.second_cell, middle, rng)
        paint_leukocyte(dyes, field, cell, middle, rng)
    elif kind in THROMBOCYTES:
        _thrombocytes(dyes, scene, settings, kind, middle, rng)
    else:
        paint = paint_smudge if kind == "smudge_cell" else paint_artefact
        paint_background(dyes, field, scene.blood, middle, 1.0 + 4.5 * rng.random(), rng)
        paint(dyes, field, middle, rng)


@lru_cache(maxsize=4096)
def _clone(seed: int, slide: int, kind: int) -> np.ndarray:
    """The patient's own look of a kind of cell."""
    return generator(seed, CLONE, slide, kind).standard_normal(len(KNOBS))


def _second_cell(
    dyes: np.ndarray, scene: _Scene, share: float, middle: np.ndarray, rng: np.random.Generator
) -> None:
    if rng.random() >= share:
        return
    kind = ("segmented_neutrophil", "lymphocyte")[int(rng.integers(2))]
    cell = draw_cell(kind, rng, np.zeros(len(KNOBS)), 0.0, 0.0)
    direction = rng.standard_normal(2)
    direction /= np.sqrt((direction**2).sum()) + 1e-9
    away = scene.field.width * (0.5 + 0.1 * rng.random())
    paint_leukocyte(dyes, scene.field, cell, middle + away * direction, rng)


def _thrombocytes(
    dyes: np.ndarray, scene: _Scene, settings: SmearSettings, kind: str, middle: np.ndarray,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    knobs = THROMBOCYTES[kind]
    low, high = knobs.number
    number = round(low + (high - low) * rng.random() ** 1.5)
    small, great = knobs.diameter
    # The cut between large and giant is as blurred as those of the maturation line.
    line = LARGE_AND_GIANT[1] - LARGE_AND_GIANT[0]
    blur = settings.labels.continuum_noise * line * rng.standard_normal()
    diameters = np.maximum(small + (great - small) * rng.random(number) + blur, 1.5)
    if number == 1:
        centres, free = middle[None], diameters[0] / 2
    else:
        centres = clump(middle, number, diameters, rng)
        free = float(np.sqrt(((centres - middle) ** 2).sum(axis=1)).mean()) + 1
    paint_background(dyes, scene.field, scene.blood, middle, free, rng)
    paint_thrombocytes(dyes, scene.field, centres, diameters, rng)
