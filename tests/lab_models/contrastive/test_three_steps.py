"""The collapse that study hairy met, and its cure, on drawn blobs and a tiny network."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from lab_models.contrastive.collapse_watch import CollapsedError, CollapseWatch
from lab_models.contrastive.losses import contrastive_loss
from lab_models.contrastive.projection_model import ProjectionModel
from lab_models.recipes.contrastive import Projection
from pipelines.augment_settings import hal_projection

SIZE = 16
BATCH = 16
COLOURS = np.array([(130, 90, 170), (90, 110, 190), (150, 60, 120)], float)


def draw_blobs(radii: np.ndarray, colours: np.ndarray, seed: int) -> np.ndarray:
    """Round cells on a pale ground: uint8 ``(n, SIZE, SIZE, 3)``."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:SIZE, :SIZE]
    images = np.full((len(radii), SIZE, SIZE, 3), (225.0, 205.0, 200.0))
    for image, radius, colour in zip(images, radii, colours):
        row, column = generator.uniform(5, SIZE - 5, 2)
        image[(y - row) ** 2 + (x - column) ** 2 < radius**2] = colour
    images += generator.normal(0, 8, images.shape)
    return np.clip(images, 0, 255).astype(np.uint8)


def two_classes(counts: tuple[int, int], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Small cells and large, slightly darker ones, shuffled."""
    generator = np.random.default_rng(seed)
    labels = generator.permutation(np.repeat([0, 1], counts)).astype(np.int32)
    radii = generator.uniform(2.5, 3.5, len(labels)) + 1.5 * labels
    colours = COLOURS[0] - 30 * labels[:, None] * np.array([0, 1, 0])
    return draw_blobs(radii, colours, seed), labels


TRAINING = two_classes((285, 15), seed=0)
HELD_BACK = two_classes((60, 60), seed=1)


def build_encoder() -> keras.Model:
    layers = keras.layers
    pixels = keras.Input((SIZE, SIZE, 3))
    x = layers.Rescaling(1 / 127.5, -1)(pixels)
    for filters in (8, 16):
        x = layers.Conv2D(filters, 3, strides=2, padding="same", activation="relu")(x)
    return keras.Model(pixels, layers.GlobalAveragePooling2D()(x))


@pytest.fixture(scope="module")
def pretrained() -> list[np.ndarray]:
    """Weights of an encoder that has learned another task, as ImageNet's have."""
    keras.utils.set_random_seed(0)
    generator = np.random.default_rng(2)
    labels = generator.integers(0, 4, 320)
    radii = generator.uniform(1.5, 2.5, len(labels)) + 1.5 * (labels // 2)
    images = draw_blobs(radii, COLOURS[1 + labels % 2], seed=3).astype(np.float32)
    encoder = build_encoder()
    scores = keras.layers.Dense(4, activation="softmax")(encoder.output)
    model = keras.Model(encoder.input, scores)
    model.compile(keras.optimizers.Adam(1e-2), "sparse_categorical_crossentropy")
    model.fit(images, labels, epochs=8, verbose=0)
    return encoder.get_weights()


def build_model(pretrained: list[np.ndarray]) -> ProjectionModel:
    keras.utils.set_random_seed(0)
    encoder = build_encoder()
    encoder.set_weights(pretrained)
    return ProjectionModel(encoder, Projection(units=8), hal_projection())


def train(model: ProjectionModel, phases: tuple[tuple[bool, int, float], ...]) -> CollapseWatch:
    """Trains through phases of (encoder frozen, epochs, learning rate)."""
    watch = CollapseWatch(*HELD_BACK)
    batches = tf.data.Dataset.from_tensor_slices(TRAINING).batch(BATCH, drop_remainder=True)
    for frozen, epochs, rate in phases:
        model.encoder.trainable = not frozen
        model.compile(keras.optimizers.Adam(rate), contrastive_loss("supcon_out", temperature=0.1))
        model.fit(batches, epochs=epochs, callbacks=[watch], shuffle=False, verbose=0)
    return watch


def classifier_recalls(encoder: keras.Model) -> list[float]:
    """The third step: a classifier on the frozen encoder; recall of either class."""

    def features(images: np.ndarray) -> np.ndarray:
        values = encoder.predict(images.astype(np.float32), verbose=0)
        return values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)

    head = keras.Sequential([keras.Input((16,)), keras.layers.Dense(2, activation="softmax")])
    head.compile(keras.optimizers.Adam(1e-2), "sparse_categorical_crossentropy")
    head.fit(features(TRAINING[0]), TRAINING[1], batch_size=15, epochs=40, verbose=0)
    images, truth = HELD_BACK
    answers = head.predict(features(images), verbose=0).argmax(1)
    return [float((answers[truth == label] == label).mean()) for label in (0, 1)]


def test_both_at_once_and_too_fast_collapse_and_are_caught(pretrained):
    model = build_model(pretrained)
    with pytest.raises(CollapsedError, match=r"2 epochs in a row.*encoder frozen"):
        train(model, phases=((False, 10, 0.1),))
    assert classifier_recalls(model.encoder)[1] < 0.5


def test_the_three_steps_cure_the_collapse(pretrained):
    model = build_model(pretrained)
    watch = train(model, phases=((True, 4, 1e-2), (False, 6, 3e-3)))
    assert watch.epochs[-1].mean_cosine < 0.95
    assert min(classifier_recalls(model.encoder)) > 0.9
