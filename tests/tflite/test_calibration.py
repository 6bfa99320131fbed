import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tflite.calibration import (
    OBSERVERS,
    CalibrationSettings,
    calibrate,
    float_file,
    least_error_range,
    observe_ranges,
    quantize_file,
    rounded,
    run_all_tensors,
)
from tflite.convert import fix_batch
from tflite.logits import with_logits
from tflite.runtime.errors import LabError
from tflite.runtime.interpreter import TensorRunner
from tflite.schema import read_model


@pytest.fixture(scope="module")
def shared(model, pixels):
    return float_file(fix_batch(with_logits(model)), pixels[0])


def ranges_in(content):
    tensors = read_model(content).subgraphs[0].tensors
    return {
        number: (float(t.quantization.min[0]), float(t.quantization.max[0]))
        for number, t in enumerate(tensors)
        if t.quantization is not None and t.quantization.max is not None
    }


def test_min_max_is_what_stands_in_the_tensors(shared, pixels):
    found = observe_ranges(shared, pixels, CalibrationSettings())
    values = list(run_all_tensors(shared, pixels, list(found)))
    for tensor, (low, high) in found.items():
        assert low == pytest.approx(min(0.0, *(v[tensor].min() for v in values)))
        assert high == pytest.approx(max(0.0, *(v[tensor].max() for v in values)))


def test_the_input_is_0_to_255_whatever_the_images_hold(shared, pixels):
    assert pixels.max() < 255
    calibrated = calibrate(shared, pixels)
    graph = read_model(calibrated).subgraphs[0]
    assert ranges_in(calibrated)[int(graph.inputs[0])] == (0.0, 255.0)
    assert TensorRunner(quantize_file(calibrated)).input_quantization.takes_pixels


@pytest.mark.parametrize("observer", OBSERVERS)
def test_no_observer_goes_beyond_what_was_seen(shared, pixels, observer):
    whole = observe_ranges(shared, pixels, CalibrationSettings())
    found = observe_ranges(shared, pixels, CalibrationSettings(observer, percentile=99))
    assert found.keys() == whole.keys()
    for tensor, (low, high) in found.items():
        assert whole[tensor][0] - 1e-6 <= low <= 0 <= high <= whole[tensor][1] + 1e-6
        assert low < high
    if observer == "percentile":
        assert sum(high for _, high in found.values()) < sum(high for _, high in whole.values())


def test_the_draw_of_values_repeats(shared, pixels):
    settings = CalibrationSettings("percentile", 99, samples=50, seed=3)
    assert observe_ranges(shared, pixels, settings) == observe_ranges(shared, pixels, settings)


def test_nan_is_refused(model, pixels):
    from keras.models import clone_model

    broken = clone_model(model)
    broken.set_weights([np.full_like(weight, np.nan) for weight in model.get_weights()])
    content = float_file(fix_batch(with_logits(broken)), pixels[0])
    with pytest.raises(LabError, match="NaN or infinite on the representative"):
        calibrate(content, pixels)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"observer": "median"}, "must be one of .*got 'median'"),
        ({"percentile": 50}, "above 50 and at most 100, got 50"),
        ({"percentile": 101}, "above 50 and at most 100, got 101"),
        ({"samples": 0}, "got samples=0"),
    ],
)
def test_settings_out_of_range_are_refused(fields, message):
    with pytest.raises(LabError, match=message):
        CalibrationSettings(**fields)


def squared_error(values, low, high):
    return np.square(rounded(values, low, high) - values).mean()


def test_rounding_to_8_bits_keeps_zero_and_clips():
    np.testing.assert_allclose(
        rounded(np.array([0.0, -3.0, 9.0, 1.26]), -1.0, 1.55), [0, -1, 1.55, 1.26]
    )


@given(arrays(np.float64, 200, elements=st.floats(-5, 50)))
def test_the_least_error_range_is_no_worse_than_the_whole(values):
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()), 1e-3)
    found = least_error_range(values, low, high)
    assert squared_error(values, *found) <= squared_error(values, low, high)


def test_the_least_error_range_cuts_off_an_outlier():
    values = np.append(np.random.default_rng(0).uniform(0, 1, 100_000), 3.0)
    _, high = least_error_range(values, 0.0, 3.0)
    assert 1.0 <= high < 3.0
