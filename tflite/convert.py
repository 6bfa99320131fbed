"""From a Keras model to the bytes of a ``.tflite`` file that ends in logits.

A model with a free batch dimension leaves shape arithmetic in the graph, which XNNPACK refuses; so
the batch is fixed to 1. What is left of such ops in an int8 file is rewritten (`tflite.rewrites`),
and every file is checked against the model before anyone sees it (`tflite.conversion_checks`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from tflite.calibration import CalibrationSettings, calibrate, float_file, quantize_file
from tflite.conversion_checks import ConversionChecks, ConversionError, check_file, check_scores
from tflite.cures.bias_correction import correct_biases
from tflite.cures.equalization import equalize
from tflite.cures.sensitive_layers import most_sensitive_tensors
from tflite.keras_weights import give_weights
from tflite.logits import with_logits
from tflite.quantization_recipes import QuantizationRecipe
from tflite.quiet import quiet_converter
from tflite.rewrites import rewrite_graph
from tflite.runtime.errors import LabError

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class PostTraining:
    """What post-training int8 does besides rounding; the cures that need no training.

    Args:
        calibration: How the ranges of activations are found.
        bias_correction: Whether the mean error that rounded weights leave is taken out of the
            biases (`tflite.cures.bias_correction`).
        equalization: Whether neighbouring convolutions share their ranges
            (`tflite.cures.equalization`).
        float_layers: So many of the layers that int8 hurts most stay float
            (`tflite.cures.sensitive_layers`). Each one splits the graph and costs time.

    Raises:
        LabError: If `float_layers` is negative.
    """

    calibration: CalibrationSettings = field(default_factory=CalibrationSettings)
    bias_correction: bool = False
    equalization: bool = False
    float_layers: int = 0

    def __post_init__(self) -> None:
        if self.float_layers < 0:
            raise LabError(f"float_layers must be 0 or more, got {self.float_layers}.")


def convert(
    model: keras.Model,
    recipe: QuantizationRecipe,
    representative_images: np.ndarray,
    checks: ConversionChecks | None = None,
    post_training: PostTraining | None = None,
) -> bytes:
    """Converts a classifier and checks the result against it.

    Args:
        model: Functional, input float32 ``(batch, height, width, 3)`` pixel values 0..255, output
            softmax scores ``(batch, classes)``.
        recipe: How the numbers are stored; any but ``int8_qat``, which is trained (`tflite.qat`).
        representative_images: uint8 ``(n, height, width, 3)`` from the training split, every
            class, through the real input path, never augmented. They calibrate an int8 model;
            the first ones are compared in any case.
        checks: Limits of the comparison; None takes the defaults.
        post_training: What ``int8_full`` does besides rounding; None takes the defaults.

    Returns:
        Content of the file: batch fixed to 1, input of ``recipe.interface``, output logits.

    Raises:
        ConversionError: If the model or the images do not fit, or the file fails a check; says
            which, with the figures.
    """
    checks, post_training = checks or ConversionChecks(), post_training or PostTraining()
    _check_model(model)
    _check_images(representative_images, model)
    if recipe.fine_tuned:
        raise ConversionError(
            f"{recipe.name} is made by training, not by conversion: see tflite.qat, or "
            f"lab-models export --quantization {recipe.name}."
        )
    reference = as_float32(model)
    fixed = fix_batch(with_logits(reference))
    try:
        content = _run_converter(fixed, recipe, representative_images, post_training)
    except LabError:
        raise
    except Exception as error:
        raise ConversionError(
            f"TensorFlow cannot convert the model to {recipe.name}: {error}"
        ) from error
    check_file(content, recipe, model, checks, float_inside=post_training.float_layers > 0)
    compared = representative_images[: checks.images]
    expected = np.asarray(reference.predict_on_batch(compared.astype(np.float32)))
    check_scores(content, recipe, compared, expected, checks)
    return content


def _check_model(model: keras.Model) -> None:
    import keras

    if not isinstance(model, keras.Model) or not isinstance(model.inputs, list):
        raise ConversionError(f"A functional Keras model was expected, got {type(model).__name__}.")
    shapes = [tuple(t.shape) for t in (*model.inputs, *model.outputs)]
    if len(shapes) != 2 or len(shapes[0]) != 4 or shapes[0][3] != 3 or len(shapes[1]) != 2:
        raise ConversionError(
            "A classifier takes one (batch, height, width, 3) and gives one (batch, classes); "
            f"this model has {shapes}."
        )
    if None in shapes[0][1:]:
        raise ConversionError(
            f"The model's image size must be fixed to be converted, got {shapes[0]}."
        )


def _check_images(images: np.ndarray, model: keras.Model) -> None:
    expected = tuple(model.inputs[0].shape[1:])
    if images.dtype != np.uint8 or images.shape[1:] != expected:
        raise ConversionError(
            f"Representative images must be uint8 (n, {', '.join(map(str, expected))}), got "
            f"{images.dtype} {images.shape}."
        )
    if len(images) == 0:
        raise ConversionError("At least one representative image is needed, got none.")


def as_float32(model: keras.Model) -> keras.Model:
    """The model with every layer computing in float32: itself, or a copy with equal weights.

    A model trained in mixed precision holds float32 weights but computes in 16 bits, with casts
    that the device would have to repeat.

    Args:
        model: Functional model.
    """
    import keras

    layers = model._flatten_layers(include_self=False)
    if all(layer.compute_dtype == "float32" for layer in layers):
        return model

    def in_float32(layer: Any) -> Any:
        return type(layer).from_config({**layer.get_config(), "dtype": "float32"})

    copy = keras.models.clone_model(model, clone_function=in_float32, recursive=True)
    give_weights(copy, model.get_weights())
    return copy


def fix_batch(model: keras.Model) -> keras.Model:
    """The model with a fixed batch of 1; the weights are shared, not copied.

    Args:
        model: Functional model with one input.
    """
    import keras

    pixels = keras.Input(batch_shape=(1, *model.inputs[0].shape[1:]), name="pixels")
    return keras.Model(pixels, model(pixels, training=False), name="fixed_batch")


def _run_converter(
    model: keras.Model, recipe: QuantizationRecipe, images: np.ndarray, settings: PostTraining
) -> bytes:
    if recipe.integer_only:
        return quantize_after_training(float_file(model, images[0]), images, settings)
    return _convert_with_float_interface(model, recipe, images)


def quantize_after_training(
    content: bytes, images: np.ndarray, settings: PostTraining | None = None
) -> bytes:
    """The int8 file of a float file: calibrated, cured as asked, rewritten into one partition.

    Args:
        content: From `tflite.calibration.float_file`.
        images: uint8 ``(n, height, width, 3)``, the representative dataset.
        settings: None takes the defaults.
    """
    settings = settings or PostTraining()
    if settings.equalization:
        content = equalize(content)
    calibrated = calibrate(content, images, settings.calibration)
    tensors = most_sensitive_tensors(calibrated, images, settings.float_layers)
    quantized = quantize_file(calibrated, tensors)
    if settings.bias_correction:
        quantized = correct_biases(quantized, calibrated, images)
    return rewrite_graph(quantized).content


def _convert_with_float_interface(
    model: keras.Model, recipe: QuantizationRecipe, images: np.ndarray
) -> bytes:
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if recipe.name != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if recipe.weights == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if recipe.calibrated:
        kernels = (tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8,)
        converter.target_spec.supported_ops = kernels
        converter.representative_dataset = lambda: (
            [image[None].astype(np.float32)] for image in images
        )
    with quiet_converter():
        content = bytes(converter.convert())
    return rewrite_graph(content).content
