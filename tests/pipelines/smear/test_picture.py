from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

from pipelines.labels import HAL_CLASSES
from pipelines.smear import CameraSettings, SlideSettings, SmearSettings, StainSettings
from pipelines.smear.camera import encode
from pipelines.smear.picture import draw_image
from pipelines.smear.settings import HAIRY_CAMERA
from pipelines.smear.slides import plan

SETTINGS = SmearSettings(images=400, size=48)
# Cells alone, all taken alike: what is measured is the cell.
PLAIN = replace(
    SETTINGS,
    images=1000,
    size=96,
    stain=StainSettings(0, 0, 0, 0, 0, 0, 0),
    slides=SlideSettings(minimum_red_cells=0, maximum_red_cells=0),
    hairy_camera=CameraSettings(noise=0, exposure=0, vignetting=0, white=(1, 1, 1)),
    wbc_camera=CameraSettings(noise=0, exposure=0, vignetting=0, white=(1, 1, 1)),
)


@cache
def pictures(kind, number=12, settings=PLAIN):
    images = [image for image in plan_of(settings) if image.kind == kind][:number]
    return np.stack([draw_image(settings, image) for image in images])


@cache
def plan_of(settings):
    return plan(settings)


def purple(images):
    """Share of pixels that are as dark in green as a nucleus is."""
    return float((images[..., 1] < 90).mean())


def test_equal_settings_draw_equal_pixels_in_any_order():
    images = plan_of(SETTINGS)[:30]
    first = [draw_image(SETTINGS, image) for image in images]
    again = [draw_image(SETTINGS, image) for image in reversed(images)]
    assert all(np.array_equal(a, b) for a, b in zip(first, reversed(again)))


def test_another_seed_draws_another_picture():
    images = plan_of(SETTINGS)
    other = replace(SETTINGS, seed=7)
    assert not np.array_equal(draw_image(SETTINGS, images[0]), draw_image(other, images[0]))


@pytest.mark.parametrize("size", [32, 33, 96, 200, 512])
def test_any_size(size):
    settings = replace(SETTINGS, size=size, images=20)
    picture = draw_image(settings, plan(settings)[3])
    assert picture.shape == (size, size, 3)
    assert picture.dtype == np.uint8
    assert picture.std() > 5


@pytest.mark.parametrize("kind", [*HAL_CLASSES, "lookalike"])
def test_every_class_is_drawn_in_the_middle_and_no_two_are_alike(kind):
    found = pictures(kind)
    assert len({picture.tobytes() for picture in found}) == len(found)
    middle = found[:, 24:72, 24:72].astype(float)
    empty = found[:, :6].astype(float)
    assert middle.std() > 2 * empty.std() or kind == "thrombocyte_aggregation"


def test_nuclei_grow_from_lymphocyte_to_blast():
    assert purple(pictures("lymphocyte")) < purple(pictures("blast"))


def test_immature_granulocytes_have_larger_nuclei_than_mature_ones():
    sizes = [
        purple(pictures(kind, 30))
        for kind in ("promyelocyte", "myelocyte", "metamyelocyte", "band_neutrophil")
    ]
    assert sizes == sorted(sizes, reverse=True)


def test_giant_thrombocytes_are_larger_than_large_ones():
    def covered(kind):
        return (pictures(kind, 30)[..., 1] < 200).mean()

    assert covered("giant_thrombocyte") > 1.5 * covered("large_thrombocyte")


def test_eosinophils_are_the_reddest_and_plasma_cells_the_bluest():
    def redness(kind):
        found = pictures(kind, 20).astype(float)
        cell = found[found[..., 1] < 200]
        return float((cell[:, 0] - cell[:, 2]).mean())

    reds = {kind: redness(kind) for kind in ("eosinophil", "plasma_cell", "monocyte", "basophil")}
    assert max(reds, key=reds.get) == "eosinophil"
    assert min(reds, key=reds.get) == "plasma_cell"


def test_databases_differ_in_their_camera():
    images = plan_of(SETTINGS)

    def paper(database):
        found = [draw_image(SETTINGS, image) for image in images if image.database == database][:20]
        return np.percentile(np.stack(found), 90, axis=(0, 1, 2))

    hairy, others = paper("hairy_db"), paper("WBCTrain")
    assert hairy[0] - hairy[2] > others[0] - others[2] + 10


def test_the_camera_settings_are_used():
    image = plan_of(SETTINGS)[-1]
    dark = replace(SETTINGS, wbc_camera=replace(HAIRY_CAMERA, white=(0.5, 0.5, 0.5)))
    assert draw_image(dark, image).mean() < draw_image(SETTINGS, image).mean() - 40


def _digest(settings, number):
    content = hashlib.sha256()
    for image in plan(settings)[:number]:
        picture = draw_image(settings, image)
        content.update(picture.tobytes() + encode(picture, settings.wbc_camera))
    return content.hexdigest()


def test_no_processor_feature_changes_a_pixel_or_a_file():
    usable = [name for name in __cpu_dispatch__ if __cpu_features__.get(name)]
    code = (
        "import cv2; cv2.setUseOptimized(False)\n"
        "from pipelines.smear import SmearSettings\n"
        "from tests.pipelines.smear.test_picture import _digest\n"
        "print(_digest(SmearSettings(images=60, size=96), 60))"
    )
    environment = {
        **os.environ,
        "NPY_DISABLE_CPU_FEATURES": " ".join(usable),
        "OPENCV_CPU_DISABLE": "SSE4.2,AVX,FP16,AVX2,FMA3",
        "JSIMD_FORCENONE": "1",
        "PYTHONPATH": str(Path(__file__).parents[3]),
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == _digest(SmearSettings(images=60, size=96), 60)
