"""Cuts the softmax off a classifier, so that a device's file ends in logits.

XNNPACK has no int8 softmax: left in the file, it would be a second, slow partition, and its 8-bit
scores could say nothing finer than 1/256. The runtime computes the softmax of the few logits in
floating point instead, with the temperature that calibrates them (`tflite.runtime.scores`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tflite.runtime.errors import LabError

if TYPE_CHECKING:
    import keras

LOGITS = "logits"


def with_logits(model: keras.Model) -> keras.Model:
    """The classifier without its last softmax; every layer but the last is shared with `model`.

    Args:
        model: Functional; its last layer is a ``Dense`` or ``Activation`` with a softmax, or a
            ``Softmax`` layer.

    Returns:
        Functional model with the same input, output float32 logits ``(batch, classes)`` of which
        `model`'s output is the softmax.

    Raises:
        LabError: If the model does not end in a softmax.
    """
    import keras

    history = model.outputs[0]._keras_history
    last = history.operation
    before = last._inbound_nodes[history.node_index].input_tensors[0]
    if isinstance(last, keras.layers.Softmax) or _is_plain_activation(last):
        return keras.Model(model.inputs[0], before, name=model.name)
    if not isinstance(last, keras.layers.Dense) or not _is_softmax(last):
        raise LabError(
            "A classifier must end in a softmax over its classes (a Dense layer with "
            f"activation='softmax'), but the last layer is {last.name!r} ({type(last).__name__})."
        )
    linear = keras.layers.Dense.from_config(
        {**last.get_config(), "activation": "linear", "name": LOGITS}
    )
    logits = linear(before)
    linear.set_weights(last.get_weights())
    return keras.Model(model.inputs[0], logits, name=model.name)


def _is_softmax(layer: Any) -> bool:
    import keras

    return getattr(layer, "activation", None) is keras.activations.softmax


def _is_plain_activation(layer: Any) -> bool:
    import keras

    return isinstance(layer, keras.layers.Activation) and _is_softmax(layer)
