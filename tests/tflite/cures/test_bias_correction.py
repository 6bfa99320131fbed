import numpy as np
import pytest

from tflite.calibration import calibrate, float_file, quantize_file
from tflite.convert import fix_batch
from tflite.cures.bias_correction import correct_biases
from tflite.runtime.interpreter import TensorRunner


def network():
    """A plain, a depthwise and a pointwise convolution, all with a bias."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(5)
    inputs = keras.Input((16, 16, 3))
    x = layers.Rescaling(1 / 255)(inputs)
    x = layers.Conv2D(6, 3, activation="relu", bias_initializer="ones")(x)
    x = layers.DepthwiseConv2D(3, bias_initializer="ones")(x)
    x = layers.Conv2D(5, 1, bias_initializer="ones")(x)
    return keras.Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)))


@pytest.fixture(scope="module")
def files(pixels):
    calibrated = calibrate(float_file(fix_batch(network()), pixels[0]), pixels)
    return calibrated, quantize_file(calibrated)


def coarser(quantized):
    """The int8 file with kernels rounded to 5 bits and up: an error with a mean of its own."""
    from tflite.flatbuffer import Graph
    from tflite.schema import set_constant, write_model

    graph = Graph.read(quantized)
    for op in graph.operators:
        if graph.op_name(op) in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            kernel = graph.constant(int(op.inputs[1]))
            rounded = np.minimum(np.ceil(kernel / 8) * 8, 120).astype(np.int8)
            set_constant(graph.model, int(op.inputs[1]), rounded)
    return write_model(graph.model)


def mean_answer(content, images):
    run = TensorRunner(content)
    return np.stack([run(image) for image in images]).mean(axis=0)


def test_the_mean_error_of_rounded_kernels_goes_into_the_biases(files, pixels):
    calibrated, quantized = files
    broken = coarser(quantized)
    expected = mean_answer(calibrated, pixels)
    before = np.abs(mean_answer(broken, pixels) - expected).max()
    after = np.abs(mean_answer(correct_biases(broken, calibrated, pixels), pixels) - expected).max()
    assert before > 0.05
    assert after < before / 4


def test_only_biases_change(files, pixels):
    from tflite.flatbuffer import Graph

    calibrated, quantized = files
    before, after = Graph.read(quantized), Graph.read(correct_biases(quantized, calibrated, pixels))
    assert before.op_counts() == after.op_counts()
    for tensor in range(len(before.tensors)):
        old, new = before.constant(tensor), after.constant(tensor)
        if old is not None and old.dtype != np.int32:
            np.testing.assert_array_equal(old, new)
