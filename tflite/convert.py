"""From a Keras model to the bytes of a ``.tflite`` file, and the proof that they are that model.

Two traps are closed here. A model with a free batch dimension leaves shape arithmetic in the
graph, which XNNPACK refuses; so the batch is fixed to 1. And a converter can write a file without
weights, which loads, runs and answers NaN; so every file is checked before anyone sees it.
"""

from __future__ import annotations

import contextlib
import io
import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tflite.quantization_recipes import QuantizationRecipe
from tflite.runtime.errors import LabError
from tflite.runtime.interpreter import TensorRunner, load_interpreter

if TYPE_CHECKING:
    import keras


class ConversionError(LabError):
    """A model cannot be converted, or what came out is not that model."""


@dataclass(frozen=True)
class ConversionChecks:
    """How far a converted model's scores may lie from the Keras model's on the same images.

    Args:
        images: Number of the representative images that are compared.
        float32_max_difference: Largest difference of one softmax score. Both compute in float32
            and differ only in the order of sums; the networks of this project were seen to
            differ by less than 1e-5, ten times that is allowed.
        int8_mean_difference: Mean difference over all scores. The output's own step is 1/256 =
            0.004, so half of it, 0.002, is lost by rounding alone; a wrong input scale or
            a lost calibration gives 0.05 and more with 20 classes (two one-hot answers that
            disagree differ by 2/20 = 0.1).
        int8_max_difference: Largest difference of one score, over the compared images. A single
            borderline image can move far without harm; 0.9 is another answer given with
            certainty.
        weights_share: Smallest acceptable size of the file, as a share of the bytes that the
            kernels alone take. They are stored as they are, so a file below that lacks some.
    """

    images: int = 32
    float32_max_difference: float = 1e-4
    int8_mean_difference: float = 0.03
    int8_max_difference: float = 0.9
    weights_share: float = 0.9


def convert(
    model: keras.Model,
    recipe: QuantizationRecipe,
    representative_images: np.ndarray,
    checks: ConversionChecks | None = None,
) -> bytes:
    """Converts a classifier and checks the result against it.

    Args:
        model: Functional, input float32 ``(batch, height, width, 3)`` pixel values 0..255, output
            softmax scores ``(batch, classes)``.
        recipe: How the numbers are stored.
        representative_images: uint8 ``(n, height, width, 3)`` from the training split, every
            class, through the real input path, never augmented. They calibrate an int8 model;
            the first ones are compared in any case.
        checks: Limits of the comparison; None takes the defaults.

    Returns:
        Content of the file: batch fixed to 1, input and output of ``recipe.interface``.

    Raises:
        ConversionError: If the model or the images do not fit, or the file fails a check; says
            which, with the figures.
    """
    checks = checks or ConversionChecks()
    _check_model(model)
    _check_images(representative_images, model)
    reference = as_float32(model)
    content = _run_converter(fix_batch(reference), recipe, representative_images)
    check_file(content, recipe, model, checks)
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
    copy.set_weights(model.get_weights())
    return copy


def fix_batch(model: keras.Model) -> keras.Model:
    """The model with a fixed batch of 1; the weights are shared, not copied.

    Args:
        model: Functional model with one input.
    """
    import keras

    pixels = keras.Input(batch_shape=(1, *model.inputs[0].shape[1:]), name="pixels")
    return keras.Model(pixels, model(pixels, training=False), name="fixed_batch")


def _run_converter(model: keras.Model, recipe: QuantizationRecipe, images: np.ndarray) -> bytes:
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if recipe.calibrated:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: calibration_batches(images)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.dtypes.as_dtype(recipe.interface)
        converter.inference_output_type = tf.dtypes.as_dtype(recipe.interface)
    # The converter prints the signature of the saved model, a line a weight, and warns that it
    # was given no statistics for inputs, which is what the representative images are for.
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return bytes(converter.convert())
        except Exception as error:
            raise ConversionError(
                f"TensorFlow cannot convert the model to {recipe.name}: {error}"
            ) from error


def calibration_batches(images: np.ndarray) -> Iterator[list[np.ndarray]]:
    """The representative images as the converter takes them: one a batch, float32 0..255.

    Two corner pixels of the first image are set to black and to white, in a copy. The input's
    observed range is then exactly 0..255 whatever the images hold, so that its scale is exactly 1
    and pixels go into the device as they are. Two pixels move no other range that matters;
    a whole black and a whole white image would.

    Args:
        images: uint8 ``(n, height, width, 3)``.
    """
    first = images[0].copy()
    first[0, 0], first[-1, -1] = 0, 255
    yield [first[None].astype(np.float32)]
    for image in images[1:]:
        yield [image[None].astype(np.float32)]


def check_file(
    content: bytes, recipe: QuantizationRecipe, model: keras.Model, checks: ConversionChecks
) -> None:
    """Checks types and size of a converted model.

    Args:
        content: The file.
        recipe: That it was converted with.
        model: That it was converted from.
        checks: Limits.

    Raises:
        ConversionError: If the weights are missing, the interface has another type or scale, or
            a tensor of a fully quantised model is float.
    """
    # Kernels only: normalisation statistics are folded into them and disappear.
    kernels = sum(math.prod(weight.shape) for weight in model.weights if len(weight.shape) >= 2)
    expected = kernels * recipe.weight_bytes * checks.weights_share
    if len(content) < expected:
        raise ConversionError(
            f"The {recipe.name} file has {len(content)} bytes, but its kernels alone take "
            f"{expected:.0f} and more: it was written without weights. Convert a functional model."
        )
    runner = TensorRunner(content)
    found = (runner.input_quantization.dtype, runner.output_quantization.dtype)
    if found != (recipe.interface, recipe.interface):
        raise ConversionError(
            f"{recipe.name} has input and output of type {recipe.interface}, the file has "
            f"{found[0]} and {found[1]}."
        )
    if recipe.interface == "uint8" and not runner.input_quantization.takes_pixels_as_they_are:
        raise ConversionError(
            "The input must take pixels as they are (scale 1, zero point 0), the file has "
            f"{runner.input_quantization}."
        )
    if recipe.activations == "int8":
        _check_no_float(content, recipe)


def _check_no_float(content: bytes, recipe: QuantizationRecipe) -> None:
    # Without delegates: XNNPACK adds tensors of its own.
    interpreter = load_interpreter(content, delegates=False)
    found = [
        details["name"]
        for details in interpreter.get_tensor_details()
        if np.issubdtype(details["dtype"], np.floating)
    ]
    if found:
        raise ConversionError(
            f"{recipe.name} computes in integers only, but {len(found)} tensors of the file are "
            f"float, such as {found[:3]}. One of the model's layers has no int8 kernel."
        )


def check_scores(
    content: bytes,
    recipe: QuantizationRecipe,
    images: np.ndarray,
    expected: np.ndarray,
    checks: ConversionChecks,
) -> None:
    """Compares a converted model's scores with those of the Keras model.

    Args:
        content: The file.
        recipe: That it was converted with.
        images: uint8 ``(n, height, width, 3)``.
        expected: float32 ``(n, classes)``, the Keras model's scores of the same images.
        checks: Limits.

    Raises:
        ConversionError: If either gives NaN or they differ by more than the limits.
    """
    if not np.isfinite(expected).all():
        raise ConversionError(
            "The Keras model itself gives NaN or infinity; it cannot be shipped. Train it again "
            "with a lower learning rate, and look at its history."
        )
    run = TensorRunner(content)
    found = np.stack([run(image) for image in images])
    if not np.isfinite(found).all():
        raise ConversionError(
            f"The {recipe.name} file gives NaN or infinity where the Keras model does not: the "
            "conversion lost its weights."
        )
    difference = np.abs(found - expected)
    _check_difference(difference, recipe, checks)


def _check_difference(
    difference: np.ndarray, recipe: QuantizationRecipe, checks: ConversionChecks
) -> None:
    largest, mean = float(difference.max()), float(difference.mean())
    limits = {"largest": (largest, checks.float32_max_difference)}
    if recipe.activations == "int8":
        limits = {
            "largest": (largest, checks.int8_max_difference),
            "mean": (mean, checks.int8_mean_difference),
        }
    wrong = [
        f"the {name} difference of a score is {found:.3g}, at most {limit:g} is allowed"
        for name, (found, limit) in limits.items()
        if found > limit
    ]
    if wrong:
        raise ConversionError(
            f"The {recipe.name} file is not the Keras model, compared on {len(difference)} "
            f"images: {'; '.join(wrong)}."
        )
