"""Giving a Keras model its weights so that it computes with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras


def give_weights(model: keras.Model, values: Sequence[np.ndarray]) -> None:
    """Sets all weights of a model, normalisation statistics of its input included.

    ``set_weights`` alone leaves a ``Normalization`` layer computing with the mean and variance
    that it had before: it keeps a copy of its weights, which only its own ways of loading renew.

    Args:
        model: Changed in place.
        values: As from ``get_weights()`` of a model of the same layers.

    Raises:
        ValueError: If they do not fit.
    """
    import keras

    model.set_weights(values)
    for layer in model._flatten_layers(include_self=False):
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()
