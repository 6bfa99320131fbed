"""What augmentation does and how strongly: one frozen record."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from typing import Any

from tflite.runtime.errors import LabError

FILLS = ("reflect", "nearest", "wrap", "constant")

# Inclusive limits of the numeric fields; beyond them a setting means nothing or repeats itself.
_LIMITS: dict[str, tuple[float, float]] = {
    "rotation": (0, 0.5),
    "translation": (0, 1),
    "zoom": (0, 0.9),
    "aspect": (0, 1),
    "contrast": (0, 1),
    "exposure": (0, 2),
    "colour": (0, 2),
    "hue": (0, 0.5),
    "saturation": (0, 1),
    "blur": (0, 20),
    "noise": (0, 255),
    "fill_value": (0, 255),
    "rand_augment_magnitude": (0, 1),
    "rand_augment_deviation": (0, 1),
    "rand_augment_rate": (0, 1),
    "cutmix_probability": (0, 1),
    "mixup_probability": (0, 1),
}
_ABOVE_ZERO = ("cutmix_alpha", "mixup_alpha")
_FLAGS = ("horizontal_flip", "vertical_flip")


@dataclass(frozen=True)
class AugmentSettings:
    """Strengths of every augmentation; 0 or False leaves one out, and the default is none.

    Factors have the meaning of the Keras layers of the same name, so that values of papers can
    be written down as they stand. Each value is drawn uniformly within its range, anew for
    every image and epoch.

    Args:
        rotation: r; the angle lies in +-2*pi*r, so 0.5 is every direction.
        translation: Shift as a fraction of height and of width, each in +-translation.
        zoom: z; the field of view is scaled by a factor in 1+-z, the same for both axes.
        aspect: a; height over width is stretched by exp(u), u in +-a, at constant area.
        horizontal_flip: Mirror left and right in half of all cases.
        vertical_flip: Mirror top and bottom in half of all cases.
        contrast: C; (x - mean) * c + mean with c in 1+-C and the image's mean per channel.
        exposure: e; all channels times exp(u), u in +-e, like a longer or shorter exposure.
        colour: g; each channel on its own times exp(u), u in +-g, like another white balance.
        hue: h; hues turn by an angle in +-2*pi*h around the grey axis.
        saturation: s; distance from grey times a factor in 1+-s.
        blur: Standard deviation of a Gaussian blur, in pixels of the network's input, in 0..blur.
        noise: Standard deviation of Gaussian noise, in pixel values, in 0..noise.
        fill: What lies beyond the border: ``reflect`` (edge pixel repeated, as Keras means it),
            ``nearest``, ``wrap`` or ``constant``.
        fill_value: Pixel value beyond the border for ``constant``.
        rand_augment_operations: Operations per image of KerasCV's ``RandAugment`` (Cubuk et al.
            2020); 0 leaves it out.
        rand_augment_magnitude: Its strength, 0..1.
        rand_augment_deviation: Standard deviation of its strength.
        rand_augment_rate: Probability that each of its operations is applied.
        cutmix_probability: Share of batches that go through KerasCV's ``CutMix`` (Yun et al.
            2019).
        cutmix_alpha: Both parameters of its Beta distribution.
        mixup_probability: Share of batches that go through KerasCV's ``MixUp`` (Zhang et al.
            2018). A batch goes through one of the two at most.
        mixup_alpha: Both parameters of its Beta distribution.

    Raises:
        LabError: If fields are out of range; all bad fields are named at once.
    """

    rotation: float = 0.0
    translation: float = 0.0
    zoom: float = 0.0
    aspect: float = 0.0
    horizontal_flip: bool = False
    vertical_flip: bool = False
    contrast: float = 0.0
    exposure: float = 0.0
    colour: float = 0.0
    hue: float = 0.0
    saturation: float = 0.0
    blur: float = 0.0
    noise: float = 0.0
    fill: str = "reflect"
    fill_value: float = 0.0
    rand_augment_operations: int = 0
    rand_augment_magnitude: float = 0.5
    rand_augment_deviation: float = 0.15
    rand_augment_rate: float = 10 / 11
    cutmix_probability: float = 0.0
    cutmix_alpha: float = 1.0
    mixup_probability: float = 0.0
    mixup_alpha: float = 0.2

    def __post_init__(self) -> None:
        faults = list(self._faults())
        if faults:
            raise LabError("The augmentation has bad fields: " + "; ".join(faults) + ".")

    def _faults(self) -> Iterator[str]:
        for name, (low, high) in _LIMITS.items():
            value = getattr(self, name)
            if not _is_number(value) or not low <= value <= high:
                yield f"{name} must be a number in {low}..{high}, got {value!r}"
        for name in _ABOVE_ZERO:
            value = getattr(self, name)
            if not _is_number(value) or value <= 0:
                yield f"{name} must be a number above 0, got {value!r}"
        for name in _FLAGS:
            if not isinstance(getattr(self, name), bool):
                yield f"{name} must be true or false, got {getattr(self, name)!r}"
        if self.fill not in FILLS:
            yield f"fill must be one of {FILLS}, got {self.fill!r}"
        count = self.rand_augment_operations
        if not isinstance(count, int) or isinstance(count, bool) or not 0 <= count <= 10:
            yield f"rand_augment_operations must be a whole number in 0..10, got {count!r}"
        chances = (self.cutmix_probability, self.mixup_probability)
        if all(_is_number(chance) for chance in chances) and sum(chances) > 1:
            yield f"cutmix_probability and mixup_probability must not exceed 1 together: {chances}"

    @property
    def moves(self) -> bool:
        """Whether any pixel may change its place."""
        return any((self.rotation, self.translation, self.zoom, self.aspect, *self._flips))

    @property
    def _flips(self) -> tuple[bool, bool]:
        return (self.horizontal_flip, self.vertical_flip)

    @property
    def mixes(self) -> bool:
        """Whether images of a batch may be mixed, which makes labels soft."""
        return self.cutmix_probability + self.mixup_probability > 0

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> AugmentSettings:
        """The settings that `to_dict` described; fields left out have their defaults.

        Raises:
            LabError: If a field is unknown or a value is out of range.
        """
        known = [field.name for field in fields(cls)]
        unknown = sorted(set(values) - set(known))
        if unknown:
            raise LabError(f"Unknown augmentation fields {unknown}; known are {known}.")
        return cls(**values)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def no_augmentation() -> AugmentSettings:
    """Images as they are."""
    return AugmentSettings()


def hal_transfer() -> AugmentSettings:
    """Study hairy, transfer learning and classifiers."""
    return AugmentSettings(contrast=0.1, rotation=0.5, translation=0.05, zoom=0.05)


def hal_projection() -> AugmentSettings:
    """Study hairy, projection networks (contrastive learning)."""
    return AugmentSettings(contrast=0.5, rotation=0.5, translation=0.1, zoom=0.1)


def an2dl() -> AugmentSettings:
    """Study an2dl: flips, translation, rotation, zoom, RandAugment and CutMix.

    The report names the layers but not their strengths; the values here are ours.
    """
    return AugmentSettings(
        rotation=0.5,
        translation=0.1,
        zoom=0.1,
        horizontal_flip=True,
        vertical_flip=True,
        rand_augment_operations=2,
        rand_augment_magnitude=0.3,
        cutmix_probability=0.5,
    )


PRESETS: dict[str, Callable[[], AugmentSettings]] = {
    "none": no_augmentation,
    "hal_transfer": hal_transfer,
    "hal_projection": hal_projection,
    "an2dl": an2dl,
}


def preset(name: str) -> AugmentSettings:
    """The settings of a preset by name.

    Raises:
        LabError: If there is none of that name.
    """
    if name not in PRESETS:
        raise LabError(f"No augmentation is called {name!r}; there are {sorted(PRESETS)}.")
    return PRESETS[name]()
