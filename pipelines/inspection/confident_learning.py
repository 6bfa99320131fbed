"""Confident learning: which labels are likely wrong, judged from scores of unseen images.

Northcutt, Jiang and Chuang: Confident learning: estimating uncertainty in dataset labels, Journal
of Artificial Intelligence Research 70 (2021), by its authors' library.
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
        confident: Whether the image is off the diagonal of the confident joint, bool
            ``(issues,)``; otherwise only its highest score is of another class.
    """

    rows: np.ndarray
    suggested: np.ndarray
    margins: np.ndarray
    confident: np.ndarray


def find_label_issues(labels: np.ndarray, scores: np.ndarray) -> LabelIssues:
    """Finds the images that are confidently of another class than their label.

    These are the images off the diagonal of the confident joint (method 2 of the paper: the score
    for another class reaches the mean score of the images labelled so), and those whose highest
    score is of another class (method 1). The first alone passes over clear cases where the scores
    for the class they belong to are high throughout.

    Args:
        labels: Int ``(images,)``, 0..classes-1, each class at least once.
        scores: Float ``(images, classes)``, probabilities by a model that did not learn from the
            image in question.

    Raises:
        ManifestError: If the shapes do not fit, a class has no image, or a score is not finite.
    """
    from cleanlab.filter import find_label_issues as find_confident  # type: ignore[import-untyped]
    from cleanlab.filter import find_predicted_neq_given

    labels, scores = np.asarray(labels), np.asarray(scores, np.float64)
    if scores.ndim != 2 or labels.shape != scores.shape[:1]:
        raise ManifestError(
            f"Scores (images, classes) and as many labels were expected, got {scores.shape} and "
            f"{labels.shape}."
        )
    count = np.bincount(labels, minlength=scores.shape[1])
    if len(count) != scores.shape[1] or not count.all() or not np.isfinite(scores).all():
        raise ManifestError("Every class needs a label and every score must be finite.")
    confident = find_confident(labels, scores, filter_by="confident_learning", n_jobs=1)
    rows = np.flatnonzero(confident | find_predicted_neq_given(labels, scores))
    others = scores[rows].copy()
    others[np.arange(len(rows)), labels[rows]] = -np.inf
    margins = others.max(axis=1) - scores[rows, labels[rows]]
    order = np.argsort(-margins, kind="stable")
    rows = rows[order]
    return LabelIssues(rows, others.argmax(axis=1)[order], margins[order], confident[rows])
