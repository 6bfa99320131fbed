"""Reading and writing the objects of a ``.tflite`` file."""

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tflite.flatbuffer import (
    FlatbufferError,
    Graph,
    enum_value,
    make_operator,
    options_object,
    read_model,
    set_constant,
    write_model,
)
from tflite.runtime.interpreter import load_interpreter


def _outputs(content, pixels):
    interpreter = load_interpreter(content, delegates=False)
    given = interpreter.get_input_details()[0]
    taken = []
    for image in pixels:
        stored = (image ^ np.uint8(128)).view(np.int8)
        interpreter.set_tensor(given["index"], stored.astype(given["dtype"])[None])
        interpreter.invoke()
        taken.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0])
    return np.array(taken)


def test_a_round_trip_keeps_the_answers_and_is_stable(int8_file, pixels):
    once = write_model(read_model(int8_file))
    assert np.array_equal(_outputs(once, pixels), _outputs(int8_file, pixels))
    assert write_model(read_model(once)) == once
    assert abs(len(once) - len(int8_file)) < 0.1 * len(int8_file) + 1000


def test_buffers_lie_at_multiples_of_16_bytes(int8_file):
    content = write_model(read_model(int8_file))
    start = np.frombuffer(content, np.uint8).ctypes.data
    found = [
        buffer.data.ctypes.data - start
        for buffer in read_model(content).buffers
        if buffer.data is not None and len(buffer.data)
    ]
    assert found
    assert {offset % 16 for offset in found} == {0}


def test_what_is_appended_is_not_read(int8_file):
    appended = read_model(int8_file + b"PK and so on")
    assert write_model(appended) == write_model(read_model(int8_file))


def test_the_graph_knows_its_operators(int8_file):
    graph = Graph.read(int8_file)
    assert graph.op_counts()["CONV_2D"] == 1
    convolution = next(o for o in graph.operators if graph.op_name(o) == "CONV_2D")
    _, kernel, bias = graph.input_tensors(convolution)
    (output,) = graph.output_tensors(convolution)
    assert graph.producer(output) is convolution
    assert all(o is not convolution for o in graph.consumers(output))
    assert graph.constant(kernel).shape == graph.shape(kernel)
    assert graph.shape(kernel)[:2] == (8, 3)
    assert graph.constant(output) is None
    assert (graph.type_name(kernel), graph.type_name(bias)) == ("INT8", "INT32")
    assert len(graph.quantization(kernel).scales) == 8
    assert not graph.quantization(kernel).per_tensor
    real = graph.constant(kernel) * graph.quantization(kernel).scales.reshape(8, 1, 1, 1)
    assert np.array_equal(graph.real_constant(kernel), real)


def test_an_added_operator_runs(int8_file, pixels):
    graph = Graph.read(int8_file)
    (output,) = graph.outputs
    old = graph.quantization(output)
    constant = graph.add_tensor("two_steps", (1,), "INT8", old.scale, 0)
    set_constant(graph.model, constant, np.array([2], np.int8))
    total = graph.add_tensor("sum", graph.shape(output), "INT8", old.scale, old.zero_point)
    graph.replace_tensor(output, total)
    options = options_object("AddOptions")
    add = make_operator(graph.model, "ADD", [output, constant], [total], options, 2)
    graph.operators.append(add)
    before = _outputs(int8_file, pixels).astype(int)
    after = _outputs(write_model(graph.model), pixels)
    assert np.array_equal(after, np.clip(before + 2, -128, 127))


def test_operators_are_replaced_and_removed(int8_file):
    graph = Graph.read(int8_file)
    first, count = graph.operators[0], len(graph.operators)
    graph.replace_operator(first, [first, first])
    assert len(graph.operators) == count + 1
    graph.replace_operator(first, [])
    assert len(graph.operators) == count


def test_a_new_constant_leaves_who_shared_the_old_one(int8_file):
    graph = Graph.read(int8_file)
    a, b = (graph.add_tensor(name, (2,), "INT8", 1.0, 0) for name in "ab")
    set_constant(graph.model, a, np.array([1, 2], np.int8))
    graph.tensors[b].buffer = graph.tensors[a].buffer
    set_constant(graph.model, a, np.array([3, 4], np.int8))
    assert (graph.constant(a).tolist(), graph.constant(b).tolist()) == ([3, 4], [1, 2])
    set_constant(graph.model, a, np.array([5, 6], np.int8))
    assert graph.constant(a).tolist() == [5, 6]
    with pytest.raises(FlatbufferError, match="'a' holds int8"):
        set_constant(graph.model, a, np.array([5, 6], np.int32))


def test_unused_tensors_go_and_the_rest_answers_as_before(int8_file, pixels):
    graph = Graph.read(int8_file)
    wasted = graph.add_tensor("wasted", (100_000,), "INT8", 1.0, 0)
    set_constant(graph.model, wasted, np.ones(100_000, np.int8))
    graph.tensors.insert(0, graph.tensors.pop())  # in front, so that every number changes
    for operator in graph.operators:
        operator.inputs = np.where(operator.inputs < 0, -1, operator.inputs + 1).astype(np.int32)
        operator.outputs = (operator.outputs + 1).astype(np.int32)
    graph.subgraph.inputs, graph.subgraph.outputs = (
        (t + 1).astype(np.int32) for t in (graph.subgraph.inputs, graph.subgraph.outputs)
    )
    for named in (*graph.model.signatureDefs[0].inputs, *graph.model.signatureDefs[0].outputs):
        named.tensorIndex += 1
    large = write_model(graph.model)
    graph.drop_unused()
    small = write_model(graph.model)
    assert len(small) < len(large) - 100_000
    assert "wasted" not in [graph.name(t) for t in range(len(graph.tensors))]
    assert np.array_equal(_outputs(small, pixels), _outputs(int8_file, pixels))
    interpreter = load_interpreter(small)
    run = interpreter.get_signature_runner()
    assert [d["index"] for d in run.get_output_details().values()] == graph.outputs
    assert [d["index"] for d in run.get_input_details().values()] == graph.inputs


def test_names_of_the_schema():
    assert enum_value("BuiltinOperator", "CONV_2D") == 3
    with pytest.raises(FlatbufferError, match="no BuiltinOperator 'CONV_5D'"):
        enum_value("BuiltinOperator", "CONV_5D")


@pytest.mark.parametrize("content", [b"", b"TFL3", b"\0\0\0\0TFL3", b"PK\3\4" * 10])
def test_what_is_no_model_is_refused(content):
    with pytest.raises(FlatbufferError):
        read_model(content)


@given(position=st.integers(0, 10_000), value=st.integers(0, 255), end=st.integers(0, 10_000))
def test_damaged_files_raise_nothing_else(int8_file, position, value, end):
    damaged = bytearray(int8_file)
    damaged[position % len(damaged)] = value
    for content in (bytes(damaged), int8_file[: end % len(int8_file)]):
        with contextlib.suppress(FlatbufferError):
            graph = Graph.read(content)
            graph.op_counts()
            assert isinstance(graph.inputs + graph.outputs, list)
