"""Which layers int8 hurts most, found by TensorFlow Lite's quantisation debugger.

The debugger runs every layer in int8 and in float on the same inputs and compares. A layer whose
error is large beside its own quantisation step has lost more than rounding; it may stay float.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from tflite.quiet import quiet_converter


@dataclass(frozen=True)
class LayerError:
    """What int8 does to one layer.

    Args:
        tensor: Name of the layer's output tensor.
        op: Kind of the op, such as ``"CONV_2D"``.
        error: Root mean squared error in steps of the output; rounding alone gives 0.29, the
            spread of a uniform distribution, 1 / sqrt(12).
    """

    tensor: str
    op: str
    error: float


def layer_errors(calibrated: bytes, images: np.ndarray) -> tuple[LayerError, ...]:
    """Every quantised layer with its error, the worst first.

    Args:
        calibrated: From `tflite.calibration.calibrate`.
        images: uint8 ``(n, height, width, 3)``; a few dozen are enough.
    """
    import tensorflow as tf
    from tensorflow.lite.python.convert import mlir_quantize

    def dataset() -> Iterator[list[np.ndarray]]:
        for image in images:
            yield [image[None].astype(np.float32)]

    with quiet_converter():
        verified = bytes(mlir_quantize(calibrated, enable_numeric_verify=True))
        debugger = tf.lite.experimental.QuantizationDebugger(
            quant_debug_model_content=verified, debug_dataset=dataset
        )
        debugger.run()
    text = io.StringIO()
    debugger.layer_statistics_dump(text)
    errors = [_layer_error(row) for row in csv.DictReader(io.StringIO(text.getvalue()))]
    return tuple(sorted(errors, key=lambda layer: -layer.error))


def _layer_error(row: dict[str, Any]) -> LayerError:
    step = float(row["scale"])
    squared = float(row["mean_squared_error"])
    return LayerError(row["tensor_name"], row["op_name"], math.sqrt(squared) / step)


def most_sensitive_tensors(
    calibrated: bytes, images: np.ndarray, number: int, most_images: int = 32
) -> tuple[str, ...]:
    """Names of the output tensors of the worst layers; empty for `number` 0.

    Args:
        calibrated: From `tflite.calibration.calibrate`.
        images: uint8 ``(n, height, width, 3)``.
        number: How many.
        most_images: So many of the images are enough.
    """
    if number == 0:
        return ()
    worst = layer_errors(calibrated, images[:most_images])[:number]
    return tuple(layer.tensor for layer in worst)
