"""Scores that mean what they say: a temperature and rejection thresholds from validation images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from tflite.rejection import (
    COVERAGES,
    ClassRejection,
    RejectionSettings,
    RiskCoverage,
    area_under_risk_coverage,
    rejection_thresholds,
    risk_coverage,
)
from tflite.runtime.errors import LabError
from tflite.runtime.scores import CALIBRATION_BINS, expected_calibration_error, softmax
from tflite.tables import markdown_table


@dataclass(frozen=True)
class ScoreCalibrationSettings:
    """How scores are calibrated.

    Args:
        rejection: When an answer becomes ``"unknown"``.
        temperature_range: Smallest and largest temperature that is considered.
        bins: Of the expected calibration error.
        coverages: At which the risk-coverage table has rows.

    Raises:
        LabError: If the temperature range is not of two rising numbers above 0.
    """

    rejection: RejectionSettings = field(default_factory=RejectionSettings)
    temperature_range: tuple[float, float] = (0.05, 20.0)
    bins: int = CALIBRATION_BINS
    coverages: tuple[float, ...] = COVERAGES

    def __post_init__(self) -> None:
        low, high = self.temperature_range
        if not 0 < low < high:
            raise LabError(
                f"A temperature range rises from above 0, got {self.temperature_range!r}."
            )


@dataclass(frozen=True)
class ScoreQuality:
    """How well scores and answers agree.

    Args:
        expected_calibration_error: 0..1 (Guo et al. 2017, equation 3).
        cross_entropy: Mean negative log score of the true class, in nats.
        mean_score: Mean of the highest score.
        accuracy: Share of right answers, for comparison with `mean_score`.
    """

    expected_calibration_error: float
    cross_entropy: float
    mean_score: float
    accuracy: float


@dataclass(frozen=True)
class ScoreCalibration:
    """Temperature and thresholds of one exported file, and what they do.

    All figures are of the images they were found on. One temperature can hardly overfit them;
    thresholds can, the more the fewer images a class has.

    Args:
        images: Number of validation images.
        temperature: For `tflite.runtime.scores.softmax`.
        fitted: False where there was nothing to fit: the model answers every image rightly, so
            the bolder the scores the better they would look; the temperature stays 1.
        classes: Rejection, class by class.
        before: Quality of the scores at temperature 1.
        after: Quality at `temperature`.
        risk_coverage: Risk if the images with the lowest scores are left out.
        area_under_risk_coverage: Mean risk over all coverages.
        coverage: Share of images whose answer reaches the threshold of its class.
        selective_accuracy: Share of right answers among these; None if there are none.
        settings: How it was found.
    """

    images: int
    temperature: float
    fitted: bool
    classes: tuple[ClassRejection, ...]
    before: ScoreQuality
    after: ScoreQuality
    risk_coverage: tuple[RiskCoverage, ...]
    area_under_risk_coverage: float
    coverage: float
    selective_accuracy: float | None
    settings: ScoreCalibrationSettings

    @property
    def thresholds(self) -> Mapping[str, float]:
        """Class to rejection threshold, all classes in the model's order."""
        return {found.label: found.threshold for found in self.classes}

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain JSON values."""
        values = asdict(self)
        for name in ("classes", "risk_coverage"):
            values[name] = list(values[name])
        for name in ("temperature_range", "coverages"):
            values["settings"][name] = list(values["settings"][name])
        return values

    def table(self) -> str:
        """Calibration, rejection and risk-coverage as Markdown that reads well in a terminal."""
        return "\n".join((self._quality_table(), self._rejection_table(), self._risk_table()))

    def _quality_table(self) -> str:
        rows = [["scores", "temperature", "calibration error", "cross-entropy", "mean score"]]
        for name, temperature, found in (
            ("as they are", 1.0, self.before),
            ("calibrated", self.temperature, self.after),
        ):
            rows.append([
                name, f"{temperature:.3f}", f"{found.expected_calibration_error:.4f}",
                f"{found.cross_entropy:.4f}", f"{found.mean_score:.4f}",
            ])  # fmt: skip
        return markdown_table(rows)

    def _rejection_table(self) -> str:
        rows = [["class", "unknown below", "found on", "answers", "accepted", "precision"]]
        rows += [
            [
                found.label, f"{found.threshold:.4f}", found.rule, str(found.answers),
                str(found.accepted), _share(found.precision),
            ]
            for found in self.classes
        ]  # fmt: skip
        rows.append([
            "all", "", "", str(self.images), str(round(self.coverage * self.images)),
            _share(self.selective_accuracy),
        ])  # fmt: skip
        return markdown_table(rows)

    def _risk_table(self) -> str:
        rows = [["coverage", "images", "lowest score", "wrong answers"]]
        rows += [
            [f"{p.coverage:.3f}", str(p.images), f"{p.score:.4f}", f"{p.risk:.4f}"]
            for p in self.risk_coverage
        ]
        return markdown_table(rows)


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def calibrate_scores(
    logits: np.ndarray,
    truth: np.ndarray,
    labels: Sequence[str],
    settings: ScoreCalibrationSettings | None = None,
) -> ScoreCalibration:
    """Temperature and rejection thresholds from the logits of validation images.

    Args:
        logits: float ``(images, classes)``, of the exported file itself: a quantised file's
            differ from the Keras model's.
        truth: int ``(images,)``, positions in `labels`.
        labels: Class names in the order of the logits.
        settings: None takes the defaults.

    Raises:
        LabError: If there is no image, the shapes disagree, or a logit is not finite.
    """
    settings = settings or ScoreCalibrationSettings()
    logits, truth = np.asarray(logits, np.float64), np.asarray(truth)
    if len(truth) == 0 or logits.shape != (len(truth), len(labels)):
        raise LabError(
            f"Calibration takes logits (images, classes) for at least one image, got "
            f"{logits.shape} for {len(truth)} images and {len(labels)} classes."
        )
    plain = softmax(logits)
    fitted = bool((logits.argmax(axis=1) != truth).any())
    temperature = fit_temperature(logits, truth, settings.temperature_range) if fitted else 1.0
    scores = softmax(logits, temperature)
    classes = rejection_thresholds(truth, scores, labels, settings.rejection)
    predicted = scores.argmax(axis=1)
    accepted = scores.max(axis=1) >= np.array([c.threshold for c in classes])[predicted]
    right = (predicted == truth)[accepted]
    return ScoreCalibration(
        images=len(truth),
        temperature=temperature,
        fitted=fitted,
        classes=classes,
        before=score_quality(truth, plain, settings.bins),
        after=score_quality(truth, scores, settings.bins),
        risk_coverage=risk_coverage(truth, scores, settings.coverages),
        area_under_risk_coverage=area_under_risk_coverage(truth, scores),
        coverage=float(accepted.mean()),
        selective_accuracy=float(right.mean()) if len(right) else None,
        settings=settings,
    )


def fit_temperature(
    logits: np.ndarray, truth: np.ndarray, limits: tuple[float, float] = (0.05, 20.0)
) -> float:
    """The temperature with the smallest cross-entropy (Guo et al. 2017, section 4.2).

    The cross-entropy is convex in 1/T, so that there is one smallest.

    Args:
        logits: float ``(images, classes)``.
        truth: int ``(images,)``.
        limits: Smallest and largest temperature considered.
    """
    from scipy.optimize import minimize_scalar

    own = logits[np.arange(len(truth)), truth]

    def cross_entropy(log_temperature: float) -> float:
        temperature = np.exp(log_temperature)
        return float((_log_sum_exp(logits / temperature) - own / temperature).mean())

    found = minimize_scalar(
        cross_entropy, bounds=tuple(np.log(limits)), method="bounded", options={"xatol": 1e-6}
    )
    return float(np.exp(found.x))


def _log_sum_exp(values: np.ndarray) -> np.ndarray:
    highest = values.max(axis=1)
    return highest + np.log(np.exp(values - highest[:, None]).sum(axis=1))


def score_quality(
    truth: np.ndarray, scores: np.ndarray, bins: int = CALIBRATION_BINS
) -> ScoreQuality:
    """How well scores and answers agree.

    Args:
        truth: int ``(images,)``, at least one image.
        scores: float ``(images, classes)``, softmax scores.
        bins: Of the expected calibration error.
    """
    own = scores[np.arange(len(truth)), truth].astype(np.float64)
    return ScoreQuality(
        expected_calibration_error=expected_calibration_error(truth, scores, bins),
        # The smallest positive float32 stands for a score of 0.
        cross_entropy=float(-np.log(np.maximum(own, np.finfo(np.float32).tiny)).mean()),
        mean_score=float(scores.max(axis=1).mean()),
        accuracy=float((scores.argmax(axis=1) == truth).mean()),
    )
