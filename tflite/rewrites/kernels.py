"""Arithmetic on the constants of layers with kernels that several rewrites share."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from tflite.flatbuffer import Graph, set_constant

KERNEL_OPS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
INT8_MINIMUM, INT8_MAXIMUM = -128, 127


def is_int8(graph: Graph, *tensors: int) -> bool:
    """Whether all tensors are int8, each with one scale."""
    for tensor in tensors:
        found = graph.quantization(tensor)
        if graph.type_name(tensor) != "INT8" or found is None or not found.per_tensor:
            return False
    return True


def int8_kernel(graph: Graph, operator: Any | None) -> bool:
    """Whether an operator is an int8 convolution or dense layer with a constant kernel."""
    if operator is None or graph.op_name(operator) not in KERNEL_OPS:
        return False
    data, kernel = graph.input_tensors(operator)[:2]
    return (
        is_int8(graph, data, graph.output_tensors(operator)[0])
        and graph.type_name(kernel) == "INT8"
        and graph.constant(kernel) is not None
    )


def bias_of(graph: Graph, operator: Any) -> int:
    """Number of an operator's bias; -1 if it has none."""
    inputs = graph.input_tensors(operator)
    return inputs[2] if len(inputs) > 2 else -1


def real_scalar(graph: Graph, tensor: int) -> float | None:
    """The real number of a constant with one element; None of any other tensor."""
    values = graph.real_constant(tensor)
    return float(values.ravel()[0]) if values is not None and values.size == 1 else None


def scale_output(graph: Graph, operator: Any, factor: float) -> None:
    """Lets a layer with a kernel compute `factor` times as much.

    Only the scales of kernel and bias change, ``factor W x + factor b``; not one stored integer.
    The output tensor's scale is left to the caller.

    Args:
        graph: Changed in place.
        operator: One that `int8_kernel` says yes to.
        factor: Above 0.
    """
    for place in (1, 2):
        if place == 2 and bias_of(graph, operator) < 0:
            continue
        statistics = graph.tensors[own_input(graph, operator, place)].quantization
        statistics.scale = (np.asarray(statistics.scale, np.float64) * factor).astype(np.float32)


def own_input(graph: Graph, operator: Any, place: int) -> int:
    """A constant input that nobody else reads: itself, or a copy put in its place.

    Args:
        graph: Changed in place.
        operator: Whose input it is.
        place: Which of its inputs.
    """
    tensor = graph.input_tensors(operator)[place]
    if len(graph.consumers(tensor)) > 1:
        graph.tensors.append(copy.deepcopy(graph.tensors[tensor]))
        tensor = len(graph.tensors) - 1
        inputs = np.array(operator.inputs, np.int32)
        inputs[place] = tensor
        operator.inputs = inputs
    return tensor


def channel_sums(graph: Graph, operator: Any, weights: np.ndarray) -> np.ndarray:
    """Sum of each output channel's stored kernel times `weights`, int64 exact as float64.

    Args:
        graph: Of the operator.
        operator: A convolution or dense layer.
        weights: ``(input channels,)`` or ``(1,)``, one factor a channel of the input.
    """
    kernel = graph.constant(graph.input_tensors(operator)[1])
    if kernel is None:
        raise TypeError("The kernel must be constant.")
    kernel = kernel.astype(np.float64)
    if graph.op_name(operator) == "DEPTHWISE_CONV_2D":
        repeats = kernel.shape[3] // len(weights)
        return (kernel * np.repeat(weights, repeats)).sum((0, 1, 2))
    return (kernel * weights).reshape(len(kernel), -1).sum(1)


def set_bias(graph: Graph, operator: Any, values: np.ndarray) -> None:
    """Gives an operator that has a bias other stored values, rounded to int32.

    Raises:
        OverflowError: If one does not fit.
    """
    rounded = np.rint(values)
    limits = np.iinfo(np.int32)
    if (rounded < limits.min).any() or (rounded > limits.max).any():
        raise OverflowError("A bias does not fit 32 bits.")
    set_constant(graph.model, own_input(graph, operator, 2), rounded.astype(np.int32))


def multiply_scale(graph: Graph, tensor: int, factor: float) -> None:
    """The same stored integers of a tensor stand for `factor` times as much."""
    statistics = graph.tensors[tensor].quantization
    statistics.scale = (np.asarray(statistics.scale, np.float64) * factor).astype(np.float32)
    # Only a note of the calibration, and no longer true.
    statistics.min = statistics.max = None
