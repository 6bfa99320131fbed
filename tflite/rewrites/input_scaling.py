"""The scaling of the input's pixels goes into the first convolution.

A network that begins with ``y = c x + d`` (``x / 127.5 - 1``) costs a pass over the image for the
multiplication, a slow one, and one for the addition; worse, the converter gives what is between
them 8 bits over the range of both, which loses more than half a pixel value. Instead

    W y + b = (c W) (x + D) + (b + c (d / c - D) sum(W)),    D = round(d / c)

where the sum runs over the kernel: c goes into the scales of kernel and bias, and x + D, a whole
number of pixel values, has an integer of its own, so nothing is rounded. With padding ``VALID`` D
is 0, and the convolution reads the image itself. With ``SAME`` one cheap addition stays, which
changes no stored integer but only what they stand for: the border must be filled with y = 0, and
an int8 tensor can be filled with its own zero only. Where d / c is no whole number (127.5), the
border is off by what is left of it, half a pixel value at most.

The result is nearer to the float network than what it replaces, and not equal to that.
"""

from __future__ import annotations

from dataclasses import dataclass
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
from tflite.rewrites.kernels import (
    INT8_MAXIMUM,
    INT8_MINIMUM,
    bias_of,
    channel_sums,
    int8_kernel,
    is_int8,
    own_input,
    real_scalar,
)

_MOST_BIAS = 2**31 - 1


@dataclass(frozen=True)
class _Scaling:
    """The operators ``factor x + shift`` at an input, and the convolution behind them."""

    operators: tuple[Any, ...]
    convolution: Any
    factor: float
    shift: float


def rewrite_input_scaling(graph: Graph) -> list[Change]:
    """Folds a scaling by one factor and one shift; nearer to float than before (see above).

    Args:
        graph: Changed in place.
    """
    changes = []
    for image in graph.inputs:
        scaling = _find(graph, image)
        if scaling is None:
            continue
        names = ", ".join(graph.op_name(o) for o in scaling.operators)
        steps = _steps(graph, image, scaling)
        if _fold(graph, image, scaling, steps):
            left = "ADD of whole pixel values, CONV_2D" if steps else "CONV_2D"
            name = graph.name(graph.output_tensors(scaling.convolution)[0])
            changes.append(Change("input_scaling", name, f"{names}, CONV_2D to {left}"))
    return changes


def _find(graph: Graph, image: int) -> _Scaling | None:
    if not is_int8(graph, image):
        return None
    factor, shift, tensor = 1.0, 0.0, image
    operators: list[Any] = []
    while True:
        operator = graph.only_consumer(tensor)
        if operator is None:
            return None
        if operators and graph.op_name(operator) == "CONV_2D":
            break
        step = _affine(graph, operator, tensor)
        if step is None:
            return None
        factor, shift = factor * step[0], shift * step[0] + step[1]
        operators.append(operator)
        (tensor,) = graph.output_tensors(operator)
    only_adds = all(graph.op_name(o) != "MUL" for o in operators)
    if factor <= 0 or bias_of(graph, operator) < 0 or not int8_kernel(graph, operator):
        return None
    if only_adds and not _is_valid(operator):
        return None  # cannot become less
    return _Scaling(tuple(operators), operator, factor, shift)


def _affine(graph: Graph, operator: Any, tensor: int) -> tuple[float, float] | None:
    """Factor and shift of a MUL, ADD or SUB with one constant number; None of anything else."""
    name, inputs = graph.op_name(operator), graph.input_tensors(operator)
    if name not in ("MUL", "ADD", "SUB") or fused_activation(operator) != "NONE":
        return None
    if not is_int8(graph, *graph.output_tensors(operator)) or inputs.count(tensor) != 1:
        return None
    value = real_scalar(graph, inputs[1] if inputs[0] == tensor else inputs[0])
    if value is None or (name == "SUB" and inputs[0] != tensor):
        return None
    return {"MUL": (value, 0.0), "ADD": (1.0, value), "SUB": (1.0, -value)}[name]


def _is_valid(convolution: Any) -> bool:
    return bool(convolution.builtinOptions.padding == enum_value("Padding", "VALID"))


def _steps(graph: Graph, image: int, scaling: _Scaling) -> int:
    """How many integer steps of the input the remaining addition adds."""
    found = graph.quantization(image)
    if found is None or _is_valid(scaling.convolution):
        return 0
    return round(scaling.shift / scaling.factor / found.scale)


def _fold(graph: Graph, image: int, scaling: _Scaling, steps: int) -> bool:
    found = graph.quantization(image)
    if found is None:
        return False
    zero_point = found.zero_point - steps
    if not all(INT8_MINIMUM <= n <= INT8_MAXIMUM for n in (steps, zero_point)):
        return False
    rest = scaling.shift / scaling.factor - steps * found.scale
    if not _rescale(graph, scaling, found.scale, rest):
        return False
    data, kept = image, []
    if steps:
        name = f"{graph.name(image)}/shifted"
        data = graph.add_tensor(name, graph.shape(image), "INT8", found.scale, zero_point)
        shift = graph.add_tensor(f"{name}/shift", (1,), "INT8", found.scale, 0)
        set_constant(graph.model, shift, np.array([steps], np.int8))
        options = options_object("AddOptions")
        kept = [make_operator(graph.model, "ADD", [image, shift], [data], options, 2)]
    first, *others = scaling.operators
    graph.replace_operator(first, kept)
    for operator in others:
        graph.replace_operator(operator, [])
    inputs = np.array(scaling.convolution.inputs, np.int32)
    inputs[0] = data
    scaling.convolution.inputs = inputs
    return True


def _rescale(graph: Graph, scaling: _Scaling, input_scale: float, rest: float) -> bool:
    """Gives kernel and bias the new scales, and the bias what the shift leaves over."""
    convolution = scaling.convolution
    kernel, bias = graph.input_tensors(convolution)[1:3]
    real_bias, kernel_scale = graph.real_constant(bias), graph.quantization(kernel)
    if real_bias is None or kernel_scale is None:
        return False
    scales = np.broadcast_to(kernel_scale.scales * scaling.factor, real_bias.shape)
    sums = channel_sums(graph, convolution, np.ones(1))
    # In steps of the new accumulator, whose step is input scale times kernel scale.
    stored = np.rint(real_bias / (input_scale * scales) + rest / input_scale * sums)
    if np.abs(stored).max() > _MOST_BIAS:
        return False
    statistics = graph.tensors[own_input(graph, convolution, 1)].quantization
    statistics.scale = (kernel_scale.scales * scaling.factor).astype(np.float32)
    bias = own_input(graph, convolution, 2)
    statistics = graph.tensors[bias].quantization
    statistics.scale = np.asarray(input_scale * scales, np.float32)
    statistics.zeroPoint = np.zeros(len(scales), np.int64)
    set_constant(graph.model, bias, stored.astype(np.int32))
    return True
