import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from tflite.runtime import preprocess
from tflite.runtime.decoded_fields import DecodedFields
from tflite.runtime.errors import ImageError
from tflite.runtime.preprocess import decode_image

pytestmark = pytest.mark.device

IMAGE_BYTES = 3 * 10 * 10


@pytest.fixture
def decoded():
    """Decodes nothing but names, and notes which."""
    names = []

    def make(name, side=10):
        def decode():
            names.append(name)
            return Image.new("RGB", (side, side))

        return decode

    make.names = names
    return make


def test_the_images_asked_for_last_are_kept(decoded):
    fields = DecodedFields(2 * IMAGE_BYTES)
    for name in "abacab":
        fields.get(name, decoded(name))
    # c drives out b, b then drives out c.
    assert decoded.names == ["a", "b", "c", "b"]


def test_an_image_that_is_too_large_is_not_kept_and_drives_out_nothing(decoded):
    fields = DecodedFields(2 * IMAGE_BYTES)
    fields.get("a", decoded("a"))
    for _ in range(2):
        assert fields.get("large", decoded("large", 100)).size == (100, 100)
    fields.get("a", decoded("a"))
    assert decoded.names == ["a", "large", "large"]


def test_after_a_failure_the_next_tries_again(decoded):
    fields = DecodedFields(IMAGE_BYTES)

    def fail():
        raise ImageError("damaged")

    for _ in range(2):
        with pytest.raises(ImageError, match="damaged"):
            fields.get("a", fail)
    assert fields.get("a", decoded("a")).size == (10, 10)


def test_threads_wait_for_one_decoding():
    fields, running = DecodedFields(IMAGE_BYTES), threading.Event()
    names = []

    def decode():
        names.append("a")
        running.wait(0.2)
        return Image.new("RGB", (10, 10))

    with ThreadPoolExecutor(8) as pool:
        images = list(pool.map(lambda _: fields.get("a", decode), range(8)))
    assert names == ["a"]
    assert all(image is images[0] for image in images)


def test_cells_of_a_field_cost_one_decoding_and_a_changed_file_is_read_anew(tmp_path, monkeypatch):
    pixels = np.random.default_rng(0).integers(0, 256, (2, 30, 40, 3), dtype=np.uint8)
    path, files = tmp_path / "field.png", []
    read = preprocess._decode_file
    monkeypatch.setattr(
        preprocess, "_decode_file", lambda opened, name: files.append(name) or read(opened, name)
    )
    for number, content in enumerate(pixels, 1):
        Image.fromarray(content).save(path)
        for left in range(0, 40, 10):
            cell = np.asarray(decode_image(f"{path}#xywh={left},5,10,10"))
            np.testing.assert_array_equal(cell, content[5:15, left : left + 10])
        assert len(files) == number
