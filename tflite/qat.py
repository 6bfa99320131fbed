"""Quantisation-aware training: the network is trained on, with int8 simulated in every step.

The weights learn to answer well *after* rounding (Jacob et al. 2018). It costs minutes where other
cures cost seconds, and it helps where they do not. The trained network, its ranges included,
becomes the int8 file without any calibration.

The simulation is TFMOT's, on the ``tf_keras`` twin of the Keras 3 model (`tflite.tf_keras_twin`),
with the configs of `tflite.quantize_configs`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tflite.conversion_checks import ConversionChecks, ConversionError, check_file, check_scores
from tflite.convert import as_float32
from tflite.fine_tuning import FineTuneSettings, Say, Trainer, steps_of
from tflite.keras_weights import give_weights
from tflite.logits import with_logits
from tflite.quantization_recipes import INT8_QAT
from tflite.quiet import quiet_converter
from tflite.runtime.errors import LabError
from tflite.runtime.scores import softmax

if TYPE_CHECKING:
    import keras
    import tensorflow as tf
    import tf_keras

    from tflite.tf_keras_twin import Twin


@dataclass(frozen=True)
class QatSettings(FineTuneSettings):
    """A short fine-tuning that starts from a trained network.

    Args:
        range_decay: Share of an activation's range that is kept at each step; the rest comes
            from the present batch. 1 keeps the ranges of calibration.

    The others, and their errors, are those of `tflite.fine_tuning.FineTuneSettings`.
    """

    range_decay: float = 0.99

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.range_decay <= 1:
            raise LabError(f"range_decay must be in 0..1, got {self.range_decay}.")


@dataclass(frozen=True)
class QatResult:
    """A network trained with int8 simulated.

    Args:
        model: ``tf_keras``, pixel values ``(batch, height, width, 3)`` to logits
            ``(batch, classes)``, with the rounding simulated: it answers as the int8 file will.
        twin: What it was made of.
        classifier: The Keras 3 model it all began with, unchanged.
        history: One row an epoch: epoch, loss, accuracy, val_loss, val_accuracy (as far as there
            is validation), seconds. Row 0 is the state before training.
        settings: Of the training.
    """

    model: tf_keras.Model
    twin: Twin
    classifier: keras.Model
    history: tuple[dict[str, float], ...]
    settings: QatSettings

    def to_keras(self) -> keras.Model:
        """A copy of the classifier with the trained weights, nothing rounded."""
        import keras

        copy = keras.models.clone_model(self.classifier)
        give_weights(copy, self.twin.weights_of(self.model))
        return copy


def fine_tune_quantization_aware(
    model: keras.Model,
    training: tf.data.Dataset,
    validation: tf.data.Dataset | None,
    representative_images: np.ndarray,
    steps: int | None = None,
    settings: QatSettings | None = None,
    say: Say = print,
) -> QatResult:
    """Trains a classifier on, with int8 simulated.

    Nothing is written; a stop in the middle loses the training and nothing else.

    Args:
        model: Functional Keras 3 classifier, pixel values in 0..255 to softmax scores; stays as
            it is.
        training: Batches of (images float32 ``(batch, height, width, 3)`` in 0..255, one-hot
            labels float32 ``(batch, classes)``) or with weights ``(batch,)`` third; augmented as
            in training. May be endless.
        validation: The same, finite, not augmented; None for none.
        representative_images: uint8 ``(n, height, width, 3)`` as for `tflite.convert.convert`;
            the ranges start from them.
        steps: Batches an epoch; None takes all of a finite dataset.
        settings: None takes the defaults.
        say: Takes one line of progress at a time.

    Raises:
        LabError: If the model has a layer that has no twin or no int8 kernel, or an endless
            dataset comes without `steps`.
    """
    from tflite.tf_keras_twin import build_twin

    settings = settings or QatSettings()
    classifier = as_float32(model)
    twin = build_twin(with_logits(classifier))
    check_twin(twin, representative_images[:4])
    quantized = quantize_twin(twin, representative_images, settings.range_decay)
    trainer = Trainer(
        quantized, training, validation, steps_of(training, steps), settings, classifier, say
    )
    history = trainer.run()
    return QatResult(quantized, twin, model, history, settings)


def check_twin(twin: Twin, images: np.ndarray, tolerance: float = 1e-3) -> None:
    """Checks that a twin answers as its original does.

    Args:
        twin: With the original's weights.
        images: ``(n, height, width, 3)``, pixel values 0..255.
        tolerance: Largest difference, as a share of the largest answer (or of 1).

    Raises:
        LabError: If it does not.
    """
    pixels = np.asarray(images, np.float32)
    expected = np.asarray(twin.original(pixels, training=False))
    difference = float(np.abs(twin.model(pixels, training=False).numpy() - expected).max())
    if not difference <= tolerance * max(1.0, float(np.abs(expected).max())):
        raise LabError(
            f"The tf_keras twin of {twin.original.name!r} differs from it by {difference:.3g}; "
            "one of its layers is understood differently by the two libraries. Use another "
            "quantisation recipe for this model."
        )


def quantize_twin(twin: Twin, images: np.ndarray, decay: float) -> tf_keras.Model:
    """The twin with rounding simulated; weights copied, ranges from calibration.

    Where one scaling serves all channels, it is moved by less than half a grey level so that
    each pixel value falls on one integer: 127.5 of a scaling to -1..1 would lie between two.

    Args:
        twin: With trained weights.
        images: uint8 ``(n, height, width, 3)``, the representative dataset.
        decay: See `QatSettings.range_decay`.
    """
    import tf_keras

    from tflite import quantize_configs as configs
    from tflite.tf_keras_weights import INPUT_FACTOR, INPUT_SCALING
    from tflite.tfmot import quantize

    ranges = configs.observe_ranges(twin.model, images)
    offset, ranges[INPUT_SCALING] = device_scaling(twin.scale, twin.offset)
    ranges[INPUT_FACTOR] = (0.0, 255 * twin.scale[0])
    chosen = configs.layer_configs(twin.model, ranges, decay)

    def annotate(layer: Any) -> Any:
        config = chosen.get(layer.name)
        values = layer.get_config()
        if layer.name == INPUT_SCALING and values.get("operation") == "add":
            values["constant"] = offset[0]
        copy = type(layer).from_config(values)
        return copy if config is None else quantize.quantize_annotate_layer(copy, config)

    with quantize.quantize_scope(configs.CUSTOM_OBJECTS):
        annotated = tf_keras.models.clone_model(twin.model, clone_function=annotate)
        annotated.set_weights(twin.model.get_weights())
        return quantize.quantize_apply(annotated, configs.TwinScheme())


def device_scaling(
    scale: tuple[float, ...], offset: tuple[float, ...]
) -> tuple[tuple[float, ...], tuple[float, float]]:
    """The offset of the input scaling as the device has it, and the scaled image's range.

    Args:
        scale: Per channel, factor of pixel values 0..255, above 0.
        offset: Per channel, added then.

    Returns:
        The offset per channel, moved to a whole grey level where all channels share one scaling,
        and the lower and upper end over all channels, 0 inside.
    """
    if len(set(scale)) == len(set(offset)) == 1 and 0 <= -offset[0] / scale[0] <= 255:
        zero = math.floor(-offset[0] / scale[0] + 0.5)
        moved = -zero * scale[0]
        return (moved,) * len(offset), (moved, (255 - zero) * scale[0])
    low, high = min(offset), max(255 * s + o for s, o in zip(scale, offset, strict=True))
    return offset, (min(low, 0.0), max(high, 0.0))


def convert_quantization_aware(
    result: QatResult, images: np.ndarray, checks: ConversionChecks | None = None
) -> bytes:
    """The int8 file of a network trained with int8 simulated.

    Args:
        result: Of `fine_tune_quantization_aware`.
        images: uint8 ``(n, height, width, 3)``; the first ones are compared with the simulation.
        checks: Limits of the comparison; None takes the defaults.

    Returns:
        Content of the file: int8 pixels in (``pixel - 128``), int8 logits out, batch 1, nothing
        float inside, rewritten (`tflite.rewrites`).

    Raises:
        ConversionError: If TensorFlow cannot convert it, or the file fails a check.
    """
    from tflite.rewrites import rewrite_graph

    checks = checks or ConversionChecks()
    try:
        content = rewrite_graph(_run_converter(result.model)).content
    except Exception as error:
        raise ConversionError(
            f"TensorFlow cannot convert the model to {INT8_QAT.name}: {error}"
        ) from error
    check_file(content, INT8_QAT, result.classifier, checks)
    compared = images[: checks.images]
    simulated = result.model(compared.astype(np.float32), training=False).numpy()
    check_scores(content, INT8_QAT, compared, softmax(simulated), checks)
    return content


def _run_converter(model: tf_keras.Model) -> bytes:
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

    # Frozen first: saving the whole twin with its wrappers takes minutes.
    shape = tf.TensorSpec((1, *model.input_shape[1:]), tf.float32, name="pixels")
    frozen = convert_variables_to_constants_v2(_as_on_device(model).get_concrete_function(shape))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen], frozen)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.inference_input_type = tf.int8
    converter.inference_output_type = tf.int8
    with quiet_converter():
        return bytes(converter.convert())


def _as_on_device(model: tf_keras.Model) -> Any:
    """The model as a function of one image whose pixels are stored in 256 steps of 1."""
    import tensorflow as tf

    def logits(pixels: tf.Tensor) -> tf.Tensor:
        stored = tf.quantization.fake_quant_with_min_max_args(pixels, 0.0, 255.0)
        return model(stored, training=False)

    return tf.function(logits, autograph=False)
