"""What the export tests share: a tiny classifier, its images, and its converted files.

TensorFlow is imported inside the fixtures only: the device tests below this folder run without.
"""

import numpy as np
import pytest

from tflite.runtime.contract import InputContract

LABELS = ("basophil", "eosinophil", "monocyte")
SIZE = 16


@pytest.fixture(scope="session")
def labels():
    return LABELS


@pytest.fixture(scope="session")
def contract():
    return InputContract(SIZE, SIZE)


@pytest.fixture(scope="session")
def pixels():
    """Images (24, 16, 16, 3), the brightest channel is the class; no pixel is 0 or 255."""
    generator = np.random.default_rng(0)
    images = generator.integers(20, 120, (24, SIZE, SIZE, 3))
    for number, image in enumerate(images):
        image[..., number % 3] += 100
    return images.astype(np.uint8)


@pytest.fixture(scope="session")
def label_ids():
    return np.arange(24) % 3


@pytest.fixture(scope="session")
def model(pixels, label_ids):
    """A functional classifier that has learnt these images."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(1)
    inputs = keras.Input((SIZE, SIZE, 3))
    x = layers.Rescaling(1 / 127.5, -1)(inputs)
    x = layers.Conv2D(8, 3, strides=2, use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    x = layers.ReLU()(x)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(0.2)(x)
    outputs = layers.Dense(3, activation="softmax", dtype="float32", name="predictions")(x)
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.Adam(0.03), "sparse_categorical_crossentropy")
    model.fit(pixels.astype(np.float32), label_ids, epochs=30, batch_size=24, verbose=0)
    return model


@pytest.fixture(scope="session")
def float32_file(model, pixels):
    from tflite.convert import convert
    from tflite.quantization_recipes import FLOAT32

    return convert(model, FLOAT32, pixels)


@pytest.fixture(scope="session")
def int8_file(model, pixels):
    from tflite.convert import convert
    from tflite.quantization_recipes import INT8_FULL

    return convert(model, INT8_FULL, pixels)


@pytest.fixture(scope="session")
def image_files(pixels, label_ids, tmp_path_factory):
    """The images as PNG files, with their classes."""
    from PIL import Image

    from tflite.representative import LabelledImages

    folder = tmp_path_factory.mktemp("images")
    paths = tuple(folder / f"{number:02}.png" for number in range(len(pixels)))
    for path, image in zip(paths, pixels, strict=True):
        Image.fromarray(image).save(path)
    return LabelledImages(paths, label_ids)
