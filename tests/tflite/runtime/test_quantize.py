import numpy as np
import pytest

from tflite.runtime.errors import LabError
from tflite.runtime.quantize import TensorQuantization, dequantize, quantize, store_pixels

pytestmark = pytest.mark.device

# Worked by hand: stored = clip(round(real / scale) + zero point).
TABLE = [
    # pixels as they are; both ends and beyond
    ("uint8", 1.0, 0, [-1, 0, 1, 127.4, 254.6, 255, 300], [0, 0, 1, 127, 255, 255, 255]),
    # ties go to the even integer
    ("uint8", 1.0, 0, [0.5, 1.5, 2.5, 3.5], [0, 2, 2, 4]),
    # softmax scores: a step is 1/256, and 1.0 does not fit
    ("uint8", 1 / 256, 0, [0.0, 1 / 256, 0.5, 255 / 256, 1.0], [0, 1, 128, 255, 255]),
    ("int8", 1 / 256, -128, [0.0, 0.5, 255 / 256, 1.0], [-128, 0, 127, 127]),
    # a symmetric activation
    ("int8", 0.5, 0, [-64, -63.9, -0.25, 0, 0.75, 63.5, 64], [-128, -128, 0, 0, 2, 127, 127]),
    ("int8", 0.1, 10, [-13.8, -1.0, 0.0, 0.26, 11.7, 20], [-128, 0, 10, 13, 127, 127]),
]


@pytest.mark.parametrize(("dtype", "scale", "zero_point", "real", "stored"), TABLE)
def test_quantize_gives_the_hand_worked_integers(dtype, scale, zero_point, real, stored):
    found = quantize(np.array(real), TensorQuantization(dtype, scale, zero_point))
    assert found.dtype == np.dtype(dtype)
    assert found.tolist() == stored


@pytest.mark.parametrize(
    ("dtype", "scale", "zero_point", "stored", "real"),
    [
        ("uint8", 1.0, 0, [0, 1, 255], [0, 1, 255]),
        ("uint8", 1 / 256, 0, [0, 128, 255], [0, 0.5, 0.99609375]),
        ("int8", 0.5, -128, [-128, 0, 127], [0, 64, 127.5]),
        # uint8 minus a zero point must not wrap around
        ("uint8", 2.0, 128, [0, 127, 255], [-256, -2, 254]),
    ],
)
def test_dequantize_gives_the_hand_worked_numbers(dtype, scale, zero_point, stored, real):
    found = dequantize(np.array(stored, dtype), TensorQuantization(dtype, scale, zero_point))
    assert found.dtype == np.float32
    assert found.tolist() == real


@pytest.mark.parametrize("dtype", ["uint8", "int8"])
@pytest.mark.parametrize("scale", [1.0, 1 / 256, 0.017, 3.7])
def test_every_stored_value_survives_the_way_there_and_back(dtype, scale):
    limits = np.iinfo(dtype)
    stored = np.arange(limits.min, limits.max + 1).astype(dtype)
    quantization = TensorQuantization(dtype, scale, int(limits.min) + 7)
    np.testing.assert_array_equal(quantize(dequantize(stored, quantization), quantization), stored)


def test_a_value_within_the_range_moves_by_half_a_step_at_most():
    quantization = TensorQuantization("int8", 0.1, 3)
    real = np.random.default_rng(0).uniform(-13.0, 12.3, 1000)
    back = dequantize(quantize(real, quantization), quantization)
    assert np.abs(back - real).max() <= 0.05 + 1e-6


def test_float32_goes_through_unchanged():
    quantization = TensorQuantization("float32")
    values = np.array([-1.5, 0.1, 300.0], np.float32)
    np.testing.assert_array_equal(quantize(values, quantization), values)
    np.testing.assert_array_equal(dequantize(values, quantization), values)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["uint8", "int8", "float32"])
def test_quantize_refuses_what_no_integer_can_say(value, dtype):
    with pytest.raises(LabError, match="NaN or infinity"):
        quantize(np.array([1.0, value]), TensorQuantization(dtype))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"dtype": "int16"}, "dtype must be one of"),
        ({"dtype": "uint8", "scale": 0.0}, "scale must be above 0"),
        ({"dtype": "uint8", "scale": float("nan")}, "scale must be above 0"),
        ({"dtype": "uint8", "scale": 1.0, "zero_point": 256}, r"0\.\.255, got 256"),
        ({"dtype": "int8", "scale": 1.0, "zero_point": -129}, r"-128\.\.127, got -129"),
        ({"dtype": "float32", "scale": 0.5}, "scale 1 and zero point 0"),
    ],
)
def test_bad_quantisation_is_refused(fields, message):
    with pytest.raises(LabError, match=message):
        TensorQuantization(**fields)


def test_only_whole_steps_over_the_whole_range_take_pixels():
    assert TensorQuantization("uint8", 1.0, 0).takes_pixels
    assert TensorQuantization("int8", 1.0, -128).takes_pixels
    assert not TensorQuantization("uint8", 0.99, 0).takes_pixels
    assert not TensorQuantization("int8", 1.0, 0).takes_pixels
    assert not TensorQuantization("float32").takes_pixels


@pytest.mark.parametrize(
    "quantization",
    [TensorQuantization("uint8", 1.0, 0), TensorQuantization("int8", 1.0, -128)],
    ids=["uint8", "int8"],
)
def test_pixels_are_stored_as_quantize_stores_them(quantization):
    pixels = np.arange(256, dtype=np.uint8).reshape(2, 128)
    stored = store_pixels(pixels, quantization)
    assert stored.dtype == quantization.dtype
    np.testing.assert_array_equal(stored, quantize(pixels, quantization))
