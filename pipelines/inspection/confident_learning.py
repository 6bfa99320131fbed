"""Confident learning: which labels are likely wrong, judged from scores of unseen images.

Northcutt, Jiang and Chuang: Confident learning: estimating uncertainty in dataset labels, Journal
of Artificial Intelligence Research 70 (2021). The off-diagonal entries of the confident joint
(equations 1 and 2) are the label issues, ranked by margin.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipelines.errors import ManifestError


@dataclass(frozen=True, eq=False)
class LabelIssues:
    """Images whose label is likely wrong.

    Args:
        rows: Row numbers int64 ``(issues,)``, the likeliest first.
        suggested: The class that each probably is, int64 ``(issues,)``.
        margins: Its score less that of the given label, float64 ``(issues,)``.
    """

    rows: np.ndarray
    suggested: np.ndarray
    margins: np.ndarray


def find_label_issues(labels: np.ndarray, scores: np.ndarray) -> LabelIssues:
    """Finds the images that are confidently of another class than their label.

    The threshold of a class is the mean score for it over the images labelled so. An image counts
    for the class of the highest score among those whose threshold it reaches (method 2 of the
    paper), or among all if it reaches none (method 1, for images that no class is sure of). If
    that is not its label, and its score is higher, the label is likely wrong.

    Args:
        labels: Int ``(images,)``, 0..classes-1, each class at least once.
        scores: Float ``(images, classes)``, probabilities by a model that did not learn from the
            image in question.

    Raises:
        ManifestError: If the shapes do not fit, a class has no image, or a score is not finite.
    """
    labels, scores = np.asarray(labels), np.asarray(scores, np.float64)
    if scores.ndim != 2 or labels.shape != scores.shape[:1]:
        raise ManifestError(
            f"Scores (images, classes) and as many labels were expected, got {scores.shape} and "
            f"{labels.shape}."
        )
    count = np.bincount(labels, minlength=scores.shape[1])
    if len(count) != scores.shape[1] or not count.all() or not np.isfinite(scores).all():
        raise ManifestError("Every class needs a label and every score must be finite.")
    own = scores[np.arange(len(labels)), labels]
    thresholds = np.bincount(labels, own, scores.shape[1]) / count
    reached = scores >= thresholds
    counted = np.where(reached | ~reached.any(axis=1, keepdims=True), scores, -1.0)
    best = counted.argmax(axis=1)
    wrong = np.flatnonzero((best != labels) & (counted.max(axis=1) > own))
    margins = scores[wrong, best[wrong]] - own[wrong]
    order = np.argsort(-margins, kind="stable")
    return LabelIssues(wrong[order], best[wrong[order]], margins[order])
