"""Parity: the same images through the Keras model and through every exported file."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tflite.convert import as_float32
from tflite.logits import with_logits
from tflite.representative import LabelledImages, load_images
from tflite.runtime.contract import InputContract
from tflite.runtime.errors import LabError
from tflite.runtime.interpreter import TensorRunner
from tflite.runtime.scores import expected_calibration_error

if TYPE_CHECKING:
    import keras

REFERENCE = "keras"
CONFIDENCE = 0.95
_CHUNK = 64


class ParityError(LabError):
    """An exported file answers too differently from the Keras model."""


@dataclass(frozen=True)
class ParityThresholds:
    """What an export may lose and still be shipped. Shares are rounded up to whole images.

    Args:
        float32_max_difference: Largest difference of one score between Keras and the float32
            file: both compute in float32 and only the order of sums differs, see
            `tflite.convert.ConversionChecks`.
        accuracy_loss: Largest fall of accuracy, as a fraction. Published falls of post-training
            int8 are 0.3 points for ResNet18 and ResNet50 and 4 to 5 points for EfficientNet-B0
            and MobileNetV3-Large, which need a cure; 1 point lies between the two.
        agreement: Smallest share of images that get the same class. With a fall of 0.3 points
            1 to 2 % of the answers differ, since some wrong ones become right; 3 % is more than
            the healthy networks show.
    """

    float32_max_difference: float = 1e-4
    accuracy_loss: float = 0.01
    agreement: float = 0.97


@dataclass(frozen=True)
class Flip:
    """An image that gets another class than from the Keras model.

    Args:
        path: The file.
        label: Its true class.
        before: Keras model's class.
        before_score: Keras model's score of `before`.
        after: The exported file's class.
        after_score: The exported file's score of `after`.
    """

    path: str
    label: str
    before: str
    before_score: float
    after: str
    after_score: float


@dataclass(frozen=True)
class VariantParity:
    """One model on the validation images, and against the Keras model.

    Args:
        name: ``"keras"`` or the quantisation recipe.
        correct: Number of images classified rightly.
        accuracy: Their share.
        accuracy_low: Lower end of its 95 % Wilson score interval.
        accuracy_high: Upper end.
        agreement: Share of images with the same class as from the Keras model.
        lost: Images that only the Keras model names rightly.
        gained: Images that only this file names rightly.
        mcnemar: Probability of a difference at least as large as between `lost` and `gained` if
            both err equally often; the exact test of McNemar 1947.
        recall: Class to recall; None where the class has no image.
        recall_change: Class to recall minus the Keras model's.
        precision: Class to precision; None where no image is given the class.
        precision_change: Class to precision minus the Keras model's.
        calibration_error: Expected calibration error of the uncalibrated scores
            (`tflite.runtime.scores`).
        mean_difference: Mean absolute difference of a score.
        max_difference: Largest absolute difference of a score.
        flips: Images with another class than from the Keras model; those that are, or are
            called, a class of interest stand first.
    """

    name: str
    correct: int
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    agreement: float
    lost: int
    gained: int
    mcnemar: float
    recall: Mapping[str, float | None]
    recall_change: Mapping[str, float | None]
    precision: Mapping[str, float | None]
    precision_change: Mapping[str, float | None]
    calibration_error: float
    mean_difference: float
    max_difference: float
    flips: tuple[Flip, ...]

    def summary(self) -> dict[str, Any]:
        """The figures without per-class values and single images, for a sidecar."""
        values = asdict(self)
        flips = values.pop("flips")
        for name in ("name", "recall", "precision"):
            values.pop(name)
        return {**values, "flips": len(flips)}


@dataclass(frozen=True)
class Parity:
    """The Keras model and the exported files on the same validation images.

    Args:
        images: Number of images.
        counts: Class to number of images.
        reference: The Keras model.
        variants: The exported files.
    """

    images: int
    counts: Mapping[str, int]
    reference: VariantParity
    variants: tuple[VariantParity, ...]

    def variant(self, name: str) -> VariantParity:
        """The exported file of a quantisation recipe.

        Raises:
            LabError: If it was not compared.
        """
        for variant in self.variants:
            if variant.name == name:
                return variant
        raise LabError(f"{name!r} was not compared; there are {[v.name for v in self.variants]}.")


def compute_logits(
    model: keras.Model | None,
    files: Mapping[str, bytes],
    images: LabelledImages,
    contract: InputContract,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, np.ndarray]:
    """Logits of the Keras model and of every file, image by image from the same arrays.

    Args:
        model: Takes float32 ``(batch, height, width, 3)`` pixel values, ends in a softmax; None
            leaves it out.
        files: Name to content of a plain ``.tflite`` file that ends in logits.
        images: Read a chunk at a time, so any number of them fits.
        contract: The model's input contract.
        progress: Called with the number of images done and of all.

    Returns:
        Name to float32 ``(n, classes)``; the Keras model's name is `REFERENCE`.
    """
    reference = None if model is None else with_logits(as_float32(model))
    runners = {name: TensorRunner(content) for name, content in files.items()}
    names = [*([] if reference is None else [REFERENCE]), *files]
    logits: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for start in range(0, len(images), _CHUNK):
        pixels = load_images(images.paths[start : start + _CHUNK], contract)
        if reference is not None:
            answers = reference.predict_on_batch(pixels.astype(np.float32))
            logits[REFERENCE].append(np.asarray(answers))
        for name, run in runners.items():
            logits[name].append(np.stack([run(image) for image in pixels]))
        if progress:
            progress(min(start + _CHUNK, len(images)), len(images))
    return {name: np.concatenate(parts) for name, parts in logits.items()}


def compare_scores(
    scores: Mapping[str, np.ndarray],
    images: LabelledImages,
    labels: Sequence[str],
    of_interest: Sequence[str] = (),
) -> Parity:
    """Holds the scores of every file against the Keras model's.

    Args:
        scores: Name to float32 ``(n, classes)``: the softmax of what `compute_logits` gives.
        images: The images that were scored.
        labels: Class names in the order of the scores.
        of_interest: Classes whose flipped images stand first.

    Raises:
        LabError: If there is no image.
    """
    if len(images) == 0:
        raise LabError("Parity needs validation images; this run has none.")
    counts = np.bincount(images.label_ids, minlength=len(labels))
    variants = [_variant(name, scores, images, labels, of_interest) for name in scores]
    return Parity(
        images=len(images),
        counts={label: int(count) for label, count in zip(labels, counts, strict=True)},
        reference=next(v for v in variants if v.name == REFERENCE),
        variants=tuple(v for v in variants if v.name != REFERENCE),
    )


def _variant(
    name: str,
    scores: Mapping[str, np.ndarray],
    images: LabelledImages,
    labels: Sequence[str],
    of_interest: Sequence[str],
) -> VariantParity:
    before, after = scores[REFERENCE], scores[name]
    truth = images.label_ids
    predicted, reference = after.argmax(axis=1), before.argmax(axis=1)
    right, right_before = predicted == truth, reference == truth
    low, high = wilson_interval(int(right.sum()), len(truth))
    lost, gained = int((right_before & ~right).sum()), int((right & ~right_before).sum())
    recall, recall_before = (_shares(truth, p, truth, labels) for p in (predicted, reference))
    precision, precision_before = (_shares(truth, p, p, labels) for p in (predicted, reference))
    difference = np.abs(after - before)
    return VariantParity(
        name=name,
        correct=int(right.sum()),
        accuracy=float(right.mean()),
        accuracy_low=low,
        accuracy_high=high,
        agreement=float((predicted == reference).mean()),
        lost=lost,
        gained=gained,
        mcnemar=exact_mcnemar(lost, gained),
        recall=recall,
        recall_change=_changes(recall, recall_before),
        precision=precision,
        precision_change=_changes(precision, precision_before),
        calibration_error=expected_calibration_error(truth, after),
        mean_difference=float(difference.mean()),
        max_difference=float(difference.max()),
        flips=_flips(before, after, images, labels, of_interest),
    )


def _flips(
    before: np.ndarray,
    after: np.ndarray,
    images: LabelledImages,
    labels: Sequence[str],
    of_interest: Sequence[str],
) -> tuple[Flip, ...]:
    predicted, reference = after.argmax(axis=1), before.argmax(axis=1)
    flips = [
        Flip(
            path=images.name(int(i)),
            label=labels[images.label_ids[i]],
            before=labels[reference[i]],
            before_score=float(before[i, reference[i]]),
            after=labels[predicted[i]],
            after_score=float(after[i, predicted[i]]),
        )
        for i in np.flatnonzero(predicted != reference)
    ]
    interest = set(of_interest)
    return tuple(sorted(flips, key=lambda f: interest.isdisjoint((f.label, f.before, f.after))))


def _shares(
    truth: np.ndarray, predicted: np.ndarray, among: np.ndarray, labels: Sequence[str]
) -> dict[str, float | None]:
    """Right answers of every class, as a share of its images in `among` (truth or answers)."""
    right = predicted == truth
    return {
        label: float(right[among == i].mean()) if (among == i).any() else None
        for i, label in enumerate(labels)
    }


def _changes(
    after: Mapping[str, float | None], before: Mapping[str, float | None]
) -> dict[str, float | None]:
    return {label: _change(after[label], before[label]) for label in after}


def _change(after: float | None, before: float | None) -> float | None:
    return None if after is None or before is None else after - before


def wilson_interval(correct: int, total: int) -> tuple[float, float]:
    """The 95 % Wilson score interval of a share (Wilson 1927).

    Args:
        correct: Successes, 0 up to `total`.
        total: Trials, at least 1.
    """
    from scipy.stats import binomtest

    interval = binomtest(correct, total).proportion_ci(CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)


def exact_mcnemar(lost: int, gained: int) -> float:
    """Two-sided exact test whether two models err equally often on the same images, 0..1.

    Args:
        lost: Images that only the first names rightly.
        gained: Images that only the second names rightly.
    """
    from scipy.stats import binomtest

    return float(binomtest(lost, lost + gained).pvalue) if lost + gained else 1.0


def parity_faults(parity: Parity, thresholds: ParityThresholds) -> list[str]:
    """What is beyond the thresholds, one sentence each; empty where all is well.

    Args:
        parity: The comparison.
        thresholds: The limits.
    """
    faults = []
    for variant in parity.variants:
        if variant.name == "float32" and variant.max_difference > thresholds.float32_max_difference:
            faults.append(
                f"float32: a score differs by {variant.max_difference:.2g}, at most "
                f"{thresholds.float32_max_difference:g} is allowed"
            )
        lost = parity.reference.correct - variant.correct
        allowed = _whole_images(thresholds.accuracy_loss, parity.images)
        if lost > allowed:
            faults.append(
                f"{variant.name}: {lost} of {parity.images} right answers were lost "
                f"({parity.reference.accuracy:.4f} -> {variant.accuracy:.4f}), at most {allowed} "
                "may be"
            )
        allowed = _whole_images(1 - thresholds.agreement, parity.images)
        if len(variant.flips) > allowed:
            faults.append(
                f"{variant.name}: {len(variant.flips)} of {parity.images} images change their "
                f"class (agreement {variant.agreement:.4f}), at most {allowed} may"
            )
    return faults


def _whole_images(share: float, images: int) -> int:
    # (1 - 0.97) * 200 is a hair above 6 in floating point, and must not become 7.
    return math.ceil(share * images - 1e-9)
