"""A tiny encoder and images for it, as small as a convolutional network can be."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from lab_models.contrastive.projection_model import ProjectionModel
from lab_models.recipes import Projection

CLASSES = 4


def tiny_encoder(batch_norm: bool = False) -> keras.Model:
    """24 x 24 pixels to 12 features."""
    layers = keras.layers
    image = keras.Input((24, 24, 3))
    x = layers.Rescaling(1 / 127.5, -1)(image)
    x = layers.Conv2D(8, 3, strides=2, activation="relu")(x)
    if batch_norm:
        x = layers.BatchNormalization()(x)
    x = layers.Conv2D(12, 3, strides=2, activation="relu")(x)
    return keras.Model(image, layers.GlobalAveragePooling2D()(x))


def projection_model(
    *, batch_norm: bool = False, dropout: float = 0.2, units: int = 6, **options: Any
) -> ProjectionModel:
    """The same weights every time."""
    keras.utils.set_random_seed(3)
    encoder = tiny_encoder(batch_norm)
    return ProjectionModel(encoder, Projection(units=units, dropout=dropout), **options)


def images_and_labels(count: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """Noise of a colour that belongs to the class."""
    random = np.random.default_rng(0)
    labels = random.integers(0, CLASSES, count)
    colours = np.linspace(40, 200, CLASSES)[labels][:, None, None, None]
    images = np.clip(colours + random.normal(0, 30, (count, 24, 24, 3)), 0, 255)
    return images.astype("uint8"), labels
