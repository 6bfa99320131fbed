"""QUANTIZE operators that change nothing, or that the operator before them can do itself.

- Between int8 tensors of equal scale and zero point it copies: readers read its input. Bit-exact.
- Behind a DEQUANTIZE that it alone reads, with no float operator between: one QUANTIZE from
  integers to integers does both (and is then one of the two other cases, or stays). Bit-exact but
  for ties of rounding, within one quantum.
- Behind an addition, multiplication or layer with a kernel whose output it alone reads: that
  operator writes the new scale itself. One rounding instead of two, within one quantum wherever
  the old tensor did not clip at the ends of its range.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tflite.flatbuffer import Graph, fused_activation, make_operator, options_object
from tflite.rewrites.change import Change
from tflite.rewrites.kernels import INT8_MINIMUM, KERNEL_OPS, is_int8

_CHOOSES_ITS_SCALE = (*KERNEL_OPS, "ADD", "SUB", "MUL")


def rewrite_requantize(graph: Graph) -> list[Change]:
    """Removes needless QUANTIZE and DEQUANTIZE operators; within one quantum.

    Args:
        graph: Changed in place.
    """
    changes = []
    for operator in list(graph.operators):
        if graph.op_name(operator) != "QUANTIZE":
            continue
        current, what = operator, []
        if _joined(graph, operator):
            what.append("DEQUANTIZE, QUANTIZE to QUANTIZE")
            current = _join(graph, operator)
        name = graph.name(graph.output_tensors(current)[0])
        removed = _remove(graph, current)
        if removed:
            what.append(removed)
        if what:
            changes.append(Change("requantize", name, "; ".join(what)))
    return changes


def _joined(graph: Graph, operator: Any) -> bool:
    (before,) = graph.input_tensors(operator)
    producer = graph.producer(before)
    return (
        producer is not None
        and graph.op_name(producer) == "DEQUANTIZE"
        and graph.only_consumer(before) is operator
        and is_int8(graph, *graph.input_tensors(producer), *graph.output_tensors(operator))
    )


def _join(graph: Graph, operator: Any) -> Any:
    producer = graph.producer(graph.input_tensors(operator)[0])
    (source,) = graph.input_tensors(producer)
    joined = make_operator(
        graph.model,
        "QUANTIZE",
        [source],
        graph.output_tensors(operator),
        options_object("QuantizeOptions"),
        2,
    )
    graph.replace_operator(producer, [])
    graph.replace_operator(operator, [joined])
    return joined


def _remove(graph: Graph, operator: Any) -> str:
    (before,), (after,) = graph.input_tensors(operator), graph.output_tensors(operator)
    if not is_int8(graph, before, after):
        return ""
    old, new = graph.quantization(before), graph.quantization(after)
    if old is None or new is None:
        return ""
    producer = graph.producer(before)
    if (old.scale, old.zero_point) == (new.scale, new.zero_point):
        if before in graph.inputs and after in graph.outputs:
            return ""
        graph.replace_operator(operator, [])
        graph.replace_tensor(after, before)
        return "QUANTIZE that changes nothing, removed"
    if (
        producer is not None
        and graph.op_name(producer) in _CHOOSES_ITS_SCALE
        and graph.only_consumer(before) is operator
        and _clips_alike(producer, old.zero_point, new.zero_point)
    ):
        producer.outputs = np.array([after], np.int32)
        graph.replace_operator(operator, [])
        return f"QUANTIZE into {graph.op_name(producer)}"
    return ""


def _clips_alike(producer: Any, old: int, new: int) -> bool:
    """Whether the producer needs no clipping but its activation's once it writes the new tensor.

    With zero point -128 the old tensor clipped at zero, which QUANTIZE then handed on; that is a
    ReLU (`tflite.rewrites.relu`), and lost unless the new tensor clips there too.
    """
    if producer.builtinOptions is None:
        return False
    return old != INT8_MINIMUM or new == INT8_MINIMUM or fused_activation(producer) == "RELU"
