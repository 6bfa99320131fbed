import numpy as np

from tflite.calibration import calibrate, float_file
from tflite.convert import fix_batch
from tflite.cures.sensitive_layers import layer_errors, most_sensitive_tensors
from tflite.schema import read_model, text


def test_a_layer_whose_output_has_a_rare_peak_is_found(pixels):
    """A channel a thousand times the others takes all the steps of its layer."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(2)
    inputs = keras.Input((16, 16, 3))
    x = layers.Conv2D(8, 3, activation="relu")(layers.Rescaling(1 / 255)(inputs))
    peaked = layers.Conv2D(8, 1, name="peaked")
    x = layers.Conv2D(8, 1)(peaked(x))
    model = keras.Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)))
    kernel, bias = peaked.get_weights()
    peaked.set_weights([kernel * np.array([1000] + [1] * 7, np.float32), bias])
    calibrated = calibrate(float_file(fix_batch(model), pixels[0]), pixels)
    errors = layer_errors(calibrated, pixels[:4])
    assert [layer.error for layer in errors] == sorted((e.error for e in errors), reverse=True)
    assert errors[0].error > 0.3  # more than rounding, which gives 0.29
    names = {text(t.name) for t in read_model(calibrated).subgraphs[0].tensors}
    worst = most_sensitive_tensors(calibrated, pixels, 2)
    assert worst == tuple(layer.tensor for layer in errors[:2])
    assert set(worst) <= names
    assert most_sensitive_tensors(calibrated, pixels, 0) == ()
