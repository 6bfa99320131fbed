"""Post-training calibration: the range of every activation, and the int8 file made with it.

Three steps, so that cures can act between them (`tflite.cures`): a float file whose tensors are
those that will be quantised, the ranges that an observer finds on representative images, and the
quantiser of TensorFlow Lite, which turns ranges into integers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tflite.quiet import quiet_converter
from tflite.runtime.errors import LabError
from tflite.runtime.interpreter import load_interpreter
from tflite.schema import read_model, write_model

if TYPE_CHECKING:
    import keras

OBSERVERS = ("min-max", "percentile", "mse")
# Candidate ranges of the "mse" observer, as shares of the whole observed range.
_SHARES = np.linspace(0.4, 1.0, 31)
_LEVELS = 255
# Kernels without a fused activation clamp NaN and infinity to the largest float32.
_ABSURD = 1e30
_NOT_FINITE = (
    "An activation of the float model is NaN or infinite on the representative images; it cannot "
    "be calibrated. Train again with a lower learning rate."
)

Ranges = Mapping[int, tuple[float, float]]


@dataclass(frozen=True)
class CalibrationSettings:
    """How the range of an activation is found from representative images.

    Args:
        observer: ``"min-max"``, all that was seen (study particles); ``"percentile"``, all but
            the outermost values (Wu et al. 2020, "Integer Quantization for Deep Learning
            Inference", section 5.2); ``"mse"``, the range that loses least to rounding and
            clipping together (Sung et al. 2015; Nagel et al. 2021, section 3.1).
        percentile: Share of the values, in per cent, that the percentile observer keeps on each
            side, above 50 up to 100.
        samples: Values a tensor and image from which ``percentile`` and ``mse`` are computed;
            minimum and maximum are taken over all.
        seed: Of the draw of these values.

    Raises:
        LabError: If a field is out of its range.
    """

    observer: str = "min-max"
    percentile: float = 99.99
    samples: int = 4096
    seed: int = 0

    def __post_init__(self) -> None:
        if self.observer not in OBSERVERS:
            raise LabError(f"The observer must be one of {OBSERVERS}, got {self.observer!r}.")
        if not 50 < self.percentile <= 100:
            raise LabError(
                f"The percentile must be above 50 and at most 100, got {self.percentile!r}."
            )
        if self.samples < 1:
            raise LabError(f"At least one value a tensor is needed, got samples={self.samples}.")


def float_file(model: keras.Model, image: np.ndarray) -> bytes:
    """The network as a float file with exactly the tensors that the quantiser works on.

    Args:
        model: Functional, with a batch fixed to 1.
        image: uint8 ``(height, width, 3)``; any representative image.

    Returns:
        A ``.tflite`` file, float32, every activation with a (provisional) range.
    """
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: iter([[image[None].astype(np.float32)]])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    # The only way to have the file before the quantiser sees it; TensorFlow is pinned.
    converter._experimental_calibrate_only = True
    with quiet_converter():
        return bytes(converter.convert())


def calibrate(
    content: bytes, images: np.ndarray, settings: CalibrationSettings | None = None
) -> bytes:
    """The float file with the ranges that the observer finds.

    The input keeps 0..255 whatever the images hold, so that a pixel is one integer step.

    Args:
        content: From `float_file`.
        images: uint8 ``(n, height, width, 3)``, the representative dataset.
        settings: None takes the defaults.

    Raises:
        LabError: If an activation is NaN or infinite.
    """
    settings = settings or CalibrationSettings()
    model = read_model(content)
    graph = model.subgraphs[0]
    ranges = dict(observe_ranges(content, images, settings))
    ranges[int(graph.inputs[0])] = (0.0, 255.0)
    for index, (low, high) in ranges.items():
        statistics = graph.tensors[index].quantization
        statistics.min = np.array([low], np.float32)
        statistics.max = np.array([high], np.float32)
    return write_model(model)


def observe_ranges(content: bytes, images: np.ndarray, settings: CalibrationSettings) -> Ranges:
    """The range of every activation.

    Args:
        content: From `float_file`.
        images: uint8 ``(n, height, width, 3)``.
        settings: The observer.

    Returns:
        Number of a tensor to its lowest and highest value; each range holds 0.

    Raises:
        LabError: If an activation is NaN or infinite.
    """
    observed = _observed_tensors(content)
    low = dict.fromkeys(observed, math.inf)
    high = dict.fromkeys(observed, -math.inf)
    drawn: dict[int, list[np.ndarray]] = {index: [] for index in observed}
    generator = np.random.default_rng(settings.seed)
    for values in run_all_tensors(content, images, observed):
        for index, array in values.items():
            low[index] = min(low[index], float(array.min()))
            high[index] = max(high[index], float(array.max()))
            if settings.observer != "min-max":
                drawn[index].append(_draw(array, settings.samples, generator))
    ranges = {}
    for index in observed:
        if not -_ABSURD < low[index] <= high[index] < _ABSURD:
            raise LabError(_NOT_FINITE)
        ranges[index] = _range((low[index], high[index]), drawn[index], settings)
    return ranges


def _observed_tensors(content: bytes) -> list[int]:
    graph = read_model(content).subgraphs[0]
    observed = [
        index
        for index, tensor in enumerate(graph.tensors)
        if tensor.quantization is not None and tensor.quantization.max is not None
    ]
    # TensorFlow leaves out tensors in which it saw NaN.
    if not set(map(int, graph.outputs)) <= set(observed):
        raise LabError(_NOT_FINITE)
    return observed


def run_all_tensors(
    content: bytes, images: np.ndarray, tensors: list[int]
) -> Iterator[dict[int, np.ndarray]]:
    """What stands in inner tensors, image by image.

    Args:
        content: A ``.tflite`` file with a batch of 1 and a float input.
        images: uint8 ``(n, height, width, 3)``.
        tensors: Their numbers.

    Yields:
        Number of a tensor to its values; the arrays are copies.
    """
    interpreter = load_interpreter(content, delegates=False, keep_tensors=True)
    index = interpreter.get_input_details()[0]["index"]
    for image in images:
        interpreter.set_tensor(index, image[None].astype(np.float32))
        interpreter.invoke()
        yield {tensor: interpreter.get_tensor(tensor) for tensor in tensors}


def _draw(array: np.ndarray, samples: int, generator: np.random.Generator) -> np.ndarray:
    values = array.ravel()
    return values if len(values) <= samples else generator.choice(values, samples)


def _range(
    whole: tuple[float, float], drawn: list[np.ndarray], settings: CalibrationSettings
) -> tuple[float, float]:
    if settings.observer == "min-max":
        return _with_zero(*whole)
    values = np.concatenate(drawn)
    if settings.observer == "percentile":
        low, high = np.percentile(values, [100 - settings.percentile, settings.percentile])
        return _with_zero(float(low), float(high))
    return least_error_range(values, *_with_zero(*whole))


def _with_zero(low: float, high: float) -> tuple[float, float]:
    low, high = min(low, 0.0), max(high, 0.0)
    # A tensor that is always zero still needs a step.
    return (low, high) if high > low else (0.0, 1.0)


def least_error_range(values: np.ndarray, low: float, high: float) -> tuple[float, float]:
    """The range, a share of the whole, with the least squared error of rounding and clipping.

    Args:
        values: Activations, any shape.
        low: Lowest value seen, at most 0.
        high: Highest, at least 0.
    """
    exact = values.astype(np.float64)

    def error(share: float) -> float:
        return float(np.square(rounded(exact, low * share, high * share) - exact).mean())

    share = float(min(_SHARES[::-1], key=error))
    return low * share, high * share


def rounded(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Real numbers after a pass through 8 bits with the range given.

    Args:
        values: float64, any shape.
        low: Lowest value that can be stored, at most 0.
        high: Highest, at least 0.
    """
    step = (high - low) / _LEVELS
    zero_point = np.rint(-low / step)
    return (np.clip(np.rint(values / step) + zero_point, 0, _LEVELS) - zero_point) * step


def quantize_file(calibrated: bytes, float_tensors: tuple[str, ...] = ()) -> bytes:
    """The int8 file of a calibrated float file: weights per channel, every tensor int8.

    Args:
        calibrated: From `calibrate`.
        float_tensors: Names of output tensors whose ops stay float (selective quantisation; see
            `tflite.cures.sensitive_layers`); with any, the interface stays int8 all the same.

    Returns:
        A ``.tflite`` file; its input takes pixels as int8 with scale 1 and zero point -128.
    """
    import tensorflow as tf
    from tensorflow.lite.python.convert import mlir_quantize

    with quiet_converter():
        return bytes(
            mlir_quantize(
                calibrated,
                fully_quantize=not float_tensors,
                input_data_type=tf.int8,
                output_data_type=tf.int8,
                denylisted_nodes=set(float_tensors) or None,
            )
        )
