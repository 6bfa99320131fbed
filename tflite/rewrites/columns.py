"""The first convolution reads pairs of columns, so that its kernel is not mostly padding.

XNNPACK's int8 convolutions take input channels in groups of 8 (the kernels for VNNI and for ARM's
i8mm do); an image has 3, so 5 of 8 multiplications are with zeros. An image of even width whose
columns are taken in pairs, ``(rows, columns, 3)`` as ``(rows, columns / 2, 6)``, is the same
memory, and a convolution with column stride 2 is one with column stride 1 over the pairs, its
kernel filled up with zero columns in front and behind to whole pairs. Every product that was
summed still is, and all that came are products with zero weights: equal byte for byte.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np

from tflite.flatbuffer import (
    Graph,
    enum_value,
    make_operator,
    options_object,
    set_constant,
)
from tflite.rewrites.change import Change
from tflite.rewrites.kernels import int8_kernel

_GROUP = 8
_PAIR = 2


@dataclass(frozen=True)
class _Columns:
    """The kernel's width in pairs, and the zero columns in front of the kernel."""

    pairs: int
    front: int


def rewrite_columns(graph: Graph) -> list[Change]:
    """Pairs the columns of every int8 convolution of few channels and column stride 2; bit-exact.

    Args:
        graph: Changed in place.
    """
    changes = []
    for operator in list(graph.operators):
        columns = _fitting(graph, operator)
        if columns is not None:
            _pair(graph, operator, columns)
            name = graph.name(graph.output_tensors(operator)[0])
            changes.append(Change("columns", name, "CONV_2D to RESHAPE, CONV_2D"))
    return changes


def _fitting(graph: Graph, operator: Any) -> _Columns | None:
    if graph.op_name(operator) != "CONV_2D" or not int8_kernel(graph, operator):
        return None
    data, kernel = graph.input_tensors(operator)[:2]
    batch, _, width, channels = graph.shape(data)
    options = operator.builtinOptions
    dilated = (options.dilationHFactor, options.dilationWFactor) != (1, 1)
    if batch != 1 or width % _PAIR or channels * _PAIR > _GROUP or dilated:
        return None
    kernel_width = graph.shape(kernel)[2]
    if options.strideW != _PAIR or kernel_width < _PAIR or graph.shape(kernel)[3] != channels:
        return None
    return _columns(width, kernel_width, options.padding == enum_value("Padding", "SAME"))


def _columns(width: int, kernel: int, same: bool) -> _Columns | None:
    """How a kernel lies in pairs so that the padding stays what it is; None if it cannot."""
    if not same:
        pairs = -(-kernel // _PAIR)
        keeps_size = width // _PAIR - pairs == (width - kernel) // _PAIR
        return _Columns(pairs, 0) if keeps_size else None
    # Of a stride of 2 over an even width; TensorFlow puts the odd column of padding behind.
    left = max(kernel - _PAIR, 0) // 2
    left_pairs = -(-left // _PAIR)
    front = left_pairs * _PAIR - left
    needed = -(-(front + kernel) // _PAIR)
    # A stride of 1 pads (pairs - 1) // 2 in front: wide enough, and filled up with zeros.
    for pairs in (2 * left_pairs + 1, 2 * left_pairs + 2):
        if pairs >= needed:
            return _Columns(pairs, front)
    return None


def _pair(graph: Graph, operator: Any, columns: _Columns) -> None:
    data, kernel = graph.input_tensors(operator)[:2]
    batch, height, width, channels = graph.shape(data)
    shape = (batch, height, width // _PAIR, channels * _PAIR)
    graph.tensors.append(copy.deepcopy(graph.tensors[data]))
    paired = len(graph.tensors) - 1
    graph.tensors[paired].name = f"{graph.name(data)}/column_pairs".encode()
    graph.tensors[paired].buffer = 0
    graph.tensors[paired].shape = np.array(shape, np.int32)
    graph.tensors[paired].shapeSignature = None
    inputs = np.array(operator.inputs, np.int32)
    inputs[:2] = paired, _paired_kernel(graph, kernel, columns)
    operator.inputs = inputs
    operator.builtinOptions.strideW = 1
    graph.replace_operator(operator, [_reshape(graph, data, paired), operator])


def _paired_kernel(graph: Graph, kernel: int, columns: _Columns) -> int:
    stored = graph.constant(kernel)
    if stored is None:
        raise TypeError("The kernel must be constant.")
    out, height, width, channels = stored.shape
    wide = np.zeros((out, height, columns.pairs * _PAIR, channels), np.int8)
    wide[:, :, columns.front : columns.front + width] = stored
    graph.tensors.append(copy.deepcopy(graph.tensors[kernel]))
    tensor = len(graph.tensors) - 1
    shape = (out, height, columns.pairs, channels * _PAIR)
    graph.tensors[tensor].name = f"{graph.name(kernel)}/column_pairs".encode()
    graph.tensors[tensor].buffer = 0
    graph.tensors[tensor].shape = np.array(shape, np.int32)
    set_constant(graph.model, tensor, wide.reshape(shape))
    return tensor


def _reshape(graph: Graph, data: int, paired: int) -> Any:
    shape = np.array(graph.shape(paired), np.int32)
    target = graph.add_tensor(f"{graph.name(paired)}/shape", (len(shape),), "INT32", 1.0, 0)
    graph.tensors[target].quantization = None
    set_constant(graph.model, target, shape)
    options = options_object("ReshapeOptions")
    options.newShape = shape
    return make_operator(graph.model, "RESHAPE", [data, target], [paired], options)
