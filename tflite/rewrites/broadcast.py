"""A constant of a few channels, added to an image, is laid out for a whole row of it.

XNNPACK works through the longest run of elements that both operands share; against a constant of
3 channels that is 3 elements at a time, ten times slower than a row. The values are the same ones
repeated: equal byte for byte.
"""

from __future__ import annotations

import copy

import numpy as np

from tflite.flatbuffer import Graph, set_constant
from tflite.rewrites.change import Change
from tflite.rewrites.kernels import is_int8

_BINARY = ("ADD", "SUB", "MUL")
# From this many channels on a run is long enough for the vector kernels.
_FEW_CHANNELS = 16


def rewrite_broadcast(graph: Graph) -> list[Change]:
    """Lays out every such constant; bit-exact.

    Args:
        graph: Changed in place.
    """
    changes = []
    for operator in graph.operators:
        if graph.op_name(operator) not in _BINARY:
            continue
        (after,) = graph.output_tensors(operator)
        inputs = graph.input_tensors(operator)
        for place, tensor in enumerate(inputs):
            stored, shape = graph.constant(tensor), graph.shape(after)
            if stored is None or len(shape) != 4 or not is_int8(graph, tensor, after):
                continue
            row = (shape[2], shape[3])
            if not 1 < stored.size < _FEW_CHANNELS or stored.size != shape[3]:
                continue
            if stored.shape != (1,) * (stored.ndim - 1) + (shape[3],):
                continue
            graph.tensors.append(copy.deepcopy(graph.tensors[tensor]))
            wide = len(graph.tensors) - 1
            graph.tensors[wide].name = f"{graph.name(tensor)}/row".encode()
            graph.tensors[wide].buffer = 0
            graph.tensors[wide].shape = np.array(row, np.int32)
            set_constant(graph.model, wide, np.broadcast_to(stored.reshape(-1), row).copy())
            inputs[place] = wide
            operator.inputs = np.array(inputs, np.int32)
            what = f"{graph.op_name(operator)} with a constant of {stored.size} channels, by rows"
            changes.append(Change("broadcast", graph.name(after), what))
    return changes
