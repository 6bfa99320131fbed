"""The proof that a converted file is the model it was converted from.

A converter can write a file without weights, which loads, runs and answers NaN; so every file is
checked before anyone sees it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tflite.quantization_recipes import QuantizationRecipe
from tflite.runtime.errors import LabError
from tflite.runtime.interpreter import TensorRunner, load_interpreter
from tflite.runtime.scores import softmax

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
        quantized_mean_difference: Mean difference over all scores of any other file. A wrong
            input scale or a lost calibration gives 0.05 and more with 20 classes (two one-hot
            answers that disagree differ by 2/20 = 0.1).
        quantized_max_difference: Largest difference of one score, over the compared images. A
            single borderline image can move far without harm; 0.9 is another answer given with
            certainty.
        weights_share: Smallest acceptable size of the file, as a share of the bytes that the
            kernels alone take. They are stored as they are, so a file below that lacks some.
    """

    images: int = 32
    float32_max_difference: float = 1e-4
    quantized_mean_difference: float = 0.03
    quantized_max_difference: float = 0.9
    weights_share: float = 0.9


def check_file(
    content: bytes,
    recipe: QuantizationRecipe,
    model: keras.Model,
    checks: ConversionChecks,
    float_inside: bool = False,
) -> None:
    """Checks types and size of a converted model.

    Args:
        content: The file.
        recipe: That it was converted with.
        model: That it was converted from.
        checks: Limits.
        float_inside: Whether some layers were left float on purpose.

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
    if recipe.interface == "int8" and not runner.input_quantization.takes_pixels:
        raise ConversionError(
            "The input must take pixels (scale 1, zero point -128), the file has "
            f"{runner.input_quantization}."
        )
    if recipe.integer_only and not float_inside:
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
    logits = np.stack([run(image) for image in images])
    if not np.isfinite(logits).all():
        raise ConversionError(
            f"The {recipe.name} file gives NaN or infinity where the Keras model does not: the "
            "conversion lost its weights."
        )
    difference = np.abs(softmax(logits) - expected)
    _check_difference(difference, recipe, checks)


def _check_difference(
    difference: np.ndarray, recipe: QuantizationRecipe, checks: ConversionChecks
) -> None:
    largest, mean = float(difference.max()), float(difference.mean())
    limits = {
        "largest": (largest, checks.quantized_max_difference),
        "mean": (mean, checks.quantized_mean_difference),
    }
    if recipe.name == "float32":
        limits = {"largest": (largest, checks.float32_max_difference)}
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
