from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.augment_settings import FILLS, AugmentSettings
from pipelines.geometry import NUMBER_OF_DRAWS, affine_matrices, draw_matrices, warp

MIDDLE = np.full((1, NUMBER_OF_DRAWS), 0.5)


def one_matrix(size, angle=0.0, scale_x=1.0, scale_y=1.0, shift_x=0.0, shift_y=0.0):
    values = (np.array([value]) for value in (angle, scale_x, scale_y, shift_x, shift_y))
    return affine_matrices(*values, size)[0]


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (10, 14, 3), np.uint8)


@pytest.fixture
def square() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (9, 9, 3), np.uint8)


def smooth(size: int) -> np.ndarray:
    """A picture without sharp edges, on which resampling errs by little."""
    noise = np.random.default_rng(0).uniform(0, 255, (size, size, 3)).astype(np.float32)
    blurred = cv2.GaussianBlur(noise, (0, 0), 4)
    return cv2.normalize(blurred, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)


class TestWarp:
    def test_identity(self, image):
        np.testing.assert_array_equal(warp(image, one_matrix(image.shape[:2]), "reflect"), image)

    @pytest.mark.parametrize("turns", [1, 2, 3])
    def test_quarter_turns_anticlockwise(self, square, turns):
        matrix = one_matrix((9, 9), angle=turns * np.pi / 2)
        np.testing.assert_array_equal(warp(square, matrix, "reflect"), np.rot90(square, turns))

    def test_flips(self, image):
        mirrored = warp(image, one_matrix(image.shape[:2], scale_x=-1), "reflect")
        np.testing.assert_array_equal(mirrored, image[:, ::-1])
        mirrored = warp(image, one_matrix(image.shape[:2], scale_y=-1), "reflect")
        np.testing.assert_array_equal(mirrored, image[::-1])

    @pytest.mark.parametrize("fill", FILLS)
    def test_a_shift_right_and_down_shows_the_fill(self, image, fill):
        matrix = one_matrix(image.shape[:2], shift_x=3, shift_y=2)
        moved = warp(image, matrix, fill, fill_value=77)
        np.testing.assert_array_equal(moved[2:, 3:], image[:-2, :-3])
        modes = {"reflect": "symmetric", "nearest": "edge", "wrap": "wrap", "constant": "constant"}
        options = {"constant_values": 77} if fill == "constant" else {}
        padded = np.pad(image, ((2, 0), (3, 0), (0, 0)), mode=modes[fill], **options)
        np.testing.assert_array_equal(moved, padded[:10, :14])

    def test_zooming_out_shows_more(self):
        image = np.full((21, 21, 3), 100, np.uint8)
        image[8:13, 8:13] = 200
        out = warp(image, one_matrix((21, 21), scale_x=1.5, scale_y=1.5), "reflect")
        into = warp(image, one_matrix((21, 21), scale_x=0.5, scale_y=0.5), "reflect")
        area = (image > 150).sum()
        assert (out > 150).sum() < area < (into > 150).sum()
        assert out[10, 10, 0] == into[10, 10, 0] == 200


class TestComposition:
    def test_one_warp_is_the_stack_of_separate_ones(self):
        image, size = smooth(64), (64, 64)
        parts = [
            {"angle": 0.4},
            {"shift_x": 3.0, "shift_y": -5.0},
            {"scale_x": 1.1, "scale_y": 1.1},
        ]
        stepwise = image
        for part in parts:
            stepwise = warp(stepwise, one_matrix(size, **part), "reflect")
        merged = {name: value for part in parts for name, value in part.items()}
        at_once = warp(image, one_matrix(size, **merged), "reflect")
        inner = np.s_[16:48, 16:48]
        difference = at_once[inner].astype(int) - stepwise[inner]
        assert np.abs(difference).max() <= 8
        assert np.abs(difference).mean() < 1.5

    @pytest.mark.parametrize(
        ("name", "factor", "matrix"),
        [
            ("RandomRotation", 0.1, {"angle": 0.2 * np.pi}),
            ("RandomTranslation", 0.1, {"shift_y": 6.4}),
            ("RandomZoom", 0.1, {"scale_x": 1.1, "scale_y": 1.1}),
        ],
    )
    def test_the_layers_of_keras_mean_the_same(self, name, factor, matrix):
        """Each layer with its range shut to a single value."""
        from keras import layers

        image = smooth(64)
        only = (factor, factor)
        arguments = (only, (0, 0)) if name == "RandomTranslation" else (only,)
        layer = getattr(layers, name)(*arguments, fill_mode="reflect")
        expected = np.asarray(layer(image[None].astype(np.float32), training=True))[0]
        ours = warp(image, one_matrix((64, 64), **matrix), "reflect").astype(np.float32)
        # Ours is rounded to whole pixel values.
        assert np.abs(ours - expected)[8:56, 8:56].mean() < 0.5


class TestDrawMatrices:
    def test_the_middle_of_every_range_changes_nothing(self):
        settings = AugmentSettings(rotation=0.5, translation=0.3, zoom=0.3, aspect=0.3)
        np.testing.assert_allclose(
            draw_matrices(MIDDLE, settings, (8, 12))[0], np.eye(2, 3), atol=1e-12
        )

    def test_no_settings_change_nothing(self):
        uniforms = np.random.default_rng(0).random((20, NUMBER_OF_DRAWS))
        matrices = draw_matrices(uniforms, AugmentSettings(), (8, 12))
        np.testing.assert_allclose(matrices, np.tile(np.eye(2, 3), (20, 1, 1)), atol=1e-12)

    @given(st.lists(st.floats(0, 1), min_size=NUMBER_OF_DRAWS, max_size=NUMBER_OF_DRAWS))
    def test_draws_stay_within_their_ranges(self, uniforms):
        settings = AugmentSettings(rotation=0.1, translation=0.2, zoom=0.3, aspect=0.4)
        matrix = draw_matrices(np.array([uniforms]), settings, (100, 100))[0]
        area = np.linalg.det(matrix[:, :2])
        assert 0.7**2 - 1e-9 <= area <= 1.3**2 + 1e-9
        columns = np.linalg.norm(matrix[:, :2], axis=0)
        assert np.exp(-0.4) - 1e-9 <= columns[1] / columns[0] <= np.exp(0.4) + 1e-9
        assert abs(np.arctan2(matrix[1, 0], matrix[0, 0])) <= 0.2 * np.pi + 1e-9
        centre = matrix @ (49.5, 49.5, 1)
        assert np.linalg.norm(centre - 49.5) <= 20 * np.sqrt(2) + 1e-9

    def test_flips_happen_in_half_of_all_cases(self):
        uniforms = np.random.default_rng(0).random((1000, NUMBER_OF_DRAWS))
        settings = AugmentSettings(horizontal_flip=True)
        matrices = draw_matrices(uniforms, settings, (8, 8))
        assert 0.45 < (matrices[:, 0, 0] < 0).mean() < 0.55
        assert (matrices[:, 1, 1] > 0).all()
