"""Which quantisation suits a network, by the operators it is made of."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from tflite.flatbuffer import Graph

# XNNPACK takes these in float32 but not in int8, each where it stands in the middle of a network.
NOT_IN_INT8: Mapping[str, str] = {
    "GELU": "GELU",
    "RSQRT": "layer normalisation",
    "SQUARED_DIFFERENCE": "layer normalisation",
    "NEG": "layer normalisation",
    "SOFTMAX": "attention",
    "DIV": "a division",
    "EXP": "an exponential",
    "SQRT": "a square root",
}


# Tensors so small cost nothing wherever they are computed: what stands behind global pooling.
_SMALL = 64


@dataclass(frozen=True)
class Recommendation:
    """A quantisation recipe for a network.

    Args:
        recipe: Name of one of `tflite.quantization_recipes`.
        operators: The operators that decided it, with how often they occur.
        reason: In words.
    """

    recipe: str
    operators: Mapping[str, int]
    reason: str


def recommended_quantization(float_content: bytes) -> Recommendation:
    """``int8_full``, or ``dynamic_int8`` where int8 would fall into pieces.

    In ``dynamic_int8`` the layers with large kernels multiply int8 by int8, activations stay float
    between them, and the graph stays one partition: never slower than float32, whose other
    operators it shares.

    Args:
        float_content: The network as a float32 ``.tflite`` file.

    Raises:
        FlatbufferError: If the content is not a model.
    """
    graph = Graph.read(float_content)
    found = Counter(
        graph.op_name(operator)
        for operator in graph.operators
        if graph.op_name(operator) in NOT_IN_INT8
        and math.prod(graph.shape(int(operator.outputs[0]))) > _SMALL
    )
    if not found:
        return Recommendation(
            "int8_full", {}, "XNNPACK has int8 code for every operator, or a rewrite gives it some."
        )
    parts = ", ".join(sorted({NOT_IN_INT8[name] for name in found}))
    return Recommendation(
        "dynamic_int8",
        dict(found),
        f"XNNPACK has no int8 code for {parts}: {sum(found.values())} operators would split the "
        "graph and run slower than in float32. dynamic_int8 keeps them float in one partition.",
    )
