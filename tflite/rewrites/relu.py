"""A stand-alone int8 ReLU, which XNNPACK does not take, in operators that it takes.

An int8 tensor whose zero point is -128 holds no negative number: whatever is below zero is stored
as -128, which is zero. So changing the scale of a tensor to such a one, which is what the operator
QUANTIZE does between int8 tensors, is a ReLU: ``max(-128, round(s_in / s_out (q - z_in)) - 128)``.
RELU's own kernel computes just that, so the two are equal byte for byte. A RELU6 clips at 6
besides; where the largest number that its output holds, ``255 s_out``, is not above 6, saturation
at 127 does that too.

Where the ReLU is all that reads the output of an addition or a layer with a kernel, that operator
applies it itself and writes the ReLU's output: one pass less, and one rounding instead of two,
hence within one quantum wherever the tensor between did not clip at the upper end of its range.
"""

from __future__ import annotations

from typing import Any

from tflite.flatbuffer import Graph, enum_value, fused_activation, make_operator, options_object
from tflite.rewrites.change import Change
from tflite.rewrites.kernels import INT8_MINIMUM, KERNEL_OPS, is_int8

_SIX = 6.0
# Scales are float32: the largest number of a tensor calibrated to 6 may be 6.0000005.
_TOLERANCE = 1e-5
_CAN_FUSE = (*KERNEL_OPS, "ADD", "SUB", "MUL")


def rewrite_relu(graph: Graph) -> list[Change]:
    """Replaces every int8 RELU and RELU6 that can be; bit-exact, or within one quantum if fused.

    Args:
        graph: Changed in place.
    """
    changes = []
    for operator in list(graph.operators):
        if not _saturation_is_the_activation(graph, operator):
            continue
        name = graph.op_name(operator)
        (before,), (after,) = graph.input_tensors(operator), graph.output_tensors(operator)
        producer = graph.producer(before)
        if graph.only_consumer(before) is operator and _can_fuse(graph, producer):
            _fuse(graph, producer, operator, after)
            what = f"{name} into {graph.op_name(producer)}"
        else:
            quantize = make_operator(
                graph.model, "QUANTIZE", [before], [after], options_object("QuantizeOptions"), 2
            )
            graph.replace_operator(operator, [quantize])
            what = f"{name} to QUANTIZE"
        changes.append(Change("relu", graph.name(after), what))
    return changes


def _saturation_is_the_activation(graph: Graph, operator: Any) -> bool:
    if graph.op_name(operator) not in ("RELU", "RELU6"):
        return False
    (before,), (after,) = graph.input_tensors(operator), graph.output_tensors(operator)
    found = graph.quantization(after)
    if not is_int8(graph, before, after) or found is None or found.zero_point != INT8_MINIMUM:
        return False
    return graph.op_name(operator) == "RELU" or 255 * found.scale <= _SIX * (1 + _TOLERANCE)


def _can_fuse(graph: Graph, producer: Any | None) -> bool:
    return (
        producer is not None
        and graph.op_name(producer) in _CAN_FUSE
        and producer.builtinOptions is not None
        and fused_activation(producer) == "NONE"
    )


def _fuse(graph: Graph, producer: Any, operator: Any, after: int) -> None:
    producer.outputs = operator.outputs
    producer.builtinOptions.fusedActivationFunction = enum_value("ActivationFunctionType", "RELU")
    graph.replace_operator(operator, [])
