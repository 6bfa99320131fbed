import numpy as np
import pytest

from tflite.calibration import float_file
from tflite.convert import fix_batch
from tflite.cures.equalization import equalize
from tflite.flatbuffer import Graph
from tflite.runtime.interpreter import TensorRunner


def uneven_network(activation="relu"):
    """Two pairs whose first kernels have channels of very different sizes."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(2)
    inputs = keras.Input((16, 16, 3))
    first = layers.Conv2D(6, 3, activation=activation, name="first")
    x = first(layers.Rescaling(1 / 255)(inputs))
    x = layers.DepthwiseConv2D(3, padding="same", activation=activation, name="second")(x)
    x = layers.Conv2D(4, 1, activation=activation, name="third")(x)
    model = keras.Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)))
    kernel, bias = first.get_weights()
    factor = np.array([0.01, 0.1, 1, 1, 10, 30], np.float32)
    first.set_weights([kernel * factor, bias + 0.1])
    return model


def kernel_ranges(content):
    graph = Graph.read(content)
    found = []
    for op in graph.operators:
        name = graph.op_name(op)
        if name in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            kernel = np.abs(graph.constant(int(op.inputs[1])))
            inward = kernel.reshape(-1, kernel.shape[-1]).max(axis=0)
            outward = inward if name == "DEPTHWISE_CONV_2D" else kernel.max(axis=(1, 2, 3))
            found.append((inward, outward))
    return found


@pytest.fixture(scope="module")
def relu_file(pixels):
    return float_file(fix_batch(uneven_network()), pixels[0])


def answers(content, images):
    run = TensorRunner(content)
    return np.stack([run(image) for image in images])


def test_the_network_stays_the_same(relu_file, pixels):
    before, after = answers(relu_file, pixels), answers(equalize(relu_file), pixels)
    np.testing.assert_allclose(after, before, rtol=1e-4, atol=1e-5)


def test_neighbouring_kernels_have_equal_ranges_channel_by_channel(relu_file):
    for made, taken in (((0, 1), (1, 0)), ((1, 1), (2, 0))):
        before, after = kernel_ranges(relu_file), kernel_ranges(equalize(relu_file))
        uneven = before[made[0]][made[1]] / before[taken[0]][taken[1]]
        even = after[made[0]][made[1]] / after[taken[0]][taken[1]]
        assert uneven.max() / uneven.min() > 1.5
        np.testing.assert_allclose(even, 1, rtol=0.02)


def test_an_activation_that_does_not_scale_is_left_alone(pixels):
    content = float_file(fix_batch(uneven_network("relu6")), pixels[0])
    for before, after in zip(kernel_ranges(content), kernel_ranges(equalize(content)), strict=True):
        np.testing.assert_array_equal(before[0], after[0])
