"""A multiplication by one positive constant behind a layer with a kernel goes into its scales.

``m (W x + b) = (m W) x + (m b)``: the stored integers of kernel and bias stay, their scales are
multiplied by m, and the layer writes the multiplication's output itself. One rounding instead of
two, hence within one quantum wherever the tensor between did not clip at the ends of its range.
That is the division by 6 of a hard sigmoid, ``relu6(x + 3) / 6``,
whose addition the converter puts into the bias by itself: all that is left of MobileNetV3's hard
sigmoid in squeeze-excite is its convolution.

A fused RELU6 clips at 6, which becomes 6 m; the output tensor is given a scale that ends there
(``6 m / 255``, zero point -128) unless it ends below already, and saturation does the clipping.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tflite.flatbuffer import Graph, enum_value, fused_activation
from tflite.rewrites.change import Change
from tflite.rewrites.kernels import (
    INT8_MINIMUM,
    int8_kernel,
    is_int8,
    real_scalar,
    scale_output,
)

_CLIPS_AT_ZERO = ("RELU", "RELU6")
_SIX, _QUANTA = 6.0, 255


def rewrite_multiply(graph: Graph) -> list[Change]:
    """Folds every such MUL; within one quantum.

    Args:
        graph: Changed in place.
    """
    changes = []
    for operator in list(graph.operators):
        found = _foldable(graph, operator)
        if found is None:
            continue
        producer, factor = found
        (after,) = graph.output_tensors(operator)
        activation = fused_activation(producer)
        scale_output(graph, producer, factor)
        if activation in _CLIPS_AT_ZERO:
            _end_at_clip(graph, after, activation, factor)
        if activation == "RELU6":
            producer.builtinOptions.fusedActivationFunction = enum_value(
                "ActivationFunctionType", "RELU"
            )
        producer.outputs = operator.outputs
        graph.replace_operator(operator, [])
        what = f"MUL by {factor:.6g} into {graph.op_name(producer)}"
        changes.append(Change("multiply", graph.name(after), what))
    return changes


def _foldable(graph: Graph, operator: Any) -> tuple[Any, float] | None:
    if graph.op_name(operator) != "MUL" or fused_activation(operator) != "NONE":
        return None
    left, right = graph.input_tensors(operator)
    (after,) = graph.output_tensors(operator)
    for data, other in ((left, right), (right, left)):
        factor, producer = real_scalar(graph, other), graph.producer(data)
        if (
            factor is not None
            and factor > 0
            and producer is not None
            and int8_kernel(graph, producer)
            and is_int8(graph, after)
            and graph.only_consumer(data) is operator
            and fused_activation(producer) in ("NONE", *_CLIPS_AT_ZERO)
            and graph.shape(data) == graph.shape(after)
        ):
            return producer, factor
    return None


def _end_at_clip(graph: Graph, after: int, activation: str, factor: float) -> None:
    """Lets the ends of an int8 tensor be the ends that the activation clips at."""
    found = graph.quantization(after)
    if found is None:
        raise TypeError("An int8 tensor must be quantised.")
    scale = found.scale
    if activation == "RELU6":
        scale = min(scale, _SIX * factor / _QUANTA)
    statistics = graph.tensors[after].quantization
    statistics.scale = np.array([scale], np.float32)
    statistics.zeroPoint = np.array([INT8_MINIMUM], np.int64)
    statistics.min = statistics.max = None
