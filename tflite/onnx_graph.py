"""A frozen TensorFlow graph in words that tf2onnx can work with."""

from __future__ import annotations

from typing import Any

_CALLS = ("StatefulPartitionedCall", "PartitionedCall")


def prepare_for_onnx(graph: Any) -> None:
    """Puts three things into equal words; changes `graph`.

    Grouped convolutions: Keras has them compiled by XLA, in a function of their own that TensorFlow
    does not take apart: what is in the function takes the call's place. Sums with a constant
    without axes (the 3 of a hard swish) make tf2onnx's optimiser for transposes give up, which
    leaves two of them around every convolution: the constant gets an axis. ONNX has erf only (in
    GELU): erfc(x) = 1 - erf(x).

    Args:
        graph: A ``GraphDef`` whose weights are constants.
    """
    functions = {function.signature.name: function for function in graph.library.function}
    for node in list(graph.node):
        if node.op in _CALLS and len(functions[node.attr["f"].func.name].ret) == 1:
            _inline(graph, node, functions[node.attr["f"].func.name])
    constants = {node.name: node for node in graph.node if node.op == "Const"}
    for node in list(graph.node):
        if node.op in ("AddV2", "Add"):
            for name in node.input:
                _give_axis(constants.get(name.split(":")[0]))
        if node.op == "Erfc":
            _write_as_erf(graph, node)


def _inline(graph: Any, call: Any, function: Any) -> None:
    """Copies a function's nodes into the graph; the call becomes the identity of its result."""
    names = [argument.name for argument in function.signature.input_arg]
    tensors = dict(zip(names, call.input, strict=True))

    def outside(name: str) -> str:
        # Within functions a tensor is an argument, or node:output:number.
        node, _, rest = name.partition(":")
        return f"{call.name}/{node}:{rest.rpartition(':')[2]}" if rest else tensors[node]

    for inner in function.node_def:
        if inner.op == "NoOp":
            continue
        node = graph.node.add()
        node.CopyFrom(inner)
        node.name = f"{call.name}/{inner.name}"
        del node.input[:]
        node.input.extend(outside(name) for name in inner.input if not name.startswith("^"))
    (result,) = function.ret.values()
    kind = function.signature.output_arg[0].type
    call.op = "Identity"
    call.attr.clear()
    call.attr["T"].type = kind
    del call.input[:]
    call.input.append(outside(result))


def _give_axis(constant: Any) -> None:
    from tensorflow.core.framework import types_pb2

    if constant is None or constant.attr["dtype"].type != types_pb2.DT_FLOAT:
        return
    shape = constant.attr["value"].tensor.tensor_shape
    if not shape.dim:
        shape.dim.add(size=1)


def _write_as_erf(graph: Any, node: Any) -> None:
    import tensorflow as tf

    one, erf = graph.node.add(), graph.node.add()
    one.name, one.op = f"{node.name}/one", "Const"
    one.attr["dtype"].type = tf.float32.as_datatype_enum
    one.attr["value"].tensor.CopyFrom(tf.make_tensor_proto([1.0], tf.float32))
    erf.name, erf.op = f"{node.name}/erf", "Erf"
    erf.input.extend(node.input)
    erf.attr["T"].CopyFrom(node.attr["T"])
    node.op = "Sub"
    del node.input[:]
    node.input.extend([one.name, erf.name])
