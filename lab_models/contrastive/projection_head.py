"""The projection head: from features to embeddings on the unit sphere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab_models.recipes.contrastive import Projection

if TYPE_CHECKING:
    import keras


def build_projection_head(features: int, settings: Projection) -> keras.Model:
    """Builds the head of study hairy's projection networks.

    Both normalisations are float32 whatever the policy: the squares of 2048 features may sum to
    more than half precision holds.

    Args:
        features: Length of the encoder's features.
        settings: See `Projection`.

    Returns:
        Functional model, ``(batch, features)`` to float32 ``(batch, settings.units)``.
    """
    import keras
    from keras import layers

    inputs = keras.Input((features,), name="features")
    x = inputs
    if settings.normalize_features:
        x = layers.UnitNormalization(dtype="float32", name="normalized_features")(x)
    x = layers.Dropout(settings.dropout, name="dropout")(x)
    if settings.hidden_units:
        x = layers.Dense(settings.hidden_units, activation="relu", name="hidden")(x)
    if settings.normalize_embeddings:
        x = layers.Dense(settings.units, name="projection")(x)
        embeddings = layers.UnitNormalization(dtype="float32", name="embeddings")(x)
    else:
        embeddings = layers.Dense(settings.units, dtype="float32", name="embeddings")(x)
    return keras.Model(inputs, embeddings, name="projection_head")
