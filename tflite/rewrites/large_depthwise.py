"""A 7x7 depthwise convolution in float as three that XNNPACK has fast code for.

XNNPACK computes depthwise convolutions of up to 25 taps with a kernel of their own; above, channel
by channel as if each were a network with one channel, some twenty times slower a tap. ConvNeXt
(Liu et al. 2022) spends half of its time there. The 49 taps fall into the inner 5x5, the two outer
rows (2x7, 6 rows apart: a dilation) and what is left of the two outer columns (5x2, 6 columns
apart). All three are centred, so each pads with ``SAME`` as the whole did, and their sum is the
whole. Equal but for the order of a float sum.

A kernel stored as int8 (``dynamic_int8``) is stored as float32 instead, 4 bytes for each of its
few weights, and its activations are then not rounded either.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tflite.flatbuffer import (
    Graph,
    enum_value,
    fused_activation,
    make_operator,
    options_object,
    set_constant,
)
from tflite.rewrites.change import Change

_SIZE, _EDGE = 7, 6


def rewrite_large_depthwise(graph: Graph) -> list[Change]:
    """Splits every 7x7 depthwise convolution of float activations; equal but for float rounding.

    Args:
        graph: Changed in place.
    """
    changes = []
    for operator in list(graph.operators):
        kernel = _kernel(graph, operator)
        if kernel is None:
            continue
        (after,) = graph.output_tensors(operator)
        what = f"{graph.op_name(operator)} 7x7 to 5x5, 2x7 and 5x2"
        graph.replace_operator(operator, _parts(graph, operator, kernel, after))
        changes.append(Change("large_depthwise", graph.name(after), what))
    return changes


def _kernel(graph: Graph, operator: Any) -> np.ndarray | None:
    """The real kernel (7, 7, channels) of an operator that can be split, else None."""
    name = graph.op_name(operator)
    if name not in ("CONV_2D", "DEPTHWISE_CONV_2D") or fused_activation(operator) != "NONE":
        return None
    data, kernel = graph.input_tensors(operator)[:2]
    options, channels = operator.builtinOptions, graph.shape(data)[3]
    steps = (options.strideH, options.strideW, options.dilationHFactor, options.dilationWFactor)
    same = options.padding == enum_value("Padding", "SAME")
    # As the converter writes a convolution with as many groups as channels, and the usual one.
    shape = {
        "CONV_2D": (channels, _SIZE, _SIZE, 1),
        "DEPTHWISE_CONV_2D": (1, _SIZE, _SIZE, channels),
    }[name]
    if graph.type_name(data) != "FLOAT32" or steps != (1, 1, 1, 1) or not same:
        return None
    values = graph.real_constant(kernel)
    if channels == 1 or values is None or values.shape != shape:
        return None
    return values[..., 0].transpose(1, 2, 0) if name == "CONV_2D" else values[0]


def _parts(graph: Graph, operator: Any, kernel: np.ndarray, after: int) -> list[Any]:
    data, *rest = graph.input_tensors(operator)
    bias = rest[1] if len(rest) > 1 else -1
    name, shape, channels = graph.name(after), graph.shape(after), kernel.shape[2]
    no_bias = _float_tensor(graph, f"{name}/no_bias", (channels,), np.zeros(channels))
    pieces = (
        ("inner", kernel[1:-1, 1:-1], (1, 1), bias if bias >= 0 else no_bias),
        ("rows", kernel[::_EDGE], (_EDGE, 1), no_bias),
        ("columns", kernel[1:-1, ::_EDGE], (1, _EDGE), no_bias),
    )
    operators, outputs = [], []
    for part, values, dilation, its_bias in pieces:
        weights = _float_tensor(graph, f"{name}/{part}/kernel", (1, *values.shape), values)
        outputs.append(_float_tensor(graph, f"{name}/{part}", shape))
        operators.append(
            make_operator(
                graph.model,
                "DEPTHWISE_CONV_2D",
                [data, weights, its_bias],
                [outputs[-1]],
                _options(dilation),
                2,
            )
        )
    edge = _float_tensor(graph, f"{name}/edge", shape)
    for left, right, total in ((outputs[1], outputs[2], edge), (outputs[0], edge, after)):
        add = make_operator(
            graph.model, "ADD", [left, right], [total], options_object("AddOptions")
        )
        operators.append(add)
    return operators


def _options(dilation: tuple[int, int]) -> Any:
    options = options_object("DepthwiseConv2DOptions")
    options.padding = enum_value("Padding", "SAME")
    options.strideH = options.strideW = options.depthMultiplier = 1
    options.dilationHFactor, options.dilationWFactor = dilation
    return options


def _float_tensor(
    graph: Graph, name: str, shape: tuple[int, ...], values: np.ndarray | None = None
) -> int:
    tensor = graph.add_tensor(name, shape, "FLOAT32", 1.0, 0)
    graph.tensors[tensor].quantization = None
    if values is not None:
        set_constant(graph.model, tensor, values.astype(np.float32).reshape(shape))
    return tensor
