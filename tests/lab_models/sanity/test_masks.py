from __future__ import annotations

import cv2
import numpy as np
import pytest

from lab_models.sanity.masks import (
    background_masked_out,
    cell_masked_out,
    common_ground,
    common_radius,
    find_cell,
    ground_colour,
)
from lab_models.sanity.settings import MaskSettings
from tflite.runtime.preprocess import decode_image

GROUND, RED_CELL = (238, 234, 226), (214, 168, 172)
NUCLEUS, CYTOPLASM = (90, 50, 140), (225, 205, 215)
SETTINGS = MaskSettings()


def draw(size: int = 96, radius: float = 0.2, cells: tuple = ((0.1, 0.15), (0.85, 0.8))):
    """A white cell in the middle, red cells around it; with the truth: where the cell is."""
    image = np.full((size, size, 3), GROUND, np.uint8)
    for x, y in cells:
        place = (round(x * size), round(y * size))
        cv2.circle(image, place, round(0.13 * size), RED_CELL, -1, cv2.LINE_AA)
    truth = np.zeros((size, size), np.uint8)
    middle = (size // 2, size // 2)
    for target, colours in ((image, (CYTOPLASM, NUCLEUS)), (truth, (1, 1))):
        cv2.circle(target, middle, round(radius * size), colours[0], -1)
        cv2.circle(target, middle, round(0.6 * radius * size), colours[1], -1)
    generator = np.random.default_rng(0)
    noisy = image + generator.normal(0, 2, image.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8), truth.astype(bool)


@pytest.mark.parametrize("size", [32, 96, 256])
@pytest.mark.parametrize("radius", [0.15, 0.3])
def test_finds_the_cell_and_its_pale_cytoplasm(size, radius):
    image, truth = draw(size, radius)
    mask = find_cell(image, SETTINGS)
    assert mask.found
    overlap = (mask.inside & truth).sum() / (mask.inside | truth).sum()
    assert overlap > 0.65  # a pixel of soft border is much of a cell of ten pixels
    assert mask.centre == pytest.approx((size / 2, size / 2), abs=0.08 * size)


def test_a_red_cell_that_touches_is_cut_off():
    image, truth = draw(cells=((0.5, 0.19),))
    mask = find_cell(image, SETTINGS)
    red_cell = np.zeros(truth.shape, bool)
    red_cell[:24] = True
    assert (mask.inside & red_cell).sum() < 0.3 * 3.14 * 12**2
    assert (mask.inside & truth).sum() > 0.95 * truth.sum()


@pytest.mark.parametrize("colour", [GROUND, (0, 0, 0), (255, 255, 255)])
def test_an_image_without_a_cell_gets_a_disc_of_the_middle(colour):
    mask = find_cell(np.full((48, 64, 3), colour, np.uint8), SETTINGS)
    assert not mask.found
    assert mask.inside[24, 32]
    assert not mask.inside[0, 0]


def test_red_cells_alone_are_no_white_cell():
    image = np.full((96, 96, 3), GROUND, np.uint8)
    cv2.circle(image, (48, 48), 14, RED_CELL, -1)
    mask = find_cell(image, SETTINGS)
    assert not mask.found


def test_the_masked_cell_is_gone_and_the_rest_is_kept():
    image, truth = draw()
    mask = find_cell(image, SETTINGS)
    blotted = cell_masked_out(image, mask, 0.0, SETTINGS)
    np.testing.assert_allclose(blotted[truth], np.broadcast_to(GROUND, (truth.sum(), 3)), atol=9)
    np.testing.assert_array_equal(blotted[:8], image[:8])
    assert blotted.dtype == np.uint8


def test_discs_are_at_least_as_large_as_the_common_one():
    small, _ = draw(radius=0.1)
    masks = [find_cell(draw(radius=r)[0], SETTINGS) for r in (0.1, 0.2, 0.3)]
    radius = common_radius(masks, SETTINGS)
    assert masks[0].radius < radius < masks[2].radius
    changed = (cell_masked_out(small, masks[0], radius, SETTINGS) != small).any(axis=2)
    assert changed.mean() > (cell_masked_out(small, masks[0], 0, SETTINGS) != small).mean()


def test_before_an_even_ground_the_cell_stays_and_the_background_is_the_same_everywhere():
    image, _ = draw()
    ground = common_ground(np.stack([image, np.clip(image.astype(int) - 40, 0, 255)]).astype("u1"))
    blotted = background_masked_out(image, find_cell(image, SETTINGS), ground, SETTINGS)
    np.testing.assert_array_equal(blotted[44:52, 44:52], image[44:52, 44:52])
    assert len(np.unique(blotted[:6].reshape(-1, 3), axis=0)) == 1
    np.testing.assert_allclose(blotted[0, 0], ground, atol=1)


def test_ground_is_the_bright_plasma():
    np.testing.assert_allclose(ground_colour(draw()[0]), GROUND, atol=4)


def test_finds_real_cells(real_data):
    paths = sorted((real_data / "pbc").rglob("*.jpg"))[::150]
    found = []
    for path in paths:
        image = np.asarray(decode_image(path).resize((96, 96)))
        mask = find_cell(image, SETTINGS)
        centred = np.hypot(mask.centre[0] - 48, mask.centre[1] - 48) < 20
        found.append(mask.found and centred and 0.02 < mask.inside.mean() < 0.6)
    assert np.mean(found) > 0.8
