"""Finding layers and weights in a ``tf_keras`` model, TFMOT's wrappers or not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tflite.runtime.errors import LabError

if TYPE_CHECKING:
    import tf_keras

INPUT_SCALING = "input_scaling"
"""Name of the layer of a twin that gives the scaled image."""
INPUT_FACTOR = "input_scaling.factor"
"""Name of the layer before it, where the scaling is a product and a sum."""


def unwrap(layer: Any) -> Any:
    """The layer that TFMOT's wrappers, if there are any, are around."""
    while hasattr(layer, "layer"):
        layer = layer.layer
    return layer


def layers_by_name(model: tf_keras.Model) -> dict[str, Any]:
    """The layers of a ``tf_keras`` model, each under the name it has without its wrappers.

    A wrapper holds the kernel that it rounds or prunes, so weights are looked for in it.
    """
    return {unwrap(layer).name: layer for layer in model.layers}


def weight_of(layer: Any, name: str) -> Any:
    """A layer's variable by the last part of its name, such as ``kernel``, trained or not.

    Raises:
        LabError: If it has none of that name.
    """
    for weight in layer.weights:
        if weight.name.split(":")[0].split("/")[-1] == name:
            return weight
    raise LabError(f"Layer {layer.name!r} ({type(layer).__name__}) has no weight {name!r}.")


def set_input_scaling(layer: Any, scale: Any, offset: Any) -> None:
    """Gives the scaling layer of a twin its numbers.

    Args:
        layer: Depthwise 1x1 convolution.
        scale: ``(channels,)``, factor of pixel values.
        offset: ``(channels,)``, added then.
    """
    kernel = np.reshape(np.asarray(scale, np.float32), (1, 1, -1, 1))
    weight_of(layer, "depthwise_kernel").assign(kernel)
    weight_of(layer, "bias").assign(np.asarray(offset, np.float32))
