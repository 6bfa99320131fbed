"""An int8 hard swish, which XNNPACK does not take, as an addition and a multiplication.

``hard_swish(x) = x relu6(x + 3) / 6`` (Howard et al. 2019, "Searching for MobileNetV3", section
5.2). The division costs nothing: with ``u = x / sqrt(6)``

    r = min(max(u + 3 / sqrt(6), 0), sqrt(6)),    u r = x relu6(x + 3) / 6

and the layer that makes x makes u instead when the scales of its kernel, bias and output are
divided by ``sqrt(6)``; no stored integer changes. r is int8 with zero point -128 and ends at
``sqrt(6)``, or where x ends if that is less, so that saturation does the clipping. Where x has
other readers, or does not come from a layer with a kernel, a multiplication by ``1 / sqrt(6)`` (the
same integers under another scale) makes u.

Error against the exact real function of the stored input: r is off by half its quantum at most,
and by nothing where it is clipped at either end, which moves the output by ``3 / (2 * 255)`` at
most; then the output is rounded once. With an output quantum s that is ``0.5 + 1.5 / (255 s)``
quanta: within one quantum if the output's range, 255 s, is 3 or wider, as it is in trained networks
of this kind, and within two quanta of any that is wider than 1.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tflite.flatbuffer import Graph, fused_activation, make_operator, options_object, set_constant
from tflite.rewrites.change import Change
from tflite.rewrites.kernels import (
    INT8_MAXIMUM,
    INT8_MINIMUM,
    int8_kernel,
    is_int8,
    multiply_scale,
    scale_output,
)

_ROOT = math.sqrt(6.0)
_QUANTA = 255


def rewrite_hard_swish(graph: Graph) -> list[Change]:
    """Replaces every int8 HARD_SWISH; within one quantum of the exact function (see above).

    Args:
        graph: Changed in place.
    """
    changes = []
    shift = -1
    for operator in list(graph.operators):
        if graph.op_name(operator) != "HARD_SWISH":
            continue
        (before,), (after,) = graph.input_tensors(operator), graph.output_tensors(operator)
        if not is_int8(graph, before, after):
            continue
        shift = shift if shift >= 0 else _constant(graph, "hard_swish_shift", 3 / _ROOT)
        name = graph.name(after)
        top = _top(graph, before)
        scaled, first = _scaled_input(graph, operator, before)
        clipped = graph.add_tensor(
            f"{name}/clipped", graph.shape(before), "INT8", top / _QUANTA, INT8_MINIMUM
        )
        last = [
            _binary(graph, "ADD", scaled, shift, clipped),
            _binary(graph, "MUL", scaled, clipped, after),
        ]
        graph.replace_operator(operator, [*first, *last])
        names = ", ".join(graph.op_name(o) for o in (*first, *last))
        changes.append(Change("hard_swish", name, f"HARD_SWISH to {names}"))
    return changes


def _top(graph: Graph, before: int) -> float:
    """The largest (x + 3) / sqrt(6) that can occur, at most sqrt(6)."""
    found = graph.quantization(before)
    if found is None:
        raise TypeError("An int8 tensor must be quantised.")
    largest = (INT8_MAXIMUM - found.zero_point) * found.scale
    return min(largest + 3, 6.0) / _ROOT  # largest is 0 or more


def _scaled_input(graph: Graph, operator: Any, before: int) -> tuple[int, list[Any]]:
    """The tensor that stands for x / sqrt(6), and what must be computed for it."""
    producer = graph.producer(before)
    if (
        graph.only_consumer(before) is operator
        and int8_kernel(graph, producer)
        and fused_activation(producer) in ("NONE", "RELU")
    ):
        scale_output(graph, producer, 1 / _ROOT)
        multiply_scale(graph, before, 1 / _ROOT)
        return before, []
    found = graph.quantization(before)
    if found is None:
        raise TypeError("An int8 tensor must be quantised.")
    name, scale = f"{graph.name(before)}/scaled", found.scale / _ROOT
    scaled = graph.add_tensor(name, graph.shape(before), "INT8", scale, found.zero_point)
    factor = _constant(graph, f"{name}/factor", 1 / _ROOT)
    return scaled, [_binary(graph, "MUL", before, factor, scaled)]


def _constant(graph: Graph, name: str, value: float) -> int:
    tensor = graph.add_tensor(name, (1,), "INT8", value / INT8_MAXIMUM, 0)
    set_constant(graph.model, tensor, np.array([INT8_MAXIMUM], np.int8))
    return tensor


def _binary(graph: Graph, name: str, left: int, right: int, output: int) -> Any:
    options = options_object("AddOptions" if name == "ADD" else "MulOptions")
    return make_operator(graph.model, name, [left, right], [output], options, 2)
