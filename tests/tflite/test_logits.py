import numpy as np
import pytest

from tflite.logits import with_logits
from tflite.runtime.errors import LabError
from tflite.runtime.scores import softmax

PIXELS = np.random.default_rng(0).uniform(0, 255, (4, 8, 8, 3)).astype(np.float32)


def classifier(end):
    import keras
    from keras import layers

    inputs = keras.Input((8, 8, 3))
    pooled = layers.GlobalAveragePooling2D()(layers.Rescaling(1 / 255)(inputs))
    return keras.Model(inputs, end(pooled))


def endings():
    from keras import layers

    return {
        "dense": layers.Dense(3, activation="softmax"),
        "layer": lambda x: layers.Softmax()(layers.Dense(3)(x)),
        "activation": lambda x: layers.Activation("softmax")(layers.Dense(3)(x)),
    }


@pytest.mark.parametrize("name", ["dense", "layer", "activation"])
def test_the_softmax_of_the_logits_is_the_model(name):
    model = classifier(endings()[name])
    logits = with_logits(model)
    np.testing.assert_allclose(
        softmax(np.asarray(logits(PIXELS))), np.asarray(model(PIXELS)), atol=1e-6
    )
    assert logits.output_shape == (None, 3)


def test_the_model_itself_stays_as_it_is():
    model = classifier(endings()["dense"])
    before = np.asarray(model(PIXELS))
    with_logits(model)
    np.testing.assert_array_equal(np.asarray(model(PIXELS)), before)
    assert model.layers[-1].activation.__name__ == "softmax"


@pytest.mark.parametrize("activation", ["linear", "sigmoid"])
def test_another_ending_is_refused(activation):
    from keras import layers

    with pytest.raises(LabError, match="must end in a softmax"):
        with_logits(classifier(layers.Dense(3, activation=activation)))
