"""The classifier: a backbone, pooled features, dropout, and a softmax over the classes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lab_models.backbones import build_backbone
from tflite.runtime.contract import InputContract

if TYPE_CHECKING:
    import keras

FEATURES = "pooled_features"
NORMALIZED = "normalized_features"
PREDICTIONS = "predictions"


@dataclass(frozen=True)
class Classifier:
    """A classifier and its parts, which share their weights.

    Args:
        model: Functional, pixel values ``(batch, height, width, 3)`` in 0..255 to class scores
            ``(batch, classes)``, float32, each row summing to 1.
        encoder: The same input to the pooled features ``(batch, features)``, not normalised.
        head: Pooled features ``(batch, features)`` to class scores, by the layers of `model`.
        backbone_layers: Names of the layers that phases freeze and train.
    """

    model: keras.Model
    encoder: keras.Model
    head: keras.Model
    backbone_layers: tuple[str, ...]


def build_classifier(
    backbone: str,
    contract: InputContract,
    classes: Sequence[str],
    dropout: float = 0.2,
    weights: str = "random",
    normalize_features: bool = False,
) -> Classifier:
    """Builds the classifier of studies hairy (HAL-T, HAL-C) and an2dl.

    Image, rescale, backbone, global average pooling, in HAL-C the features brought to length 1,
    dropout, dense, softmax. At 256 px with
    Xception and 20 classes it has 20,902,460 parameters, of which the encoder 20,861,480.

    Args:
        backbone: A name of `lab_models.backbones.list_backbones`.
        contract: The input contract, from the same backbone.
        classes: Class names, in the order of the scores.
        dropout: Share of the pooled features dropped in training.
        weights: Of the backbone; see `lab_models.backbones.build_backbone`.
        normalize_features: Whether the pooled features are brought to length 1, as in HAL-C.

    Raises:
        LabError: If the backbone or the weights cannot be had.
        ValueError: If there are fewer than two classes.
    """
    import keras
    from keras import layers

    if len(classes) < 2:
        raise ValueError(f"A classifier needs at least two classes, got {list(classes)}.")
    body = build_backbone(backbone, contract, weights)
    features = layers.GlobalAveragePooling2D(name=FEATURES)(body.model.output)
    apply_head = _head_layers(len(classes), dropout, normalize_features)
    inputs = keras.Input(features.shape[1:], name="features")
    name = f"{backbone}_classifier"
    return Classifier(
        keras.Model(body.model.input, apply_head(features), name=name),
        keras.Model(body.model.input, features, name=f"{backbone}_encoder"),
        keras.Model(inputs, apply_head(inputs), name="classifier_head"),
        body.layers,
    )


def _head_layers(classes: int, dropout: float, normalize: bool) -> Callable[[Any], Any]:
    """From features to scores; each call goes through the same layers."""
    from keras import layers

    # float32 whatever the policy: the squares of 2048 features may exceed half precision, and a
    # softmax in it loses the small scores.
    square = layers.Dot(axes=1, dtype="float32", name="squared_length")
    scale = layers.Multiply(dtype="float32", name=NORMALIZED)
    drop = layers.Dropout(dropout, name="dropout")
    dense = layers.Dense(classes, activation="softmax", dtype="float32", name=PREDICTIONS)

    def apply(features: Any) -> Any:
        if normalize:
            features = scale([features, _inverse_root(square([features, features]))])
        return dense(drop(features))

    return apply


def _inverse_root(squared_length: Any) -> Any:
    """One over the length. With the layers around it, Keras's UnitNormalization in parts that
    int8 kernels exist for.
    """
    from keras import ops

    return ops.rsqrt(ops.maximum(squared_length, 1e-12))
