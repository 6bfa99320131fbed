"""Builds small graphs operator by operator, so that a test sees one pattern and nothing else."""

import numpy as np

from tflite.flatbuffer import (
    Graph,
    enum_value,
    make_operator,
    options_object,
    set_constant,
    write_model,
)
from tflite.runtime.interpreter import load_interpreter
from tflite.schema import _schema


class Builder:
    """A graph under construction; tensors are numbers, as in the file."""

    def __init__(self):
        schema = _schema()
        graph = schema.SubGraphT(tensors=[], operators=[])
        model = schema.ModelT(3, [], [graph], b"test", [schema.BufferT()])
        self.graph = Graph(model)

    def tensor(self, shape, scale=1.0, zero_point=0, type_name="INT8"):
        name = f"t{len(self.graph.tensors)}"
        tensor = self.graph.add_tensor(name, shape, type_name, scale, zero_point)
        if type_name in ("FLOAT32", "INT32"):
            self.graph.tensors[tensor].quantization = None
        return tensor

    def constant(self, values, scale=1.0, zero_point=0, axis=0):
        """A constant; `scale` may be one a slice along `axis`."""
        name = {np.int8: "INT8", np.int32: "INT32", np.float32: "FLOAT32"}[values.dtype.type]
        tensor = self.graph.add_tensor(f"c{len(self.graph.tensors)}", values.shape, name, 1.0, 0)
        if values.dtype == np.float32:
            self.graph.tensors[tensor].quantization = None
        else:
            scales = np.atleast_1d(np.asarray(scale, np.float32))
            found = self.graph.tensors[tensor].quantization
            found.scale, found.quantizedDimension = scales, axis
            found.zeroPoint = np.full(len(scales), zero_point, np.int64)
        set_constant(self.graph.model, tensor, values)
        return tensor

    def add(self, name, inputs, output, options=None, version=2, **fields):
        found = options_object(options) if options else None
        for field, value in fields.items():
            setattr(found, field, value)
        operator = make_operator(self.graph.model, name, inputs, [output], found, version)
        self.graph.operators.append(operator)
        return output

    def convolution(self, data, output, kernel, padding="SAME", stride=1, seed=0, activation=0):
        """An int8 CONV_2D with random constants; `kernel` is (filters, height, width, channels)."""
        generator = np.random.default_rng(seed)
        scales = generator.uniform(0.5, 1.0, kernel[0]) / (100 * np.prod(kernel[1:]) ** 0.5)
        weights = generator.integers(-127, 128, kernel).astype(np.int8)
        bias = generator.integers(-3000, 3000, kernel[0]).astype(np.int32)
        data_scale = self.graph.quantization(data).scale
        inputs = [
            data,
            self.constant(weights, scales),
            self.constant(bias, scales * data_scale),
        ]
        return self.add(
            "CONV_2D",
            inputs,
            output,
            "Conv2DOptions",
            3,
            padding=enum_value("Padding", padding),
            strideH=stride,
            strideW=stride,
            dilationHFactor=1,
            dilationWFactor=1,
            fusedActivationFunction=activation,
        )

    def build(self, inputs, outputs):
        self.graph.subgraph.inputs = np.array(inputs, np.int32)
        self.graph.subgraph.outputs = np.array(outputs, np.int32)
        return write_model(self.graph.model)


def run(content, values, delegates=False):
    """First output of one input, as int64 or float."""
    interpreter = load_interpreter(content, delegates=delegates)
    given = interpreter.get_input_details()[0]
    interpreter.set_tensor(given["index"], values.astype(given["dtype"]))
    interpreter.invoke()
    output = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    return output.astype(np.int64) if output.dtype.kind == "i" else output


def names(content):
    graph = Graph.read(content)
    return [graph.op_name(operator) for operator in graph.operators]


def every_int8(shape):
    """Every integer of int8, over and over, in a shape."""
    return np.resize(np.arange(-128, 128), shape).astype(np.int8)
