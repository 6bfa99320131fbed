from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from pipelines import image_cache
from pipelines.image_cache import MEGABYTE, ImageCache, load_images
from tests.pipelines.fake_manifest import FakeManifest, write_manifest
from tflite.runtime.contract import InputContract
from tflite.runtime.errors import ImageError
from tflite.runtime.preprocess import prepare_image

CONTRACT = InputContract(height=8, width=8)
BYTES_OF_ONE = 8 * 8 * 3


@pytest.fixture
def manifest(tmp_path) -> FakeManifest:
    return write_manifest(tmp_path, (6, 4))


@pytest.fixture
def decoded(monkeypatch) -> list[str]:
    """Names of the files that were decoded, in order."""
    names: list[str] = []

    def count(path, contract):
        names.append(path.name)
        return prepare_image(path, contract)

    monkeypatch.setattr(image_cache, "prepare_image", count)
    return names


@pytest.mark.parametrize("workers", [1, 3, None])
def test_images_come_in_the_order_of_the_rows(manifest, workers):
    rows = np.array([7, 0, 7, 3])
    images = load_images(manifest, rows, CONTRACT, workers)
    assert images.dtype == np.uint8
    assert images.shape == (4, 8, 8, 3)
    np.testing.assert_array_equal(images[:, 4, 4, 1], 2 * rows)


def test_no_rows_give_no_images(manifest):
    assert load_images(manifest, np.array([], int), CONTRACT).shape == (0, 8, 8, 3)


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("content", [b"", b"GIF89a nonsense", None])
def test_an_unreadable_file_is_named(manifest, workers, content):
    if content is None:
        manifest.path(5).unlink()
    else:
        manifest.path(5).write_bytes(content)
    with pytest.raises(ImageError, match=r"5\.png"):
        load_images(manifest, np.arange(10), CONTRACT, workers)


@pytest.mark.parametrize(("spare", "keeps"), [(0, True), (-1, False)])
def test_the_need_is_counted_beforehand(manifest, spare, keeps):
    cache = ImageCache(manifest, CONTRACT, megabytes=(10 * BYTES_OF_ONE + spare) / MEGABYTE)
    assert cache.bytes_needed == 10 * BYTES_OF_ONE
    assert cache.keeps == keeps


def test_each_image_is_decoded_once(manifest, decoded):
    cache = ImageCache(manifest, CONTRACT, workers=1)
    cache.fill(np.array([1, 2]))
    assert decoded == ["1.png", "2.png"]
    for rows in ([1, 1, 3], [3, 2, 1], [3, 3]):
        np.testing.assert_array_equal(cache.get(np.array(rows))[:, 0, 0, 0], 2 * np.array(rows))
    assert decoded == ["1.png", "2.png", "3.png"]


def test_what_does_not_fit_is_decoded_again(manifest, decoded):
    cache = ImageCache(manifest, CONTRACT, megabytes=0, workers=1).fill()
    assert decoded == []
    for _ in range(2):
        np.testing.assert_array_equal(cache.get(np.array([4]))[:, 0, 0, 0], [8])
    assert decoded == ["4.png", "4.png"]


def test_what_is_given_out_is_a_copy(manifest):
    cache = ImageCache(manifest, CONTRACT)
    cache.get(np.array([1]))[:] = 99
    assert cache.get(np.array([1])).max() == 2


def test_a_failure_leaves_the_rest_usable(manifest):
    manifest.path(5).write_bytes(b"")
    cache = ImageCache(manifest, CONTRACT)
    for _ in range(2):
        with pytest.raises(ImageError, match=r"5\.png"):
            cache.get(np.array([4, 5]))
    np.testing.assert_array_equal(cache.get(np.array([4]))[:, 0, 0, 0], [8])


def test_rows_that_were_not_announced_are_refused(manifest):
    cache = ImageCache(manifest, CONTRACT, rows=np.array([2, 5]))
    with pytest.raises(ValueError, match=r"does not hold the rows \[3, 9\]"):
        cache.get(np.array([2, 3, 9]))


def test_threads_may_share_it(manifest):
    cache = ImageCache(manifest, CONTRACT)
    rows = np.random.default_rng(0).integers(0, 10, (40, 4))
    with ThreadPoolExecutor(4) as pool:
        batches = list(pool.map(cache.get, rows))
    np.testing.assert_array_equal(np.stack(batches)[:, :, 0, 0, 0], 2 * rows)
