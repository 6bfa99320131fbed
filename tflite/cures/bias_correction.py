"""Takes the mean error that rounded weights leave out of the biases.

A rounded kernel ``W + e`` answers ``Wx + ex`` instead of ``Wx``; over many images the second part
has the mean ``e E[x]``, a constant for each output channel, which the bias can carry (Nagel et al.
2019, "Data-Free Quantization Through Weight Equalization and Bias Correction", section 4.2). Here
E[x] is measured on the representative images instead of derived from batch statistics. Zeros that
padding puts around an image are not counted, so the correction is exact away from the border.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tflite.calibration import run_all_tensors
from tflite.flatbuffer import Graph
from tflite.schema import set_constant, write_model

_KERNELS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")


def correct_biases(quantized: bytes, calibrated: bytes, images: np.ndarray) -> bytes:
    """The int8 file with corrected biases; nothing else changes.

    Args:
        quantized: From `tflite.calibration.quantize_file`.
        calibrated: The float file it was made from; ops are matched by their output's name.
        images: uint8 ``(n, height, width, 3)``, the representative dataset.
    """
    before, after = Graph.read(calibrated), Graph.read(quantized)
    float_ops = _ops_with_kernels(before)
    means = _channel_means(calibrated, images, [int(op.inputs[0]) for op in float_ops.values()])
    for name, op in _ops_with_kernels(after).items():
        twin = float_ops.get(name)
        if twin is not None:
            _correct(after, op, before, twin, means[int(twin.inputs[0])])
    return write_model(after.model)


def _ops_with_kernels(graph: Graph) -> dict[str, Any]:
    """Ops with a constant kernel and a bias, by the name of their output."""
    return {
        graph.name(int(op.outputs[0])): op
        for op in graph.operators
        if graph.op_name(op) in _KERNELS
        and len(op.inputs) > 2
        and op.inputs[2] >= 0
        and graph.constant(int(op.inputs[1])) is not None
    }


def _channel_means(content: bytes, images: np.ndarray, tensors: list[int]) -> dict[int, np.ndarray]:
    sums: dict[int, np.ndarray] = {}
    for values in run_all_tensors(content, images, tensors):
        for index, array in values.items():
            mean = array.reshape(-1, array.shape[-1]).mean(axis=0, dtype=np.float64)
            sums[index] = sums.get(index, 0) + mean
    return {index: total / len(images) for index, total in sums.items()}


def _correct(after: Graph, op: Any, before: Graph, twin: Any, mean: np.ndarray) -> None:
    kernel, bias = int(op.inputs[1]), int(op.inputs[2])
    stored, steps = after.constant(bias), after.quantization(bias)
    rounded, exact = after.real_constant(kernel), before.real_constant(int(twin.inputs[1]))
    if stored is None or steps is None or rounded is None or exact is None:
        return  # a layer that was left float
    depthwise = after.op_name(op) == "DEPTHWISE_CONV_2D"
    shift = _output_shift(rounded - exact, mean, depthwise)
    limits = np.iinfo(stored.dtype)
    corrected = np.clip(stored - np.rint(shift / steps.scales), limits.min, limits.max)
    set_constant(after.model, bias, corrected.astype(stored.dtype))


def _output_shift(error: np.ndarray, mean: np.ndarray, depthwise: bool) -> np.ndarray:
    """Mean change of each output channel.

    Args:
        error: Of the kernel: ``(1, h, w, channels * multiplier)`` if depthwise, else
            ``(out, ..., in)``.
        mean: ``(in,)``, of the input's channels.
        depthwise: Whether each output channel sees one input channel only.
    """
    if depthwise:
        multiplier = error.shape[-1] // len(mean)
        return np.asarray(error.sum(axis=(0, 1, 2)) * np.repeat(mean, multiplier))
    summed = error.reshape(len(error), -1, error.shape[-1]).sum(axis=1)
    if summed.shape[-1] != len(mean):  # a dense layer behind a flattened map
        return np.zeros(len(error))
    return np.asarray(summed @ mean)
