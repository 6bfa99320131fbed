import os


def test_keras_3_stays_in_charge():
    import tensorflow as tf

    from tflite.tfmot import tfmot

    assert "TF_USE_LEGACY_KERAS" not in os.environ
    assert tf.keras.version().startswith("3.")
    assert hasattr(tfmot.sparsity.keras, "prune_low_magnitude")
    # It looks for the Keras that TensorFlow uses when it is imported.
    import keras_cv.src.backend.config as keras_cv_config

    assert keras_cv_config.keras_3()
