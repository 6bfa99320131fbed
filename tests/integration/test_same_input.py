"""Training, evaluation, calibration and device see the same pixels for the same file."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from lab_models.backbones import backbone_spec
from pipelines.augment import AugmentSettings
from pipelines.datasets import open_dataset
from pipelines.input_pipeline import make_for_eval, make_for_train
from tflite.representative import load_images as load_for_calibration
from tflite.runtime.preprocess import prepare_image


@pytest.fixture(scope="module")
def odd_images(tmp_path_factory):
    """Sizes, formats and modes as they come: nothing is square or of the network's size."""
    folder = tmp_path_factory.mktemp("odd")
    random = np.random.default_rng(3)
    for label in ("one", "two"):
        (folder / label).mkdir()
        for i, (mode, suffix, size) in enumerate(
            [("RGB", "jpg", (61, 47)), ("L", "png", (40, 40)), ("RGBA", "png", (33, 80)),
             ("RGB", "bmp", (120, 90)), ("P", "png", (50, 64)), ("CMYK", "jpg", (70, 70))]
        ):  # fmt: skip
            pixels = random.integers(0, 256, (size[1], size[0], 3)).astype(np.uint8)
            Image.fromarray(pixels).convert(mode).save(folder / label / f"{i}.{suffix}")
    return folder


@pytest.mark.parametrize("colour", ["rgb", "luminance"])
@pytest.mark.parametrize(("height", "width", "crop"), [(32, 32, 1.0), (32, 48, 0.8)])
def test_all_paths_give_equal_arrays(odd_images, colour, height, width, crop):
    contract = backbone_spec("resnet10_half").contract(height, width, crop, colour)
    manifest = open_dataset(odd_images)
    rows = np.arange(len(manifest))
    paths = [manifest.path(int(row)) for row in rows]
    on_device = np.stack([prepare_image(path, contract) for path in paths])

    held_back = make_for_eval(manifest, rows, contract, batch_size=5)
    evaluated = np.concatenate([batch["image"].numpy() for batch in held_back])
    np.testing.assert_array_equal(evaluated, on_device)

    np.testing.assert_array_equal(load_for_calibration(paths, contract), on_device)

    batches = make_for_train(
        manifest, rows, contract, AugmentSettings(), batch_size=len(rows), seed=0
    )
    batch = next(iter(batches))
    order = batch["index"].numpy()
    assert sorted(order) == list(rows)
    np.testing.assert_array_equal(batch["image"].numpy(), on_device[order].astype(np.float32))
