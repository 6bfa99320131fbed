import numpy as np
import pytest

from tflite.cures.activation_swap import count_swappable, retrain_swapped, swap_activations
from tflite.distillation import DistillationSettings
from tflite.runtime.errors import LabError

NAMES = ["silu", "hard_silu", "gelu"]
SHAPE = (4, 4, 3)


def _identity():
    """Weights of a 1x1 convolution of 3 channels that changes nothing."""
    return [np.eye(3, dtype=np.float32)[None, None], np.zeros(3, np.float32)]


def _layer(name):
    from keras import layers

    return layers.Activation(name)


def _argument(name):
    from keras import layers

    return layers.Conv2D(3, 1, activation=name)


def _operation(name):
    from keras import ops

    return getattr(ops, name)


def _nested(name):
    import keras

    image = keras.Input(SHAPE)
    return keras.Model(image, _layer(name)(image))


def _sequential(name):
    import keras

    return keras.Sequential([keras.Input(SHAPE), _layer(name)])


FORMS = [_layer, _argument, _operation, _nested, _sequential]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__[1:])
def test_every_form_becomes_relu6(form, name):
    import keras

    image = keras.Input(SHAPE)
    model = keras.Model(image, form(name)(image))
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D):
            layer.set_weights(_identity())
    images = np.random.default_rng(0).uniform(-9, 9, (5, *SHAPE)).astype(np.float32)
    before = model.predict_on_batch(images)
    assert count_swappable(model) == 1
    swapped = swap_activations(model)
    assert count_swappable(swapped) == 0
    np.testing.assert_allclose(swapped.predict_on_batch(images), np.clip(images, 0, 6), atol=1e-6)
    np.testing.assert_array_equal(model.predict_on_batch(images), before)


def _gated_net(activation, classes=3):
    """A classifier with a squeeze-excite gate of each kind."""
    import keras
    from keras import layers

    image = keras.Input((16, 16, 3))
    x = layers.Conv2D(8, 3, strides=2, use_bias=False)(layers.Rescaling(1 / 127.5, -1)(image))
    x = layers.Activation(activation)(layers.BatchNormalization()(x))
    gate = layers.Conv2D(4, 1, activation=activation)(
        layers.GlobalAveragePooling2D(keepdims=True)(x)
    )
    x = layers.Multiply()([x, layers.Conv2D(8, 1, activation="sigmoid")(gate)])
    gate = layers.Conv2D(8, 1)(layers.GlobalAveragePooling2D(keepdims=True)(x))
    x = layers.Multiply()([x, layers.ReLU(6.0)(gate + 3.0) * (1 / 6)])
    x = layers.Multiply()([x, layers.Activation("hard_sigmoid")(gate)])
    x = layers.Dropout(0.1)(layers.GlobalAveragePooling2D()(x))
    return keras.Model(image, layers.Dense(classes, activation="softmax")(x), name="gated")


@pytest.fixture(scope="module")
def gated():
    import keras

    keras.utils.set_random_seed(5)
    return _gated_net("hard_silu")


def test_gates_stay_and_weights_are_carried_over(gated):
    swapped = swap_activations(gated)
    assert count_swappable(gated) == 2
    kinds = [type(operation).__name__ for operation in gated.operations]
    after = [type(operation).__name__ for operation in swapped.operations]
    # The activation that stands alone changes its kind, the one in a convolution its argument.
    changed = [(a, b) for a, b in zip(kinds, after, strict=True) if a != b]
    assert changed == [("Activation", "ReLU")]
    functions = [getattr(layer, "activation", None) for layer in swapped.layers]
    names = [f.__name__ for f in functions if f is not None and f.__name__ != "linear"]
    assert sorted(names) == ["hard_sigmoid", "relu6", "sigmoid", "softmax"]
    for before, now in zip(gated.weights, swapped.weights, strict=True):
        assert before is not now
        np.testing.assert_array_equal(before.numpy(), now.numpy())


def test_where_hard_swish_is_relu6_the_answers_stay():
    import keras
    from keras import layers

    image = keras.Input(SHAPE)
    # A pixel of 0..255 becomes 3..6, where x * relu6(x + 3) / 6 is x.
    x = layers.Activation("hard_silu")(layers.Rescaling(3 / 255, 3.0)(image))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(x))
    model = keras.Model(image, layers.Dense(3, activation="softmax")(x))
    images = np.random.default_rng(1).integers(0, 256, (6, *SHAPE)).astype(np.float32)
    found = swap_activations(model).predict_on_batch(images)
    np.testing.assert_allclose(found, model.predict_on_batch(images), atol=1e-6)


def test_a_published_network_is_swapped_whole():
    import keras

    build = keras.applications.MobileNetV3Small
    model = build(weights=None, include_top=False, input_shape=(32, 32, 3))
    assert count_swappable(model) == 18
    assert count_swappable(swap_activations(model)) == 0


@pytest.mark.parametrize("activation", ["relu", "sigmoid", "tanh"])
def test_nothing_to_swap_is_refused(activation):
    model = _gated_net(activation)
    assert count_swappable(model) == 0
    with pytest.raises(LabError, match="'gated' has no swish, hard swish or GELU"):
        swap_activations(model)


@pytest.fixture(scope="module")
def retrained(gated, pixels, label_ids):
    """The gated net, one layer of it frozen as a phase may leave it, after swap and training."""
    import tensorflow as tf

    images, labels = pixels.astype(np.float32), np.eye(3, dtype=np.float32)[label_ids]
    batches = tf.data.Dataset.from_tensor_slices((images, labels, np.ones(24, np.float32)))
    before = gated.get_weights()
    frozen = gated.layers[2]
    frozen.trainable, said = False, []
    found = retrain_swapped(
        gated, batches.batch(8), batches.batch(8), None,
        DistillationSettings(epochs=2, learning_rate=0.01), said.append,
    )  # fmt: skip
    for old, now in zip(before, gated.get_weights(), strict=True):
        np.testing.assert_array_equal(old, now)
    assert not frozen.trainable
    frozen.trainable = True
    return found, said


def test_the_retrained_network_is_a_classifier_like_the_first(gated, retrained, pixels):
    from tflite.logits import with_logits

    network = retrained[0].network
    assert network.input_shape == gated.input_shape
    assert network.output_shape == gated.output_shape
    assert count_swappable(network) == 0
    # What was frozen is free.
    assert len(network.trainable_variables) == len(gated.trainable_variables)
    images = pixels[:4].astype(np.float32)
    scores = network.predict_on_batch(images)
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-5)
    logits = with_logits(network).predict_on_batch(images)
    powers = np.exp(logits)
    np.testing.assert_allclose(powers / powers.sum(axis=1, keepdims=True), scores, atol=1e-5)


def test_what_was_done_is_recorded_and_told(retrained):
    import json

    found, said = retrained
    assert found.record == json.loads(json.dumps(found.record))
    assert found.record["swapped_activations"] == 2
    assert found.record["epochs"] == 2
    assert found.record["learning_rate"] == 0.01
    assert found.record["best_epoch"] in (0, 1, 2)
    assert found.record["distillation_loss"] >= 0
    assert said[0].startswith("2 activations are now ReLU6")
    assert "epoch 2 of 2" in said[2]


def test_what_was_frozen_is_trainable_after_the_swap():
    import keras
    from keras import layers

    image = keras.Input(SHAPE)
    nested = keras.Sequential([keras.Input(SHAPE), layers.Conv2D(3, 1, activation="swish")])
    nested.trainable = False
    x = layers.Conv2D(3, 1, trainable=False)(nested(image))
    model = keras.Model(image, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))
    assert len(model.trainable_variables) == 2
    assert len(swap_activations(model).trainable_variables) == 6


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "activations"),
    # EfficientNetB0: the stem, 15 expansions, 16 depthwise convolutions, 16 squeezes, the top.
    [("efficientnet_b0", 49), ("mobilenet_v3_small", 18)],
)
def test_a_swapped_network_is_one_partition_of_fewer_operations(name, activations):
    from lab_models.backbones import backbone_spec
    from lab_models.classifier import build_classifier
    from tflite.audit import audit_model
    from tflite.cures.activation_swap import SwappedNetwork
    from tflite.cures.auto import SWAP, Retraining, cure_int8

    contract = backbone_spec(name).contract(64, 64)
    model = build_classifier(name, contract, tuple("abcdefgh")).model
    images = np.random.default_rng(0).integers(0, 256, (8, 64, 64, 3)).astype(np.uint8)
    swapped = Retraining(lambda: SwappedNetwork(swap_activations(model)), lambda images: b"")
    plain, cured = (
        audit_model(cure_int8(model, images, cure, lambda content: (0, 1), swapped).content)
        for cure in ("bias_correction", SWAP)
    )
    assert (cured.partitions, len(cured.refused)) == (1, 0)
    assert count_swappable(model) == activations
    assert len(cured.ops) <= len(plain.ops) - activations
