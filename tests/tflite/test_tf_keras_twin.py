import numpy as np
import pytest

from tflite.runtime.errors import LabError

FAST = ("mobilenet_v3_small", "resnet10_half")


def _apply(model, images):
    # Called directly: compiling a graph of each backbone would cost most of the test's time.
    return np.asarray(model(images, training=False))


def _settle(model, images):
    """Gives normalisations the statistics of these images, so that signals reach the end."""
    import keras

    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    model(images, training=True)


def _check_backbone(name, side=32, tolerance=1e-5):
    import keras

    from lab_models.backbones import backbone_spec
    from lab_models.classifier import build_classifier
    from tflite.tf_keras_twin import build_twin

    spec = backbone_spec(name)
    side = max(side, spec.minimum_size)
    generator = np.random.default_rng(0)
    keras.utils.set_random_seed(1)
    model = build_classifier(
        name, spec.contract(side, side), list("abcde"), normalize_features=True
    ).model
    images = generator.integers(0, 256, (4, side, side, 3)).astype(np.float32)
    _settle(model, images)
    twin = build_twin(model)
    expected = _apply(model, images)
    assert expected.std(0).max() > 1e-4  # different answers: something is compared
    np.testing.assert_allclose(_apply(twin.model, images), expected, atol=tolerance)
    for before, after in zip(model.get_weights(), twin.weights_of(), strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("name", FAST)
def test_twins_of_backbones_compute_the_same(name):
    _check_backbone(name)


def _all_backbones():
    from lab_models.backbones import list_backbones

    return [n for n in list_backbones() if n not in FAST]


@pytest.mark.slow
@pytest.mark.parametrize("name", _all_backbones())
def test_twins_of_all_other_backbones_compute_the_same(name):
    # At 32 px the last maps of deep networks have one pixel, whose batch statistics over four
    # images are so narrow that they blow up the rounding of float32.
    # The deepest adds up twice as much of it.
    _check_backbone(name, side=96, tolerance=2e-5 if name == "resnet152" else 1e-5)


def _nested():
    import keras
    from keras import layers

    inner_input = keras.Input((8, 8, 4))
    x = layers.SeparableConv2D(6, 3, padding="same", activation="hard_silu")(inner_input)
    inner = keras.Model(inner_input, x + 0.5, name="inner")
    image = keras.Input((8, 8, 3))
    x = layers.Rescaling(1 / 255)(image)
    x = layers.Normalization(mean=[0.4, 0.5, 0.6], variance=[0.04, 0.09, 0.01])(x)
    x = layers.Conv2D(4, 3, padding="same", activation="swish")(x)
    x = layers.DepthwiseConv2D(3, padding="same", activation="hard_sigmoid")(x)
    # The nested model twice: its weights are shared.
    x = keras.Sequential([layers.Conv2D(4, 1, activation="relu6")])(inner(x) * inner(x))
    x = layers.Dense(3, activation="tanh")(layers.GlobalMaxPooling2D()(x))
    return keras.Model(image, layers.Softmax()(x))


def test_nested_shared_and_separable_layers_and_activations():
    from tflite.tf_keras_twin import build_twin
    from tflite.tf_keras_weights import INPUT_SCALING

    model = _nested()
    twin = build_twin(model)
    images = np.random.default_rng(0).uniform(0, 255, (3, 8, 8, 3)).astype(np.float32)
    np.testing.assert_allclose(_apply(twin.model, images), _apply(model, images), atol=1e-5)
    np.testing.assert_allclose(twin.scale, [1 / 51, 1 / 76.5, 1 / 25.5], rtol=1e-6)
    assert not twin.model.get_layer(INPUT_SCALING).trainable


def test_trained_weights_come_back():
    from tflite.tf_keras_twin import build_twin

    model = _nested()
    twin = build_twin(model)
    twin.model.set_weights([w * 1.1 + 0.01 for w in twin.model.get_weights()])
    # The scaling is not trained, so it has no way back.
    from tflite.tf_keras_weights import INPUT_SCALING, set_input_scaling

    set_input_scaling(twin.model.get_layer(INPUT_SCALING), twin.scale, twin.offset)
    before = model.get_weights()
    images = np.random.default_rng(0).uniform(0, 255, (3, 8, 8, 3)).astype(np.float32)
    copy = twin.to_keras()
    np.testing.assert_allclose(_apply(copy, images), _apply(twin.model, images), atol=1e-5)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def test_unknown_layers_are_named():
    import keras
    from keras import layers

    from tflite.tf_keras_twin import build_twin

    image = keras.Input((8, 8, 3))
    x = layers.GroupNormalization(1, name="groups")(image)
    model = keras.Model(image, layers.Flatten()(x))
    with pytest.raises(LabError, match=r"'groups'.*GroupNormalization"):
        build_twin(model)
    odd = layers.Conv2D(2, 1, activation=keras.activations.mish, name="odd")(image)
    with pytest.raises(LabError, match=r"mish.*'odd'"):
        build_twin(keras.Model(image, layers.Flatten()(odd)))


def test_only_one_image_goes_in():
    import keras

    from tflite.tf_keras_twin import build_twin

    pair = [keras.Input((4,)), keras.Input((4,))]
    with pytest.raises(LabError, match="one input"):
        build_twin(keras.Model(pair, keras.layers.Add()(pair)))


def test_weights_of_another_model_are_refused():
    import tf_keras

    from tflite.tf_keras_twin import build_twin

    image = tf_keras.Input((8, 8, 3))
    with pytest.raises(LabError, match="no layer"):
        build_twin(_nested()).weights_of(tf_keras.Model(image, image))
