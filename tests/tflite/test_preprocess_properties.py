"""Properties of the input path. They need hypothesis, so they stand outside the device tests."""

import contextlib
import io

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tflite.runtime.contract import COLOURS, INTERPOLATIONS, InputContract
from tflite.runtime.errors import ImageError
from tflite.runtime.preprocess import crop_box, decode_image, prepare_image

CONTRACTS = st.builds(
    InputContract,
    height=st.integers(8, 40),
    width=st.integers(8, 40),
    crop=st.floats(0.01, 1.0),
    colour=st.sampled_from(COLOURS),
    interpolation=st.sampled_from(INTERPOLATIONS),
)


@given(
    contract=CONTRACTS,
    width=st.integers(1, 300),
    height=st.integers(1, 300),
    value=st.integers(0, 255),
)
@settings(deadline=None)
def test_an_even_image_of_any_size_stays_even(contract, width, height, value):
    image = np.full((height, width, 3), value, np.uint8)
    prepared = prepare_image(image, contract)
    assert (prepared.shape, prepared.dtype) == (contract.shape, np.uint8)
    assert np.unique(prepared).tolist() == [value]


@given(contract=CONTRACTS, width=st.integers(1, 5000), height=st.integers(1, 5000))
def test_the_crop_lies_inside_is_centred_and_has_the_aspect(contract, width, height):
    left, top, right, bottom = crop_box((width, height), contract)
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    assert np.isclose(left + right, width)
    assert np.isclose(top + bottom, height)
    assert np.isclose((right - left) * contract.height, (bottom - top) * contract.width)
    largest = min(width / contract.width, height / contract.height)
    assert np.isclose((right - left) / contract.width, largest * contract.crop)


def _encoded(format):
    buffer = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (24, 24, 3), np.uint8)
    Image.fromarray(pixels).save(buffer, format)
    return buffer.getvalue()


ENCODED = {format: _encoded(format) for format in ("PNG", "JPEG", "BMP", "TIFF", "GIF", "WEBP")}


@given(
    format=st.sampled_from(sorted(ENCODED)),
    changes=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1),
    cut=st.integers(0, 10**6),
)
@settings(deadline=None, max_examples=400)
def test_a_damaged_file_is_an_image_error_or_an_image(format, changes, cut):
    content = bytearray(ENCODED[format])
    for place, value in changes:
        content[place % len(content)] = value
    content = bytes(content[: len(content) - cut % 50])
    # Anything else that is raised fails the test.
    with contextlib.suppress(ImageError):
        assert decode_image(content).mode == "RGB"
