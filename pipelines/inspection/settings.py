"""Everything that decides what counts as a finding."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipelines.errors import ManifestError
from pipelines.near_duplicates import NearDuplicateSettings


@dataclass(frozen=True)
class MeasurementSettings:
    """How each image is measured; measurements are kept between runs as long as these are equal.

    Args:
        side: Pixels to which the longer side of an image is shrunk before blur, burnt-out areas
            and nuclei are measured; smaller images are taken as they are.
        saturated: Value from which, in all three channels, a pixel counts as burnt out (255 is
            the largest).
        purple: Least difference of blue over green, in pixel values, of a nucleus' pixels. Below
            it there is no nucleus whatever Otsu's threshold says.
        darker: Least difference in green, in pixel values, by which the darker part of what is
            purple is taken for the nucleus and the rest for its cytoplasm.
        joining: Diameter, as a fraction of the longer side, of the gaps that are closed between
            the lobes of one nucleus.
        near_duplicates: How perceptual hashes are made and compared.

    Raises:
        ManifestError: If a field is out of range; all bad fields are named.
    """

    side: int = 256
    saturated: int = 252
    purple: float = 16.0
    darker: float = 55.0
    joining: float = 0.08
    near_duplicates: NearDuplicateSettings = field(default_factory=NearDuplicateSettings)

    def __post_init__(self) -> None:
        faults = []
        if not 32 <= self.side <= 2048:
            faults.append(f"side must be 32..2048 pixels, got {self.side!r}")
        if not 1 <= self.saturated <= 255:
            faults.append(f"saturated must be 1..255, got {self.saturated!r}")
        for name in ("purple", "darker"):
            if not 0 <= getattr(self, name) <= 255:
                faults.append(f"{name} must be 0..255, got {getattr(self, name)!r}")
        if not 0 <= self.joining <= 0.5:
            faults.append(f"joining must be 0..0.5, got {self.joining!r}")
        if faults:
            raise ManifestError("Measurements: " + "; ".join(faults) + ".")


@dataclass(frozen=True)
class InspectionSettings:
    """When something is a finding.

    Deviations are counted in robust standard deviations (1.4826 times the median absolute
    deviation) from the median, because the faults themselves must not move the yardstick.

    Args:
        measurements: How images are measured.
        repeats: Near duplicates from which a picture is a repeated one rather than a duplicate.
        blurred: Deviations of the logarithm of the sharpness below its class from which an image
            is blurred.
        burnt_share: Least share of burnt-out or black pixels that is looked at.
        burnt: Deviations of that share above the data set from which an image is burnt out.
        second_nucleus: Least area of the second nucleus as a fraction of the first.
        nucleus_area: Least area of a nucleus as a fraction of the image.
        nucleus_gap: Least gap between the two as a fraction of the longer side.
        common: Share of a class that may have two nuclei before that is taken for its nature.
        outlier: Deviations of the logarithm of the distance to the next images from which an
            image is unlike any other.
        neighbours: Which of the next images the distance is taken to.
        reference: Most images, drawn at random, among which the next are looked for.
        size_ratio: Factor by which a side, or the proportion of the sides, may differ from the
            data set's median.
        folds: Parts of the cross-validation for likely wrong labels. A class with fewer images
            is left alone.
        learn_from: Most images, drawn at random in the shares of the classes, that a model for
            wrong labels learns from; all images are judged.
        margin: Lead of another class' score over that of the given label from which the label is
            doubted, even if confident learning does not.
        most_classes: Classes beyond which wrong labels are not looked for.
        few: Images below which a class' own distribution says nothing and that of the whole data
            set is taken.
        seed: Of the cross-validation, the reference images and the images shown by class.

    Raises:
        ManifestError: If a field is out of range; all bad fields are named.
    """

    measurements: MeasurementSettings = field(default_factory=MeasurementSettings)
    repeats: int = 10
    blurred: float = 4.0
    burnt_share: float = 0.2
    burnt: float = 6.0
    second_nucleus: float = 0.2
    nucleus_area: float = 0.015
    nucleus_gap: float = 0.08
    common: float = 0.2
    outlier: float = 5.5
    neighbours: int = 5
    reference: int = 5000
    size_ratio: float = 1.5
    folds: int = 5
    learn_from: int = 20_000
    margin: float = 0.6
    most_classes: int = 200
    few: int = 20
    seed: int = 5

    def __post_init__(self) -> None:
        faults = list(self._faults())
        if faults:
            raise ManifestError("Inspection: " + "; ".join(faults) + ".")

    def _faults(self) -> Iterator[str]:
        least = {
            "repeats": 3,
            "neighbours": 1,
            "reference": 10,
            "folds": 2,
            "few": 3,
            "learn_from": 100,
        }
        least |= {"most_classes": 0, "seed": 0}
        for name, value in least.items():
            if getattr(self, name) < value:
                yield f"{name} must be at least {value}, got {getattr(self, name)!r}"
        for name in ("burnt_share", "second_nucleus", "nucleus_area", "nucleus_gap", "common"):
            if not 0 <= getattr(self, name) <= 1:
                yield f"{name} must be 0..1, got {getattr(self, name)!r}"
        for name in ("blurred", "burnt", "outlier"):
            if not getattr(self, name) > 0:
                yield f"{name} must be above 0, got {getattr(self, name)!r}"
        if not self.size_ratio > 1:
            yield f"size_ratio must be above 1, got {self.size_ratio!r}"
        if not 0 <= self.margin <= 1:
            yield f"margin must be 0..1, got {self.margin!r}"


def change_settings(changes: Mapping[str, object]) -> InspectionSettings:
    """The default settings with some numbers changed.

    Args:
        changes: Name of a field of `InspectionSettings` or `MeasurementSettings` to its number.

    Raises:
        ManifestError: If a name is unknown, a value is no number (no whole number where one is
            needed), or a number is out of range.
    """
    own, measured = InspectionSettings(), MeasurementSettings()
    numbers: dict[type, dict[str, Any]] = {InspectionSettings: {}, MeasurementSettings: {}}
    for name, value in changes.items():
        at = own if hasattr(own, name) else measured
        default = getattr(at, name, None)
        if not isinstance(default, (int, float)):
            raise ManifestError(
                f"There is no setting {name!r}; there are {', '.join(_numeric(own, measured))}."
            )
        if isinstance(value, bool) or not isinstance(value, (int, type(default))):
            kind = "a whole number" if isinstance(default, int) else "a number"
            raise ManifestError(f"The setting {name} takes {kind}, got {value!r}.")
        numbers[type(at)][name] = value
    measurements = MeasurementSettings(**numbers[MeasurementSettings])
    return InspectionSettings(measurements=measurements, **numbers[InspectionSettings])


def _numeric(*settings: object) -> Iterator[str]:
    for one in settings:
        yield from (name for name, value in vars(one).items() if isinstance(value, (int, float)))
