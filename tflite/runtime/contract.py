"""The input contract: what must happen to an image file before a network may see it.

It stands in the lightest room on purpose. What the device does to an image *is* the definition;
training, evaluation, calibration and ONNX export import it from here, so nothing can drift apart.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import Any, Dict, Tuple

from tflite.runtime.errors import LabError

COLOURS = ("rgb", "luminance")
INTERPOLATIONS = ("nearest", "box", "bilinear", "bicubic", "lanczos")


@dataclass(frozen=True)
class InputContract:
    """Size, colour, crop and scaling of the images that one network takes.

    Every saved lab-models network takes *pixel values*, float32 or uint8 in 0..255, of shape
    ``(batch, height, width, 3)``. What becomes of them inside, ``(pixel - mean) /
    standard_deviation`` per channel, is recorded here for readers and for export; no caller
    applies it.

    Args:
        height: Rows of the network's input, in pixels, at least 8.
        width: Columns of the network's input, in pixels, at least 8.
        crop: Fraction, above 0 up to 1, that is kept of the largest centred rectangle with the
            aspect ratio ``width / height`` that fits the image. 1 keeps all of that rectangle.
        colour: ``"rgb"``, or ``"luminance"`` for 0.2989 R + 0.587 G + 0.114 B in all three
            channels (study pbc).
        interpolation: How the crop is resized, with the support widened when shrinking
            (antialiased): one of ``INTERPOLATIONS``.
        mean: Per channel, in pixel values, subtracted inside the network.
        standard_deviation: Per channel, in pixel values, divided by inside the network.
        rescales_inside: Whether the architecture itself holds that arithmetic (EfficientNet,
            MobileNetV3, ConvNeXt). Where it does not, the classifier puts a ``Rescaling`` layer
            in front. Either way the saved network takes pixel values.

    Raises:
        LabError: If any field is out of its range; all bad fields are named at once.
    """

    height: int
    width: int
    crop: float = 1.0
    colour: str = "rgb"
    interpolation: str = "bilinear"
    mean: Tuple[float, float, float] = (127.5, 127.5, 127.5)
    standard_deviation: Tuple[float, float, float] = (127.5, 127.5, 127.5)
    rescales_inside: bool = False

    channels = 3
    value_range = (0, 255)

    def __post_init__(self) -> None:
        for name in ("mean", "standard_deviation"):
            object.__setattr__(self, name, tuple(float(v) for v in getattr(self, name)))
        faults = list(self._faults())
        if faults:
            raise LabError("The input contract has bad fields: " + "; ".join(faults) + ".")

    def _faults(self):  # type: ignore[no-untyped-def]
        for name in ("height", "width"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 8:
                yield f"{name} must be a whole number of pixels >= 8, got {value!r}"
        if not 0 < self.crop <= 1:
            yield f"crop must be above 0 and at most 1, got {self.crop!r}"
        if self.colour not in COLOURS:
            yield f"colour must be one of {COLOURS}, got {self.colour!r}"
        if self.interpolation not in INTERPOLATIONS:
            yield f"interpolation must be one of {INTERPOLATIONS}, got {self.interpolation!r}"
        for name in ("mean", "standard_deviation"):
            values = getattr(self, name)
            if len(values) != 3 or not all(math.isfinite(v) for v in values):
                yield f"{name} must be three finite numbers, got {values!r}"
        if any(v <= 0 for v in self.standard_deviation):
            yield f"standard_deviation must be positive, got {self.standard_deviation!r}"

    @property
    def shape(self) -> Tuple[int, int, int]:
        """``(height, width, 3)``."""
        return (self.height, self.width, self.channels)

    def to_dict(self) -> Dict[str, Any]:
        """The fields as plain JSON values."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: Dict[str, Any]) -> InputContract:
        """The contract that `to_dict` described.

        Raises:
            LabError: If a field is missing or unknown, or a value is out of range.
        """
        known = {f.name for f in fields(cls)}
        wrong = sorted(known.symmetric_difference(values))
        if wrong:
            raise LabError(
                f"An input contract has exactly the fields {sorted(known)}; "
                f"missing or unknown here: {wrong}."
            )
        plain: Dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in values.items()
        }
        return cls(**plain)
