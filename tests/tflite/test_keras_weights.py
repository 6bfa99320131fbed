import numpy as np
import pytest


@pytest.fixture
def adapted():
    """A network that begins with a fitted normalisation, and images for it."""
    import keras
    from keras import layers

    images = np.random.default_rng(0).normal(90, 20, (8, 6, 6, 3)).astype(np.float32)
    image = keras.Input((6, 6, 3))
    normalization = layers.Normalization(axis=-1)
    features = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(normalization(image)))
    model = keras.Model(image, layers.Dense(3, activation="softmax")(features))
    normalization.adapt(images)
    return model, images


def test_a_copy_normalises_as_its_original(adapted):
    import keras

    from tflite.keras_weights import give_weights

    model, images = adapted
    copy = keras.models.clone_model(model)
    give_weights(copy, model.get_weights())
    expected = model.predict_on_batch(images)
    np.testing.assert_allclose(copy.predict_on_batch(images), expected, atol=1e-6)


def test_weights_of_another_model_are_refused(adapted):
    from tflite.keras_weights import give_weights

    with pytest.raises(ValueError, match="weights"):
        give_weights(adapted[0], adapted[0].get_weights()[:-1])


def test_a_mixed_precision_network_keeps_its_normalisation(adapted):
    import keras

    from tflite.convert import as_float32

    model, images = adapted

    def in_half(layer):
        return type(layer).from_config({**layer.get_config(), "dtype": "mixed_bfloat16"})

    mixed = keras.models.clone_model(model, clone_function=in_half)
    for layer, own in zip(mixed.layers, model.layers, strict=True):
        layer.set_weights(own.get_weights())
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()
    found = as_float32(mixed).predict_on_batch(images)
    np.testing.assert_allclose(found, model.predict_on_batch(images), atol=1e-6)
