"""When an answer is better withheld: rejection thresholds by class, and the risk-coverage curve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tflite.runtime.errors import LabError
from tflite.runtime.sidecar import UNKNOWN

COVERAGES = (1.0, 0.99, 0.98, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5)


@dataclass(frozen=True)
class RejectionSettings:
    """What accepted answers must live up to.

    The rule, for each class on its own: of all images that get this class, the lowest score is
    sought above which answers are right as often as `precision` says, with at least
    `minimum_images` of them left; what scores lower is rejected. A class with fewer images takes
    the threshold that the same rule finds for all classes together. Where no score reaches the
    precision, the one that comes closest is taken, and is recorded as not reached.

    The precision is that of the validation images, not a guaranteed one (Geifman & El-Yaniv 2017,
    "Selective Classification for Deep Neural Networks", bound it with many more images).

    Args:
        precision: Wanted share of right answers among the accepted ones of a class, 0..1; 0
            rejects nothing. No study sets it; 0.95 leaves the person who confirms every cell one
            error in twenty at most.
        minimum_images: Fewest accepted validation images on which a threshold may rest.

    Raises:
        LabError: If a field is out of its range.
    """

    precision: float = 0.95
    minimum_images: int = 20

    def __post_init__(self) -> None:
        if not 0 <= self.precision <= 1 or self.minimum_images < 1:
            raise LabError(
                "Rejection needs a precision of 0..1 and at least 1 image, got "
                f"{self.precision!r} and {self.minimum_images!r}."
            )


@dataclass(frozen=True)
class ClassRejection:
    """The threshold of one class and what it does on the validation images.

    Args:
        label: The class.
        threshold: Score below which an answer of this class is rejected.
        rule: ``"own"`` images of the class, all images ``"together"``, or ``"not reached"``.
        answers: Images that get this class.
        accepted: Of these, those that reach the threshold.
        precision: Share of right ones among the accepted; None if there are none.
    """

    label: str
    threshold: float
    rule: str
    answers: int
    accepted: int
    precision: float | None


@dataclass(frozen=True)
class RiskCoverage:
    """A point of the risk-coverage curve (El-Yaniv & Wiener 2010, section 2).

    Args:
        coverage: Share of the images that are answered, those with the highest scores.
        risk: Share of wrong ones among them.
        score: Lowest score that is answered.
        images: Number of images answered.
    """

    coverage: float
    risk: float
    score: float
    images: int


def rejection_thresholds(
    truth: np.ndarray, scores: np.ndarray, labels: Sequence[str], settings: RejectionSettings
) -> tuple[ClassRejection, ...]:
    """Rejection thresholds by the rule of `RejectionSettings`, a class each.

    Args:
        truth: int ``(images,)``.
        scores: Calibrated scores ``(images, classes)``.
        labels: Class names in the order of the scores. Nothing is rejected where one of them is
            itself ``"unknown"``.
        settings: The rule's numbers.
    """
    predicted, best = scores.argmax(axis=1), scores.max(axis=1)
    right = predicted == truth
    together, reached = _threshold(best, right, settings)
    found = []
    for number, label in enumerate(labels):
        own = predicted == number
        if settings.precision == 0 or UNKNOWN in labels:
            threshold, rule = 0.0, "own"
        elif own.sum() < settings.minimum_images:
            threshold, rule = together, "together" if reached else "not reached"
        else:
            threshold, own_reached = _threshold(best[own], right[own], settings)
            rule = "own" if own_reached else "not reached"
        accepted = own & (best >= threshold)
        found.append(
            ClassRejection(
                label=label,
                threshold=threshold,
                rule=rule,
                answers=int(own.sum()),
                accepted=int(accepted.sum()),
                precision=float(right[accepted].mean()) if accepted.any() else None,
            )
        )
    return tuple(found)


def _threshold(
    best: np.ndarray, right: np.ndarray, settings: RejectionSettings
) -> tuple[float, bool]:
    """The lowest threshold that reaches the precision, or the closest; and whether it does."""
    order = np.argsort(-best, kind="stable")
    values = best[order].astype(np.float64)
    precision = np.cumsum(right[order]) / np.arange(1, len(values) + 1)
    # A threshold can only lie between two different scores, or below them all.
    cuts = np.append(values[:-1] > values[1:], True)
    cuts[: min(settings.minimum_images, len(values)) - 1] = False
    allowed = np.flatnonzero(cuts)
    reached = allowed[precision[allowed] >= settings.precision]
    last = reached[-1] if len(reached) else allowed[precision[allowed].argmax()]
    if last == len(values) - 1:
        return 0.0, bool(len(reached))
    # Halfway to the next score: rounding on another processor shall not change the answer.
    return float((values[last] + values[last + 1]) / 2), bool(len(reached))


def risk_coverage(
    truth: np.ndarray, scores: np.ndarray, coverages: Sequence[float] = COVERAGES
) -> tuple[RiskCoverage, ...]:
    """Points of the risk-coverage curve, the images with the lowest scores left out first.

    Args:
        truth: int ``(images,)``.
        scores: Calibrated scores ``(images, classes)``.
        coverages: Shares of the images, above 0 up to 1; rounded to whole images, at least one.
    """
    best, risks = _sorted_risks(truth, scores)
    points = []
    for coverage in coverages:
        if not 0 < coverage <= 1:
            raise LabError(f"A coverage lies above 0 and at most at 1, got {coverage!r}.")
        images = max(1, round(coverage * len(best)))
        points.append(
            RiskCoverage(
                images / len(best), float(risks[images - 1]), float(best[images - 1]), images
            )
        )
    return tuple(points)


def area_under_risk_coverage(truth: np.ndarray, scores: np.ndarray) -> float:
    """Mean risk over all coverages (Geifman, Uziel & El-Yaniv 2019), 0..1; lower is better.

    Args:
        truth: int ``(images,)``.
        scores: Calibrated scores ``(images, classes)``.
    """
    return float(_sorted_risks(truth, scores)[1].mean())


def _sorted_risks(truth: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    best, wrong = scores.max(axis=1), scores.argmax(axis=1) != truth
    order = np.argsort(-best, kind="stable")
    return best[order], np.cumsum(wrong[order]) / np.arange(1, len(best) + 1)
