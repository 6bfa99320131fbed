"""The graph of a ``.tflite`` file: who makes and who takes a tensor, and changes to it.

`Graph` answers the questions that the audit and the rewrites ask of the first subgraph; the
functions of `tflite.schema` below it, which work on the model itself, are offered here too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tflite.schema import (
    FlatbufferError,
    constant,
    enum_value,
    fused_activation,
    make_operator,
    make_tensor,
    op_name,
    options_object,
    read_model,
    set_constant,
    text,
    type_name,
    write_model,
)

__all__ = [
    "FlatbufferError",
    "Graph",
    "Quantization",
    "constant",
    "enum_value",
    "fused_activation",
    "make_operator",
    "op_name",
    "options_object",
    "read_model",
    "set_constant",
    "type_name",
    "write_model",
]


@dataclass(frozen=True)
class Quantization:
    """How a tensor's integers stand for real numbers: ``real = scale * (stored - zero_point)``.

    Args:
        scales: float64 ``(1,)``, or one a slice along `axis`.
        zero_points: int64, as many.
        axis: Dimension that the scales belong to.
    """

    scales: np.ndarray
    zero_points: np.ndarray
    axis: int = 0

    @property
    def per_tensor(self) -> bool:
        """Whether one scale holds for the whole tensor."""
        return len(self.scales) == 1

    @property
    def scale(self) -> float:
        """The scale of the (first slice of the) tensor."""
        return float(self.scales[0])

    @property
    def zero_point(self) -> int:
        """The zero point of the (first slice of the) tensor."""
        return int(self.zero_points[0])


@dataclass
class Graph:
    """The first subgraph of a model, with the answers to who makes and who takes a tensor.

    All lists are those of the model itself: changes go into it. After operators were changed by
    other means than the methods here, make a new `Graph`.

    Args:
        model: A ``ModelT``.
    """

    model: Any

    @classmethod
    def read(cls, content: bytes) -> Graph:
        """The graph of a file. Raises FlatbufferError if it is none."""
        return cls(read_model(content))

    @property
    def subgraph(self) -> Any:
        """The ``SubGraphT``."""
        return self.model.subgraphs[0]

    @property
    def operators(self) -> list[Any]:
        """The ``OperatorT`` of the graph, in order of execution."""
        return self.subgraph.operators

    @property
    def tensors(self) -> list[Any]:
        """The ``TensorT`` of the graph."""
        return self.subgraph.tensors

    @property
    def inputs(self) -> list[int]:
        """Numbers of the graph's input tensors."""
        return _numbers(self.subgraph.inputs)

    @property
    def outputs(self) -> list[int]:
        """Numbers of the graph's output tensors."""
        return _numbers(self.subgraph.outputs)

    def op_name(self, operator: Any) -> str:
        """What an operator computes: ``"CONV_2D"``; of a custom one its own name."""
        return op_name(self.model, operator)

    def op_counts(self) -> Counter[str]:
        """How often each operator occurs."""
        return Counter(self.op_name(operator) for operator in self.operators)

    def input_tensors(self, operator: Any) -> list[int]:
        """Numbers of an operator's inputs; -1 stands for an optional one that is left out."""
        return _numbers(operator.inputs)

    def output_tensors(self, operator: Any) -> list[int]:
        """Numbers of an operator's outputs."""
        return _numbers(operator.outputs)

    def producer(self, tensor: int) -> Any | None:
        """The operator that writes a tensor; None of inputs and constants."""
        for operator in self.operators:
            if tensor in self.output_tensors(operator):
                return operator
        return None

    def consumers(self, tensor: int) -> list[Any]:
        """The operators that read a tensor, in order."""
        return [o for o in self.operators if tensor in self.input_tensors(o)]

    def only_consumer(self, tensor: int) -> Any | None:
        """The one operator that reads a tensor, if nobody else does, the caller included."""
        consumers = self.consumers(tensor)
        return consumers[0] if len(consumers) == 1 and tensor not in self.outputs else None

    def name(self, tensor: int) -> str:
        """A tensor's name."""
        return text(self.tensors[tensor].name)

    def shape(self, tensor: int) -> tuple[int, ...]:
        """A tensor's shape; of an unknown one the converter's guess."""
        shape = self.tensors[tensor].shape
        return () if shape is None else tuple(int(n) for n in shape)

    def type_name(self, tensor: int) -> str:
        """A tensor's type in the schema's words, such as ``"INT8"``."""
        return type_name(self.model, tensor)

    def quantization(self, tensor: int) -> Quantization | None:
        """A tensor's quantisation; None if it has none."""
        found = self.tensors[tensor].quantization
        if found is None or found.scale is None or len(found.scale) == 0:
            return None
        scales = np.asarray(found.scale, np.float64)
        zeros = np.zeros(len(scales), np.int64)
        if found.zeroPoint is not None:
            zeros += np.asarray(found.zeroPoint, np.int64)
        return Quantization(scales, zeros, int(found.quantizedDimension))

    def constant(self, tensor: int) -> np.ndarray | None:
        """The values a constant tensor stores (not dequantised); None of a computed one."""
        return constant(self.model, tensor)

    def real_constant(self, tensor: int) -> np.ndarray | None:
        """The real numbers that a constant tensor stands for, float64; None of a computed one."""
        stored, quantization = self.constant(tensor), self.quantization(tensor)
        if stored is None or quantization is None or stored.dtype.kind == "f":
            return None if stored is None else stored.astype(np.float64)
        shape = [1] * stored.ndim
        if not quantization.per_tensor:
            shape[quantization.axis] = -1
        zeros = quantization.zero_points.reshape(shape)
        return (stored.astype(np.float64) - zeros) * quantization.scales.reshape(shape)

    def add_tensor(
        self, name: str, shape: Sequence[int], type_name: str, scale: float, zero_point: int
    ) -> int:
        """Adds a tensor (see `make_tensor`) and returns its number."""
        self.tensors.append(make_tensor(name, shape, type_name, scale, zero_point))
        return len(self.tensors) - 1

    def replace_tensor(self, old: int, new: int) -> None:
        """Every operator that reads `old`, and the graph's outputs, read `new` instead."""
        for operator in self.consumers(old):
            operator.inputs = _replaced(operator.inputs, {old: new})
        self.subgraph.outputs = _replaced(self.subgraph.outputs, {old: new})
        for named in self._signature_outputs():
            named.tensorIndex = new if named.tensorIndex == old else named.tensorIndex

    def replace_operator(self, old: Any, new: Iterable[Any]) -> None:
        """Puts other operators in the place of one; none removes it."""
        position = next(n for n, operator in enumerate(self.operators) if operator is old)
        self.operators[position : position + 1] = list(new)

    def drop_unused(self) -> None:
        """Removes tensors that nothing refers to any more, and empties their buffers.

        Tensors are numbered anew. A model of several subgraphs, whose tensors may refer to each
        other, is left as it is.
        """
        if len(self.model.subgraphs) > 1:
            return
        used = {*self.inputs, *self.outputs}
        for operator in self.operators:
            used |= {*self.input_tensors(operator), *self.output_tensors(operator)}
            used |= set(_numbers(operator.intermediates))
        kept = sorted(used - {-1})
        numbers = {old: new for new, old in enumerate(kept)}
        for operator in self.operators:
            for place in ("inputs", "outputs", "intermediates"):
                if getattr(operator, place) is not None:
                    setattr(operator, place, _replaced(getattr(operator, place), numbers))
        graph = self.subgraph
        for named in (*self._signature_inputs(), *self._signature_outputs()):
            named.tensorIndex = numbers[named.tensorIndex]
        graph.inputs, graph.outputs = (_replaced(t, numbers) for t in (graph.inputs, graph.outputs))
        graph.tensors = [graph.tensors[old] for old in kept]
        self._empty_unused_buffers()

    def _empty_unused_buffers(self) -> None:
        used = {tensor.buffer for tensor in self.tensors}
        used |= {entry.buffer for entry in self.model.metadata or ()}
        for number, buffer in enumerate(self.model.buffers):
            if number not in used:
                buffer.data = None

    def _signature_inputs(self) -> list[Any]:
        return [t for s in self.model.signatureDefs or () for t in s.inputs or ()]

    def _signature_outputs(self) -> list[Any]:
        return [t for s in self.model.signatureDefs or () for t in s.outputs or ()]


def _replaced(tensors: Any, numbers: Mapping[int, int]) -> np.ndarray:
    return np.array([numbers.get(int(t), int(t)) for t in tensors], np.int32)


def _numbers(tensors: Any | None) -> list[int]:
    return [] if tensors is None else [int(t) for t in tensors]
