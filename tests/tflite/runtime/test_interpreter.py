import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tflite.runtime.errors import BundleError, LabError
from tflite.runtime.interpreter import (
    TensorRunner,
    interpreter_version,
    load_interpreter,
    tensor_quantization,
)
from tflite.runtime.preprocess import prepare_image
from tflite.runtime.quantize import TensorQuantization

pytestmark = pytest.mark.device


@pytest.mark.parametrize("threads", [0, -1, 1.5, "2", True])
def test_bad_numbers_of_threads_are_refused(golden_bundle, threads):
    with pytest.raises(LabError, match="threads must be a whole number"):
        load_interpreter(golden_bundle.model, threads)


@pytest.mark.parametrize("model", [b"", b"nothing of the kind", bytes(100)])
def test_what_cannot_be_loaded_is_a_bundle_error(model):
    with pytest.raises(BundleError, match="cannot load the model"):
        load_interpreter(model)


def test_a_missing_interpreter_says_how_to_install_it(golden_bundle, monkeypatch):
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(LabError, match=r"lab-models\[device\]"):
        load_interpreter(golden_bundle.model)


def test_the_version_names_the_interpreter():
    name, version = interpreter_version().split(" ", 1)
    assert name == "ai-edge-litert"
    assert version[0].isdigit()


def test_the_runner_knows_shapes_and_quantisation(golden_bundle):
    run = TensorRunner(golden_bundle.model)
    assert (run.input_shape, run.output_shape) == ((1, 16, 16, 3), (1, 3))
    assert run.input_quantization == TensorQuantization("int8", 1.0, -128)
    assert run.output_quantization.dtype == "int8"


def test_float_pixels_are_rounded_and_clipped_to_what_the_model_takes(golden_bundle):
    run = TensorRunner(golden_bundle.model)
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3)).astype(np.uint8)
    expected = run(pixels)
    np.testing.assert_array_equal(run(pixels.astype(np.float32) + 0.3), expected)
    beyond = np.where(pixels == 255, 400.0, pixels)
    np.testing.assert_array_equal(run(beyond), expected)


@pytest.mark.parametrize("shape", [(1, 16, 16, 3), (16, 16), (16, 16, 1), (8, 8, 3)])
def test_arrays_of_another_shape_are_refused(golden_bundle, shape):
    with pytest.raises(LabError, match=r"takes arrays of shape \(16, 16, 3\)"):
        TensorRunner(golden_bundle.model)(np.zeros(shape, np.uint8))


def test_nan_pixels_are_refused(golden_bundle):
    with pytest.raises(LabError, match="NaN"):
        TensorRunner(golden_bundle.model)(np.full((16, 16, 3), np.nan))


def test_answers_do_not_depend_on_the_number_of_threads(golden_bundle):
    pixels = np.random.default_rng(1).integers(0, 256, (16, 16, 3)).astype(np.uint8)
    one, two = (TensorRunner(golden_bundle.model, threads)(pixels) for threads in (1, 2))
    np.testing.assert_array_equal(one, two)


class SlowInterpreter:
    """Gives other threads every chance to come in between storing the input and the answer."""

    def __init__(self, interpreter):
        self._interpreter = interpreter

    def set_tensor(self, index, values):
        self._interpreter.set_tensor(index, values)
        time.sleep(0.001)

    def invoke(self):
        self._interpreter.invoke()
        time.sleep(0.001)

    def get_tensor(self, index):
        return self._interpreter.get_tensor(index)


def test_threads_that_share_a_runner_get_their_own_answers(golden, golden_bundle):
    run = TensorRunner(golden_bundle.model)
    cell = prepare_image(golden / "lymphocyte.png", golden_bundle.sidecar.input)
    # Moved sideways it gets graded scores, different ones each time.
    images = np.stack([np.roll(cell, columns, axis=1) for columns in range(8)])
    expected = [run(image) for image in images]
    assert len({tuple(scores) for scores in expected}) == len(images)
    run._interpreter = SlowInterpreter(run._interpreter)
    with ThreadPoolExecutor(len(images)) as pool:
        found = list(pool.map(run, np.concatenate([images] * 4)))
    np.testing.assert_array_equal(found, expected * 4)


def test_an_earlier_answer_is_not_overwritten_by_a_later_one(golden_bundle):
    run = TensorRunner(golden_bundle.model)
    first = run(np.zeros((16, 16, 3), np.uint8))
    kept = first.copy()
    run(np.full((16, 16, 3), 255, np.uint8))
    np.testing.assert_array_equal(first, kept)


def test_a_tensor_of_an_unknown_type_is_a_bundle_error():
    details = {"name": "pixels", "dtype": np.int16, "quantization": (0.5, 0)}
    with pytest.raises(BundleError, match="'pixels' cannot be used"):
        tensor_quantization(details)


@pytest.mark.parametrize("delegates", [True, False])
def test_without_delegates_the_graph_is_as_in_the_file(golden_bundle, delegates):
    operations = load_interpreter(golden_bundle.model, delegates=delegates)._get_ops_details()
    names = [operation["op_name"] for operation in operations]
    assert ("DELEGATE" in names) == delegates
