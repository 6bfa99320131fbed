from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from pipelines.smear import CameraSettings
from pipelines.smear.camera import encode, photograph
from pipelines.smear.draw import IMAGE, generator
from pipelines.smear.shapes import Field

FIELD = Field(64, 25.6)
STILL = CameraSettings(
    white=(1, 1, 1), blur=0, defocus=0, sharpening=0, noise=0, exposure=0, vignetting=0
)


def take(light, camera):
    return photograph(light, FIELD, camera, generator(0, IMAGE))


def test_white_balance():
    picture = take(np.ones((64, 64, 3)), replace(STILL, white=(0.9, 0.8, 0.7)))
    np.testing.assert_array_equal(picture[5, 5], np.rint(255 * np.array((0.9, 0.8, 0.7))))


def test_gamma_is_the_exponent():
    picture = take(np.full((64, 64, 3), 0.5), replace(STILL, gamma=2.0))
    assert picture[0, 0, 0] == round(255 * 0.25)


def test_blur_softens_and_sharpening_gives_back():
    light = np.ones((64, 64, 3))
    light[:, 32:] = 0.4

    def steepest(camera):
        return np.abs(np.diff(take(light, camera).astype(int), axis=1)).max()

    blurred = replace(STILL, blur=0.8)
    assert steepest(blurred) < steepest(replace(blurred, sharpening=2.0)) < steepest(STILL)


def test_noise_has_its_standard_deviation():
    picture = take(np.full((64, 64, 3), 0.5), replace(STILL, noise=5.0))
    assert picture.std() == pytest.approx(5.0, rel=0.1)


def test_light_never_leaves_the_range():
    picture = take(np.full((64, 64, 3), 3.0), STILL)
    assert picture.min() == 255


def test_bmp_loses_nothing_and_jpg_keeps_the_order_of_channels():
    picture = generator(1, IMAGE).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    content = np.frombuffer(encode(picture, replace(STILL, format="bmp")), np.uint8)
    np.testing.assert_array_equal(cv2.imdecode(content, cv2.IMREAD_COLOR)[..., ::-1], picture)
    red = np.zeros((64, 64, 3), np.uint8)
    red[..., 0] = 200
    content = np.frombuffer(encode(red, STILL), np.uint8)
    assert cv2.imdecode(content, cv2.IMREAD_COLOR)[10, 10, 2] == pytest.approx(200, abs=3)


def test_better_jpg_quality_takes_more_bytes():
    picture = generator(1, IMAGE).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    sizes = [len(encode(picture, replace(STILL, quality=quality))) for quality in (50, 80, 95)]
    assert sizes == sorted(sizes)
