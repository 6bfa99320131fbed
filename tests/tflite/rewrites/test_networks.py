"""Whole networks: one partition, and no further from float than before."""

import keras
import numpy as np
import pytest

from lab_models.backbones import backbone_spec
from lab_models.classifier import build_classifier
from tflite.calibration import calibrate, float_file, quantize_file
from tflite.convert import fix_batch
from tflite.flatbuffer import Graph
from tflite.logits import with_logits
from tflite.rewrites import prove_rewrite, recommended_quantization, rewrite_graph
from tflite.runtime.interpreter import TensorRunner

SIZE = {"xception": 96}
pytestmark = pytest.mark.timeout(1800)


def _network(name, size):
    """A classifier of random weights whose activations are spread as in a trained one."""
    keras.utils.set_random_seed(1)
    generator = np.random.default_rng(0)
    contract = backbone_spec(name).contract(size, size)
    model = build_classifier(name, contract, tuple("abcdefgh")).model
    coarse = generator.integers(0, 256, (8, 8, 8, 3)).astype(np.float32)
    images = np.repeat(np.repeat(coarse, size // 8, 1), size // 8, 2).astype(np.uint8)
    for layer in model._flatten_layers(include_self=False):
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.gamma.assign(generator.uniform(0.6, 1.4, layer.gamma.shape))
            layer.beta.assign(generator.normal(0, 0.3, layer.beta.shape))
            layer.momentum = 0.0  # statistics of this one batch
    model(images.astype(np.float32), training=True)
    return fix_batch(with_logits(model)), images


def _answers(content, images):
    run = TensorRunner(content)
    return np.stack([run(image) for image in images])


def _is_exact(change):
    """Whether a change claims to be equal byte for byte."""
    return change.rewrite in ("columns", "broadcast") or change.description == "RELU to QUANTIZE"


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "resnet18",
        "resnet34",
        "resnet50",
        "xception",
        "efficientnet_b0",
        "mobilenet_v3_small",
        "mobilenet_v3_large",
    ],
)
def test_an_int8_network_is_one_partition(name):
    model, images = _network(name, SIZE.get(name, 64))
    float_content = float_file(model, images[0])
    before = quantize_file(calibrate(float_content, images))
    result = rewrite_graph(before)
    proof = prove_rewrite(before, result.content, images, 2)
    assert (proof.delegates_after, proof.other_operators_after) == (1, 0)
    assert rewrite_graph(result.content).changes == ()
    if all(_is_exact(change) for change in result.changes):
        assert proof.reference == 0
    else:
        expected = np.concatenate([model.predict_on_batch(i[None].astype("f")) for i in images])
        errors = [np.abs(_answers(c, images) - expected).mean() for c in (before, result.content)]
        # Other roundings, as many to the better as to the worse.
        assert errors[1] <= 1.3 * errors[0]
    assert recommended_quantization(float_content).recipe == "int8_full"


@pytest.mark.slow
def test_convnext_is_recommended_dynamic_int8_and_stays_one_partition():
    import tensorflow as tf

    model, images = _network("convnext_tiny", 64)
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    plain = bytes(converter.convert())
    assert recommended_quantization(plain).recipe == "dynamic_int8"
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    dynamic = bytes(converter.convert())
    expected = np.concatenate([model.predict_on_batch(i[None].astype("f")) for i in images])
    for content, limit in ((plain, 1e-4), (dynamic, 0.1)):
        result = rewrite_graph(content)
        assert {change.rewrite for change in result.changes} == {"large_depthwise"}
        assert len(result.changes) == 18
        proof = prove_rewrite(content, result.content, images[:2], 1)
        assert (proof.delegates_after, proof.other_operators_after) == (1, 0)
        assert np.abs(_answers(result.content, images) - expected).max() <= limit
        assert Graph.read(result.content).op_counts()["DEPTHWISE_CONV_2D"] == 54


def _vision_transformer(side=64, patch=16, width=32, depth=2, heads=2):
    """ViT (Dosovitskiy et al. 2021) with mean pooling, of a few small blocks."""
    from keras import layers

    keras.utils.set_random_seed(0)
    image = keras.Input((side, side, 3))
    x = layers.Conv2D(width, patch, strides=patch)(layers.Rescaling(1 / 127.5, -1)(image))
    patches = (side // patch) ** 2
    x = layers.Reshape((patches, width))(x)
    x = x + layers.Embedding(patches, width)(keras.ops.arange(patches))
    for _ in range(depth):
        y = layers.LayerNormalization()(x)
        x = x + layers.MultiHeadAttention(heads, width // heads)(y, y)
        y = layers.Dense(4 * width, activation="gelu")(layers.LayerNormalization()(x))
        x = x + layers.Dense(width)(y)
    pooled = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(x))
    return keras.Model(image, layers.Dense(5, activation="softmax")(pooled))


@pytest.mark.slow
def test_a_vision_transformer_is_recommended_dynamic_int8_in_one_partition():
    from tflite.convert import convert
    from tflite.quantization_recipes import DYNAMIC_INT8, FLOAT32
    from tflite.rewrites.prove import delegate_parts

    model = _vision_transformer()
    images = np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3)).astype(np.uint8)
    plain = convert(model, FLOAT32, images)
    found = recommended_quantization(plain)
    assert found.recipe == "dynamic_int8"
    assert {"SOFTMAX", "GELU"} <= set(found.operators)
    assert delegate_parts(convert(model, DYNAMIC_INT8, images)) == (1, 0)
    shared = float_file(fix_batch(with_logits(model)), images[0])
    assert delegate_parts(quantize_file(calibrate(shared, images)))[0] > 1
