"""Between real numbers and the integers of a quantised tensor. The one pair in the project."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Dict

import numpy as np

from tflite.runtime.errors import LabError

DTYPES = ("float32", "uint8", "int8")


@dataclass(frozen=True)
class TensorQuantization:
    """How stored integers stand for real numbers: ``real = scale * (stored - zero_point)``.

    The affine scheme of Jacob et al. 2018, "Quantization and Training of Neural Networks for
    Efficient Integer-Arithmetic-Only Inference", equation 1.

    Args:
        dtype: ``"uint8"``, ``"int8"``, or ``"float32"`` for a tensor that is not quantised (its
            scale is 1 and its zero point 0).
        scale: Real width of one integer step, above 0.
        zero_point: The integer that stands for 0, within the range of `dtype`.

    Raises:
        LabError: If a field is out of its range.
    """

    dtype: str
    scale: float = 1.0
    zero_point: int = 0

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise LabError(f"A tensor's dtype must be one of {DTYPES}, got {self.dtype!r}.")
        if not (math.isfinite(self.scale) and self.scale > 0):
            raise LabError(f"A quantisation scale must be above 0, got {self.scale!r}.")
        if self.dtype == "float32":
            if (self.scale, self.zero_point) != (1.0, 0):
                raise LabError(f"A float32 tensor has scale 1 and zero point 0, got {self}.")
            return
        limits = np.iinfo(self.dtype)
        if not limits.min <= self.zero_point <= limits.max:
            raise LabError(
                f"The zero point of a {self.dtype} tensor must lie in "
                f"{limits.min}..{limits.max}, got {self.zero_point!r}."
            )

    @property
    def takes_pixels(self) -> bool:
        """Whether every pixel value 0..255 has an integer of its own, one step apart.

        uint8 stores it as it is, int8 as ``pixel - 128``.
        """
        return (self.dtype, self.scale, self.zero_point) in (("uint8", 1.0, 0), ("int8", 1.0, -128))

    def to_dict(self) -> Dict[str, Any]:
        """The fields as plain JSON values."""
        return asdict(self)


def quantize(values: np.ndarray, quantization: TensorQuantization) -> np.ndarray:
    """Real numbers as a tensor stores them: nearest integer, ties to even, clipped to the range.

    Args:
        values: Real numbers of any shape, finite.
        quantization: Of the tensor that takes them.

    Returns:
        Array of the same shape and of the tensor's dtype.

    Raises:
        LabError: If a value is NaN or infinite; an integer could not say so.
    """
    values = np.asarray(values)
    if not np.isfinite(values).all():
        raise LabError("Only finite values can be quantised; got NaN or infinity.")
    if quantization.dtype == "float32":
        return values.astype(np.float32)
    limits = np.iinfo(quantization.dtype)
    # float64, so that neither the division nor the sum rounds a tie away.
    steps = np.rint(values.astype(np.float64) / quantization.scale) + quantization.zero_point
    return np.clip(steps, limits.min, limits.max).astype(quantization.dtype)


def store_pixels(pixels: np.ndarray, quantization: TensorQuantization) -> np.ndarray:
    """Pixels as a tensor stores them that takes pixels; the same as `quantize`, but much faster.

    Args:
        pixels: uint8, any shape.
        quantization: One with `TensorQuantization.takes_pixels`.

    Returns:
        Array of the same shape and of the tensor's dtype.
    """
    if quantization.dtype == "uint8":
        return pixels
    # The bit pattern of pixel - 128 is that of pixel with its highest bit turned.
    return (pixels ^ np.uint8(0x80)).view(np.int8)


def dequantize(stored: np.ndarray, quantization: TensorQuantization) -> np.ndarray:
    """The real numbers that stored values stand for.

    Args:
        stored: Array of the tensor's dtype, any shape.
        quantization: Of the tensor they come from.

    Returns:
        float32 array of the same shape.
    """
    if quantization.dtype == "float32":
        return np.asarray(stored, np.float32)
    steps = np.asarray(stored).astype(np.float64) - quantization.zero_point
    return np.asarray(steps * quantization.scale, np.float32)
