from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from pipelines.image_headers import read_header
from tests.pipelines.detection import write_field
from tests.pipelines.disk import BAD_FILES, write_bad_file
from tflite.runtime.preprocess import decode_image

FORMATS = ("jpg", "png", "tiff", "webp")


@pytest.mark.parametrize("ending", FORMATS)
@pytest.mark.parametrize("orientation", [None, *range(1, 9)])
def test_the_upright_size_is_that_of_the_decoded_image(tmp_path, ending, orientation):
    path = tmp_path / f"field.{ending}"
    write_field(path, (20, 12), orientation)
    header = read_header(path)
    assert header.stored == (20, 12)
    assert header.orientation == (orientation or 1)
    assert header.upright == decode_image(path).size
    assert header.upright == ((12, 20) if header.orientation > 4 else (20, 12))


@pytest.mark.parametrize("ending", ["bmp", "gif", "ppm"])
def test_formats_without_exif(tmp_path, ending):
    path = tmp_path / f"field.{ending}"
    Image.fromarray(np.zeros((12, 20, 3), np.uint8)).save(path)
    assert read_header(path) == ((20, 12), 1)


@pytest.mark.parametrize("name", [name for name in BAD_FILES if name.endswith("jpg")])
def test_what_is_no_image_has_no_header(tmp_path, name):
    assert read_header(write_bad_file(tmp_path, name)) is None
    assert read_header(tmp_path / "missing.png") is None


def test_pixels_are_not_decoded(tmp_path):
    """The file ends behind its header, and its size would fill any memory."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", 11_000, 10_000, 8, 2, 0, 0, 0)
    crc = struct.pack(">I", zlib.crc32(chunk))
    start = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + crc
    (tmp_path / "field.png").write_bytes(start + struct.pack(">I", 1000) + b"IDAT")
    assert read_header(tmp_path / "field.png") == ((11_000, 10_000), 1)


def test_an_orientation_that_exif_does_not_know_counts_as_none(tmp_path):
    path = tmp_path / "field.jpg"
    write_field(path, (20, 12), 9)
    assert read_header(path) == ((20, 12), 1)
