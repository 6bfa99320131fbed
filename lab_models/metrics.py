"""Every figure that says how good a classifier is, from true labels and scores alone."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from lab_models.calibration import expected_calibration_error
from lab_models.intervals import (
    bootstrap_confusions,
    bootstrap_groups,
    percentile_interval,
    wilson_interval,
)
from pipelines.labels import LYMPHOCYTE_CLASSES
from tflite.runtime.errors import LabError


@dataclass(frozen=True)
class MetricSettings:
    """What can be chosen about the figures.

    Args:
        confidence: Coverage of all intervals, between 0 and 1.
        bootstrap_draws: Bootstrap samples for intervals of precision, F1, macro-F1 and MCC.
        seed: Seed of the bootstrap.
        minimum_images: A class with fewer images in the split is marked "too few to judge".
        maximum_width: So is a class whose interval of recall is wider than this (0..1).
        minimum_slides: With fewer slides no interval over slides is given.
        calibration_bins: Equal bins of confidence for the calibration error.
        precision_at: The N of mAP@N; study pbc reports 5 and 100.
        epsilon: Scores are clipped to at least this before the logarithm, as Keras does.
    """

    confidence: float = 0.95
    bootstrap_draws: int = 1000
    seed: int = 0
    minimum_images: int = 30
    maximum_width: float = 0.2
    minimum_slides: int = 5
    calibration_bins: int = 15
    precision_at: tuple[int, ...] = (5, 100)
    epsilon: float = 1e-7


@dataclass(frozen=True)
class Estimate:
    """A figure and its interval; NaN where the data cannot say."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Metrics:
    """The figures of one split.

    Averages over classes ("macro") are over the classes that the split holds.

    Args:
        classes: Class names in the order of the scores.
        count: Number of images.
        accuracy: Share of right answers, Wilson interval.
        accuracy_over_slides: The same with an interval over slides instead of images; None
            where slides are not known or too few.
        macro_f1: Mean F1 of the classes, bootstrap interval over images.
        mcc: Matthews' correlation coefficient for many classes, -1..1, bootstrap interval.
        macro_precision: Mean precision.
        macro_recall: Mean recall, also called balanced accuracy.
        cross_entropy: Mean of -log(score of the true class), in nats.
        roc_auc: Area under the one-vs-rest ROC curve, mean of the classes.
        mean_precision_at: For each N, mean of `precision_at` over the classes (mAP@N of pbc).
        calibration_error: Expected calibration error, 0..1.
        per_class: A row for each class: ``label, support, predicted, precision, recall, f1``,
            ``<figure>_low/_high``, ``roc_auc, precision_at_<N>, too_few, why``.
        confusion: int64 ``(classes, classes)``, rows true, columns predicted.
        settings: What the figures were made with.
    """

    classes: tuple[str, ...]
    count: int
    accuracy: Estimate
    accuracy_over_slides: Estimate | None
    macro_f1: Estimate
    mcc: Estimate
    macro_precision: float
    macro_recall: float
    cross_entropy: float
    roc_auc: float
    mean_precision_at: dict[int, float]
    calibration_error: float
    per_class: pd.DataFrame = field(repr=False)
    confusion: np.ndarray = field(repr=False)
    settings: MetricSettings = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; figures that the data cannot say are None."""
        single = (
            "accuracy",
            "accuracy_over_slides",
            "macro_f1",
            "mcc",
            "macro_precision",
            "macro_recall",
            "cross_entropy",
            "roc_auc",
            "mean_precision_at",
            "calibration_error",
        )
        values: dict[str, Any] = {"images": self.count}
        values |= {name: plain(getattr(self, name)) for name in single}
        values["settings"] = plain(asdict(self.settings))
        values["classes"] = [plain(row) for row in self.per_class.to_dict("records")]
        values["confusion"] = self.confusion.tolist()
        return values

    @property
    def present(self) -> pd.DataFrame:
        """`per_class` of the classes that the split holds."""
        return self.per_class[self.per_class["support"] > 0]


def plain(value: Any) -> Any:
    """A value as JSON knows it: no numpy types, no NaN (None instead), keys are text."""
    if isinstance(value, Estimate):
        return plain(asdict(value))
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def compute_metrics(
    truth: np.ndarray,
    scores: np.ndarray,
    classes: tuple[str, ...],
    settings: MetricSettings | None = None,
    slides: np.ndarray | None = None,
) -> Metrics:
    """Computes every figure of one split.

    Args:
        truth: int ``(images,)``, positions of the true labels in `classes`.
        scores: float ``(images, classes)``, softmax values.
        classes: Class names.
        settings: Defaults to `MetricSettings()`.
        slides: str ``(images,)``, ``""`` where not known; for the interval over slides.

    Raises:
        LabError: If there is no image, or shapes and label range do not fit.
    """
    settings = settings or MetricSettings()
    _check(truth, scores, classes)
    answers = scores.argmax(axis=1)
    confusion = confusion_matrix(truth, answers, len(classes))
    samples = bootstrap_confusions(confusion, settings.bootstrap_draws, settings.seed)
    per_class = _per_class(truth, scores, confusion, samples, classes, settings)
    right, count = int(np.trace(confusion)), len(truth)
    accuracy = Estimate(
        right / count, *(float(v) for v in wilson_interval(right, count, settings.confidence))
    )
    _, _, sample_f1 = scores_of_confusion(samples)
    names = [f"precision_at_{n}" for n in settings.precision_at]
    return Metrics(
        classes=tuple(classes),
        count=count,
        accuracy=accuracy,
        accuracy_over_slides=_accuracy_over_slides(truth, answers, slides, settings),
        macro_f1=_estimate(per_class["f1"].mean(), np.nanmean(sample_f1, axis=1), settings),
        mcc=_estimate(mcc_of_confusion(confusion), mcc_of_confusion(samples), settings),
        macro_precision=float(per_class["precision"].mean()),
        macro_recall=float(per_class["recall"].mean()),
        cross_entropy=cross_entropy(truth, scores, settings.epsilon),
        roc_auc=float(per_class["roc_auc"].mean()),
        mean_precision_at={
            n: float(per_class[name].mean()) for n, name in zip(settings.precision_at, names)
        },
        calibration_error=expected_calibration_error(truth, scores, settings.calibration_bins),
        per_class=per_class,
        confusion=confusion,
        settings=settings,
    )


def _check(truth: np.ndarray, scores: np.ndarray, classes: tuple[str, ...]) -> None:
    if scores.ndim != 2 or truth.shape != scores.shape[:1] or scores.shape[1] != len(classes):
        raise LabError(
            f"Expected truth (images,) and scores (images, {len(classes)}), got {truth.shape} "
            f"and {scores.shape}."
        )
    if not len(truth):
        raise LabError("There is no image to compute figures from.")
    if truth.min() < 0 or truth.max() >= len(classes):
        raise LabError(
            f"Labels must lie in 0..{len(classes) - 1}, got {int(truth.min())} to "
            f"{int(truth.max())}."
        )


def _estimate(value: float | np.ndarray, samples: np.ndarray, settings: MetricSettings) -> Estimate:
    low, high = percentile_interval(samples, settings.confidence)
    return Estimate(float(value), float(low), float(high))


def confusion_matrix(truth: np.ndarray, answers: np.ndarray, classes: int) -> np.ndarray:
    """Counts of answers: int64 ``(classes, classes)``, rows true, columns predicted."""
    cells = np.asarray(truth, np.int64) * classes + np.asarray(answers, np.int64)
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


def normalise_rows(confusion: np.ndarray) -> np.ndarray:
    """Shares of every true class, float64; rows of classes without images are NaN."""
    totals = confusion.sum(axis=1, keepdims=True)
    return np.where(totals > 0, confusion / np.maximum(totals, 1), math.nan)


def scores_of_confusion(confusion: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Precision, recall and F1 of every class, for one confusion matrix or a stack of them.

    A class that the data does not hold gets NaN. A class that was never answered but is there
    has precision and F1 of 0, the convention of scikit-learn's ``zero_division=0``.

    Args:
        confusion: int ``(..., classes, classes)``, rows true, columns predicted.

    Returns:
        Three float64 arrays ``(..., classes)`` in 0..1.
    """
    right = np.diagonal(confusion, axis1=-2, axis2=-1).astype(np.float64)
    support, answered = confusion.sum(axis=-1), confusion.sum(axis=-2)
    there = support > 0
    precision = np.where(there, right / np.maximum(answered, 1), math.nan)
    recall = np.where(there, right / np.maximum(support, 1), math.nan)
    f1 = np.where(there, 2 * right / np.maximum(support + answered, 1), math.nan)
    return precision, recall, f1


def mcc_of_confusion(confusion: np.ndarray) -> np.ndarray:
    """Matthews' correlation coefficient for many classes (Gorodkin 2004, eq. 8 in its R_K form).

    Args:
        confusion: int ``(..., classes, classes)``.

    Returns:
        float64 ``(...)`` in -1..1; 0 where all answers or all labels are of one class.
    """
    right = np.trace(confusion, axis1=-2, axis2=-1).astype(np.float64)
    support = confusion.sum(axis=-1).astype(np.float64)
    answered = confusion.sum(axis=-2).astype(np.float64)
    total = support.sum(axis=-1)
    above = right * total - (support * answered).sum(axis=-1)
    spread = (total**2 - (support**2).sum(-1)) * (total**2 - (answered**2).sum(-1))
    return np.where(spread > 0, above / np.sqrt(np.maximum(spread, 1.0)), 0.0)


def lymphocyte_confusion(
    confusion: np.ndarray, classes: tuple[str, ...]
) -> tuple[np.ndarray, tuple[str, ...]] | None:
    """Study hairy's 5x5 matrix: the four lymphocyte classes, and everything else as "other".

    Returns:
        int64 ``(5, 5)`` and the five names; None unless the model knows all four classes.
    """
    if not set(LYMPHOCYTE_CLASSES) <= set(classes):
        return None
    place = {name: number for number, name in enumerate(LYMPHOCYTE_CLASSES)}
    groups = np.array([place.get(name, len(place)) for name in classes])
    merge = np.eye(len(place) + 1, dtype=np.int64)[groups]
    return merge.T @ confusion @ merge, (*LYMPHOCYTE_CLASSES, "other")


def cross_entropy(truth: np.ndarray, scores: np.ndarray, epsilon: float = 1e-7) -> float:
    """Mean of ``-log(score of the true class)`` in nats, scores clipped at `epsilon`."""
    chosen = np.asarray(scores, np.float64)[np.arange(len(truth)), truth]
    return float(-np.log(np.clip(chosen, epsilon, 1.0)).mean())


def precision_at(truth: np.ndarray, scores: np.ndarray, count: int) -> np.ndarray:
    """Per class, the precision among the `count` images with the highest score for it (pbc).

    A class with fewer than `count` images cannot reach 1. Where the data holds fewer than
    `count` images at all, all of them are taken. Equal scores: the earlier image is first.

    Args:
        truth: int ``(images,)``.
        scores: float ``(images, classes)``.
        count: The N of mAP@N, at least 1.

    Returns:
        float64 ``(classes,)`` in 0..1; NaN for classes without images.

    Raises:
        LabError: If `count` is below 1.
    """
    if count < 1:
        raise LabError(f"The N of mAP@N must be at least 1, got {count}.")
    best = np.argsort(-scores, axis=0, kind="stable")[:count]
    hits = (truth[best] == np.arange(scores.shape[1])).mean(axis=0)
    there = np.bincount(truth, minlength=scores.shape[1]) > 0
    return np.where(there, hits, math.nan)


def roc_auc(truth: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """One-vs-rest area under the ROC curve: float64 ``(classes,)``.

    NaN for classes without images, and for a class that all images belong to.
    """
    from sklearn.metrics import roc_auc_score

    areas = np.full(scores.shape[1], math.nan)
    for number in np.unique(truth):
        of_class = truth == number
        if not of_class.all():
            areas[number] = roc_auc_score(of_class, scores[:, number])
    return areas


def _per_class(
    truth: np.ndarray,
    scores: np.ndarray,
    confusion: np.ndarray,
    samples: np.ndarray,
    classes: tuple[str, ...],
    settings: MetricSettings,
) -> pd.DataFrame:
    support = confusion.sum(axis=1)
    columns: dict[str, Any] = {
        "label": classes,
        "support": support,
        "predicted": confusion.sum(axis=0),
    }
    drawn = zip(
        ("precision", "recall", "f1"),
        scores_of_confusion(confusion),
        scores_of_confusion(samples),
    )
    for name, value, sample in drawn:
        columns[name] = value
        low, high = percentile_interval(sample, settings.confidence)
        columns[f"{name}_low"], columns[f"{name}_high"] = low, high
    # Given its class, an image is right or not: recall is a plain proportion, and Wilson's
    # interval, unlike the bootstrap's, does not shrink to nothing at 0 and 1.
    low, high = wilson_interval(np.diagonal(confusion), support, settings.confidence)
    columns["recall_bootstrap_low"] = columns["recall_low"]
    columns["recall_bootstrap_high"] = columns["recall_high"]
    columns["recall_low"], columns["recall_high"] = low, high
    columns["roc_auc"] = roc_auc(truth, scores)
    for number in settings.precision_at:
        columns[f"precision_at_{number}"] = precision_at(truth, scores, number)
    columns["why"] = [
        too_few(int(n), float(h - lo), settings) for n, lo, h in zip(support, low, high)
    ]
    columns["too_few"] = [bool(why) for why in columns["why"]]
    return pd.DataFrame(columns)


def too_few(support: int, width: float, settings: MetricSettings) -> str:
    """Why a class cannot be judged from this data, in words; ``""`` if it can.

    Args:
        support: Images of the class.
        width: Width of the interval of its recall, 0..1.
        settings: Hold the two limits.
    """
    if support == 0:
        return "not in this data"
    if support < settings.minimum_images:
        return f"fewer than {settings.minimum_images} images"
    if width > settings.maximum_width:
        return f"interval wider than {settings.maximum_width:g}"
    return ""


def _accuracy_over_slides(
    truth: np.ndarray, answers: np.ndarray, slides: np.ndarray | None, settings: MetricSettings
) -> Estimate | None:
    if slides is None or (slides == "").any():
        return None
    names = np.unique(slides)
    if len(names) < settings.minimum_slides:
        return None
    right = answers == truth
    counts = np.array([[right[slides == n].sum(), (slides == n).sum()] for n in names])
    drawn = bootstrap_groups(counts, settings.bootstrap_draws, settings.seed)
    return _estimate(right.mean(), drawn[:, 0] / drawn[:, 1], settings)
