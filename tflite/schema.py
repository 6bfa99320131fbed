"""TensorFlow Lite's schema: reading and writing a ``.tflite`` file, its names, its constants.

The objects are those of ``schema.fbs``, whose generated Python classes the interpreter's package
ships: ``ModelT``, ``SubGraphT``, ``OperatorT``, ``TensorT``. Tensors are meant by their number in
the first subgraph.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from tflite.runtime.errors import LabError

_IDENTIFIER = b"TFL3"
# What schema.fbs asks of a buffer (force_align); the generated Python code forgets it.
_BUFFER_ALIGNMENT = 16


class FlatbufferError(LabError):
    """The content of a file is not a ``.tflite`` model, or a graph lacks what was asked for."""


def _schema() -> Any:
    from ai_edge_litert import schema_py_generated

    return schema_py_generated


@cache
def _names(class_name: str) -> dict[int, str]:
    members = vars(getattr(_schema(), class_name)).items()
    return {value: name for name, value in members if not name.startswith("_")}


def enum_value(class_name: str, name: str) -> int:
    """The number of a name of the schema, such as ``("BuiltinOperator", "CONV_2D")``.

    Raises:
        FlatbufferError: If the schema has no such name.
    """
    try:
        return int(getattr(getattr(_schema(), class_name), name))
    except AttributeError:
        raise FlatbufferError(f"The .tflite schema has no {class_name} {name!r}.") from None


def options_object(name: str) -> Any:
    """An empty options object of the schema, such as ``"AddOptions"``."""
    return getattr(_schema(), f"{name}T")()


def read_model(content: bytes) -> Any:
    """Unpacks a model.

    Args:
        content: A ``.tflite`` file; whatever is appended to it (a bundle's zip) is not read.

    Returns:
        A ``ModelT``. Its buffers are views of `content` and cannot be written to; replace them.

    Raises:
        FlatbufferError: If the content is not a model.
    """
    if content[4:8] != _IDENTIFIER:
        raise FlatbufferError(
            f"A .tflite file has {_IDENTIFIER!r} at byte 4, this content of {len(content)} bytes "
            f"has {bytes(content[4:8])!r}."
        )
    try:
        model = _schema().ModelT.InitFromPackedBuf(content, 0)
    except Exception as error:  # whatever a damaged offset makes the reader do
        raise FlatbufferError(f"The .tflite file is damaged: {error}") from None
    if not model.subgraphs or not model.operatorCodes or not model.buffers:
        raise FlatbufferError("The .tflite file is damaged: it has no graph.")
    if any(buffer.offset > 1 for buffer in model.buffers):
        raise FlatbufferError("Files above 2 GB, with buffers outside the model, are not read.")
    for graph in model.subgraphs:
        _check_references(model, graph)
    return model


def _check_references(model: Any, graph: Any) -> None:
    """Refuses a subgraph that refers to what the model does not hold."""
    graph.operators = graph.operators or []
    graph.tensors = graph.tensors or []
    tensors = [graph.inputs, graph.outputs]
    for operator in graph.operators:
        tensors += [operator.inputs, operator.outputs]
    numbers = [int(t) for some in tensors if some is not None for t in some]
    references = (
        ("tensor", numbers, -1, len(graph.tensors)),
        ("operator code", [o.opcodeIndex for o in graph.operators], 0, len(model.operatorCodes)),
        ("buffer", [t.buffer for t in graph.tensors], 0, len(model.buffers)),
    )
    for kind, found, lowest, count in references:
        wrong = [n for n in found if not lowest <= n < count]
        if wrong:
            raise FlatbufferError(
                f"The .tflite file is damaged: it refers to {kind} {wrong[0]}, of {count}."
            )


def write_model(model: Any) -> bytes:
    """Packs a model; the same model gives the same bytes.

    Args:
        model: A ``ModelT``; it is not changed.
    """
    import flatbuffers  # type: ignore[import-untyped]

    model = copy.copy(model)
    model.buffers = [_AlignedBuffer(buffer.data) for buffer in model.buffers]
    size = sum(len(buffer.data) for buffer in model.buffers if buffer.data is not None)
    builder = flatbuffers.Builder(size + (1 << 20))
    builder.Finish(model.Pack(builder), file_identifier=_IDENTIFIER)
    return bytes(builder.Output())


@dataclass(frozen=True)
class _AlignedBuffer:
    """Packs as a ``BufferT`` whose data begin at a multiple of 16 bytes."""

    data: Any

    def Pack(self, builder: Any) -> int:  # noqa: N802 (the schema's name)
        schema, data = _schema(), None
        if self.data is not None:
            payload = np.asarray(self.data, np.uint8).tobytes()
            builder.StartVector(1, len(payload), _BUFFER_ALIGNMENT)
            builder.head -= len(payload)
            builder.Bytes[builder.head : builder.head + len(payload)] = payload
            builder.vectorNumElems = len(payload)
            data = builder.EndVector()
        schema.BufferStart(builder)
        if data is not None:
            schema.BufferAddData(builder, data)
        return int(schema.BufferEnd(builder))


_DTYPES = {
    "FLOAT32": np.float32,
    "FLOAT16": np.float16,
    "INT32": np.int32,
    "UINT8": np.uint8,
    "INT64": np.int64,
    "BOOL": np.bool_,
    "INT16": np.int16,
    "INT8": np.int8,
    "FLOAT64": np.float64,
    "UINT32": np.uint32,
    "UINT16": np.uint16,
    "UINT64": np.uint64,
}


def _code_number(code: Any) -> int:
    # Files of older converters fill the first field only (schema.fbs, OperatorCode).
    return max(int(code.builtinCode), int(code.deprecatedBuiltinCode))


def op_name(model: Any, operator: Any) -> str:
    """What an operator computes: ``"CONV_2D"``; of a custom one its own name."""
    code = model.operatorCodes[operator.opcodeIndex]
    number = _code_number(code)
    name = _names("BuiltinOperator").get(number, f"UNKNOWN_{number}")
    if name == "CUSTOM" and code.customCode:
        return text(code.customCode)
    return name


def fused_activation(operator: Any) -> str:
    """What an operator applies to its output: ``"NONE"``, ``"RELU"``, ``"RELU6"``."""
    number = getattr(operator.builtinOptions, "fusedActivationFunction", 0)
    return _names("ActivationFunctionType").get(number, f"UNKNOWN_{number}")


def text(name: Any) -> str:
    """A name as the schema's classes give it, which is bytes, as text."""
    return name.decode() if isinstance(name, bytes) else str(name or "")


def type_name(model: Any, tensor: int) -> str:
    """A tensor's type in the schema's words, such as ``"INT8"``."""
    number = model.subgraphs[0].tensors[tensor].type
    return _names("TensorType").get(number, f"UNKNOWN_{number}")


def constant(model: Any, tensor: int) -> np.ndarray | None:
    """The values a constant tensor stores (not dequantised); None of a computed one."""
    found = model.subgraphs[0].tensors[tensor]
    data, dtype = model.buffers[found.buffer].data, _DTYPES.get(type_name(model, tensor))
    if data is None or len(data) == 0 or dtype is None:
        return None
    shape = () if found.shape is None else tuple(int(n) for n in found.shape)
    return np.frombuffer(np.asarray(data, np.uint8).tobytes(), dtype).reshape(shape)


def set_constant(model: Any, tensor: int, values: np.ndarray) -> None:
    """Gives a tensor values in a buffer of its own; others that shared the old one keep it.

    Args:
        model: A ``ModelT``.
        tensor: Its number.
        values: Of the tensor's shape and dtype.

    Raises:
        FlatbufferError: If shape or dtype are others.
    """
    found = model.subgraphs[0].tensors[tensor]
    dtype, shape = _DTYPES.get(type_name(model, tensor)), tuple(int(n) for n in found.shape)
    if values.dtype != dtype or values.shape != shape:
        raise FlatbufferError(
            f"Tensor {text(found.name)!r} holds {np.dtype(dtype)} {shape}, got {values.dtype} "
            f"{values.shape}."
        )
    buffer = _schema().BufferT(np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8))
    shared = sum(t.buffer == found.buffer for g in model.subgraphs for t in g.tensors) > 1
    if found.buffer == 0 or shared:
        model.buffers.append(buffer)
        found.buffer = len(model.buffers) - 1
    else:
        model.buffers[found.buffer] = buffer


def make_operator(
    model: Any,
    name: str,
    inputs: Sequence[int],
    outputs: Sequence[int],
    options: Any = None,
    version: int = 1,
) -> Any:
    """A new operator, not yet in any list.

    Args:
        model: A ``ModelT``; gets the operator's code if it lacks it.
        name: Such as ``"ADD"``.
        inputs: Tensor numbers.
        outputs: Tensor numbers.
        options: From `options_object`, or None.
        version: Version of the operator that these types need.
    """
    operator = _schema().OperatorT(opcodeIndex=_opcode(model, name, version))
    operator.inputs = np.array(inputs, np.int32)
    operator.outputs = np.array(outputs, np.int32)
    if options is not None:
        operator.builtinOptions = options
        operator.builtinOptionsType = enum_value("BuiltinOptions", type(options).__name__[:-1])
    return operator


def _opcode(model: Any, name: str, version: int) -> int:
    number = enum_value("BuiltinOperator", name)
    for index, code in enumerate(model.operatorCodes):
        if _code_number(code) == number:
            code.version = max(code.version, version)
            return index
    # The field of old readers is one byte wide.
    model.operatorCodes.append(_schema().OperatorCodeT(min(number, 127), None, version, number))
    return len(model.operatorCodes) - 1


def make_tensor(
    name: str, shape: Sequence[int], type_name: str, scale: float, zero_point: int
) -> Any:
    """A new tensor quantised as a whole, not yet in any list.

    Args:
        name: For people who look at the graph.
        shape: Its dimensions.
        type_name: Such as ``"INT8"``.
        scale: Real width of an integer step.
        zero_point: The integer that stands for 0.
    """
    schema = _schema()
    tensor = schema.TensorT(
        np.array(shape, np.int32), enum_value("TensorType", type_name), 0, name.encode()
    )
    tensor.hasRank = True
    tensor.quantization = schema.QuantizationParametersT(
        scale=np.array([scale], np.float32), zeroPoint=np.array([zero_point], np.int64)
    )
    return tensor
