from __future__ import annotations

import colorsys

import numpy as np
import pytest

from pipelines.augment_settings import AugmentSettings
from pipelines.colour import (
    LUMINANCE,
    NUMBER_OF_DRAWS,
    channel_means,
    channel_tables,
    colour_matrices,
    draw_matrices,
    draw_tables,
)


def test_the_table_is_contrast_about_the_mean_then_gain():
    means, contrast = np.array([[100.0, 50.0, 200.0]]), np.array([1.2])
    gains = np.array([[1.0, 0.5, 2.0]])
    table = channel_tables(means, contrast, gains)[0]
    assert table.shape == (256, 3)
    assert table.dtype == np.float32
    for channel in range(3):
        mean, gain = means[0, channel], gains[0, channel]
        for pixel in (0, 13, 128, 255):
            expected = np.clip(((pixel - mean) * 1.2 + mean) * gain, 0, 255)
            assert table[pixel, channel] == pytest.approx(expected, rel=1e-5)


def test_contrast_is_that_of_keras():
    from keras import layers

    image = np.random.default_rng(0).integers(60, 200, (1, 8, 8, 3), np.uint8)
    layer = layers.RandomContrast(0.4, value_range=(0, 255), seed=1)
    expected = np.asarray(layer(image.astype(np.float32), training=True))[0]
    # The factor Keras drew, from one channel; the other two must follow from it.
    x, mean = image[0, :, :, 0].astype(float), image[0, :, :, 0].mean()
    factor = np.polyfit((x - mean).ravel(), (expected[:, :, 0] - mean).ravel(), 1)[0]
    assert abs(factor - 1) > 0.01
    table = channel_tables(channel_means(image), np.array([factor]), np.ones((1, 3)))[0]
    np.testing.assert_allclose(table[image[0], np.arange(3)], expected, atol=0.02)


def test_no_settings_change_nothing():
    uniforms = np.random.default_rng(0).random((5, NUMBER_OF_DRAWS))
    tables = draw_tables(uniforms, AugmentSettings(), np.full((5, 3), 90.0))
    np.testing.assert_array_equal(tables, np.tile(np.arange(256.0)[None, :, None], (5, 1, 3)))
    assert draw_matrices(uniforms, AugmentSettings()) is None


def test_exposure_moves_all_channels_and_colour_each_on_its_own():
    uniforms = np.random.default_rng(0).random((50, NUMBER_OF_DRAWS))
    means = np.zeros((50, 3))
    levels = draw_tables(uniforms, AugmentSettings(exposure=0.3), means)[:, 100]
    assert np.ptp(levels, axis=1).max() == 0
    assert 100 * np.exp(-0.3) <= levels.min() < 90 < 110 < levels.max() <= 100 * np.exp(0.3)
    levels = draw_tables(uniforms, AugmentSettings(colour=0.3), means)[:, 100]
    assert np.ptp(levels, axis=1).min() > 0
    assert abs(np.corrcoef(levels.T)[0, 1]) < 0.4


class TestColourMatrices:
    angles = np.linspace(-np.pi, np.pi, 9)

    def test_nothing_asked_for_is_the_identity(self):
        matrix = colour_matrices(np.zeros(1), np.ones(1))[0]
        np.testing.assert_allclose(matrix, np.eye(3), atol=1e-6)

    def test_grey_stays_grey_and_brightness_stays(self):
        matrices = colour_matrices(self.angles, np.linspace(0, 2, 9))
        np.testing.assert_allclose(matrices.sum(2), 1, atol=1e-3)
        np.testing.assert_allclose(LUMINANCE @ matrices, np.tile(LUMINANCE, (9, 1)), atol=1e-6)

    def test_no_saturation_is_grey(self):
        matrix = colour_matrices(np.zeros(1), np.zeros(1))[0]
        np.testing.assert_allclose(matrix, np.tile(LUMINANCE, (3, 1)), atol=1e-3)

    def test_the_hue_turns_by_the_angle(self):
        colour = np.array([0.6, 0.4, 0.5])
        before = colorsys.rgb_to_hsv(*colour)[0]
        for angle in (-0.5, 0.5):
            matrix = colour_matrices(np.array([angle]), np.ones(1))[0]
            turn = (colorsys.rgb_to_hsv(*(matrix @ colour))[0] - before + 0.5) % 1 - 0.5
            # Hue in HSV and the angle in YIQ are no more than cousins, and turn opposite ways.
            assert abs(2 * np.pi * turn) == pytest.approx(0.5, abs=0.25)


def test_means_are_per_channel():
    images = np.random.default_rng(0).integers(0, 256, (3, 5, 7, 3), np.uint8)
    np.testing.assert_allclose(channel_means(images), images.mean((1, 2)))
    assert channel_means(images[:0]).shape == (0, 3)
