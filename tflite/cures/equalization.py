"""Cross-layer equalisation: neighbouring layers share their ranges channel by channel.

Between two convolutions with nothing but a ReLU between them, channel i of the first may be divided
by s and the second's kernel multiplied by s without changing the network, since ReLU(x / s) =
ReLU(x) / s. With ``s_i = sqrt(r1_i r2_i) / r2_i`` both kernels get the same range r in channel i
(Nagel et al. 2019, section 4.1, equation 11), so that no channel drowns in the steps of another.
Every pair is equalised in turn until no factor moves any more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tflite.flatbuffer import Graph
from tflite.schema import fused_activation, set_constant, write_model

_FIRST = ("CONV_2D", "DEPTHWISE_CONV_2D")
_LINEAR_UNDER_SCALING = ("NONE", "RELU")
# Channels that are nearly dead would get factors without bound.
_LARGEST_FACTOR = 1e3
_ROUNDS = 10
_SETTLED = 1e-3


@dataclass(frozen=True)
class _Pair:
    """Numbers of the constant tensors of two neighbouring layers."""

    kernel: int
    bias: int
    depthwise: bool
    next_kernel: int


def equalize(content: bytes) -> bytes:
    """The float file with equalised kernels; its answers differ by rounding only.

    Args:
        content: From `tflite.calibration.float_file`. Its ranges no longer hold afterwards.
    """
    graph = Graph.read(content)
    pairs = _pairs(graph)
    values = {i: _constant(graph, i) for p in pairs for i in (p.kernel, p.bias, p.next_kernel)}
    for _ in range(_ROUNDS):
        moved = max((_equalize_pair(values, pair) for pair in pairs), default=0.0)
        if moved < _SETTLED:
            break
    for index, array in values.items():
        set_constant(graph.model, index, array.astype(np.float32))
    return write_model(graph.model)


def _constant(graph: Graph, tensor: int) -> np.ndarray:
    return np.asarray(graph.real_constant(tensor))


def _pairs(graph: Graph) -> list[_Pair]:
    pairs = []
    for op in graph.operators:
        if graph.op_name(op) not in _FIRST or len(op.inputs) < 3 or op.inputs[2] < 0:
            continue
        output = int(op.outputs[0])
        behind = graph.only_consumer(output)
        # Zeros around the map stay zeros when it is scaled.
        while behind is not None and graph.op_name(behind) == "PAD":
            output = int(behind.outputs[0])
            behind = graph.only_consumer(output)
        if behind is not None and _may_pair(graph, op, behind, output):
            pairs.append(
                _Pair(
                    int(op.inputs[1]),
                    int(op.inputs[2]),
                    graph.op_name(op) == "DEPTHWISE_CONV_2D",
                    int(behind.inputs[1]),
                )
            )
    return _unshared(pairs)


def _may_pair(graph: Graph, op: Any, behind: Any, tensor: int) -> bool:
    if graph.op_name(behind) not in _FIRST or int(behind.inputs[0]) != tensor:
        return False
    if fused_activation(op) not in _LINEAR_UNDER_SCALING:
        return False
    kernel, bias, following = (
        graph.constant(int(t)) for t in (op.inputs[1], op.inputs[2], behind.inputs[1])
    )
    if kernel is None or bias is None or following is None:
        return False
    # A depthwise layer that makes several channels of one would need one factor for all of them.
    return bool(following.shape[-1] == len(bias))


def _unshared(pairs: list[_Pair]) -> list[_Pair]:
    """Without pairs whose constants another layer uses too."""
    kernels = [pair.kernel for pair in pairs]
    biases = [pair.bias for pair in pairs]
    return [p for p in pairs if kernels.count(p.kernel) == 1 and biases.count(p.bias) == 1]


def _equalize_pair(values: dict[int, np.ndarray], pair: _Pair) -> float:
    """Equalises one pair in place; gives the largest logarithm of a factor."""
    axis = -1 if pair.depthwise else 0
    own = _range(values[pair.kernel], axis)
    following = _range(values[pair.next_kernel], -1)
    safe = (own > 0) & (following > 0)
    factor = np.where(safe, np.sqrt(own / np.where(safe, following, 1.0)), 1.0)
    factor = np.clip(factor, 1 / _LARGEST_FACTOR, _LARGEST_FACTOR)
    shape = [1] * values[pair.kernel].ndim
    shape[axis] = -1
    values[pair.kernel] = values[pair.kernel] / factor.reshape(shape)
    values[pair.bias] = values[pair.bias] / factor
    values[pair.next_kernel] = values[pair.next_kernel] * factor
    return float(np.abs(np.log(factor)).max())


def _range(kernel: np.ndarray, axis: int) -> np.ndarray:
    channels = np.moveaxis(np.abs(kernel), axis, 0)
    return np.asarray(channels.reshape(len(channels), -1).max(axis=1))
