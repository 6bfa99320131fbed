"""Labels that are likely wrong."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipelines.inspection.confident_learning import find_label_issues
from pipelines.inspection.finding import Finding, strongest_first
from pipelines.inspection.measurements import Measurements
from pipelines.inspection.settings import InspectionSettings
from pipelines.inspection.spelling import common_spellings
from pipelines.manifest import Manifest

ORDER = 110
TITLE = "Likely wrong labels"
ABOUT = (
    "Confident learning (Northcutt et al. 2021), and every clear lead of another class, on "
    "cross-validated scores of a logistic regression, which sees colours and edges but not fine "
    "chromatin: many of these labels are right, and somebody who knows cells must look. Cleaning "
    "leaves them out."
)

_REGULARISATION = 0.2
_ITERATIONS = 100


def find(
    manifest: Manifest, measurements: Measurements, settings: InspectionSettings
) -> tuple[Finding, ...]:
    """One finding an image; the score is the other class' lead over the given label."""
    judged = _judged(manifest, measurements, settings)
    if judged is None:
        return ()
    rows, labels, names = judged
    digests = measurements.content_digests()
    parts = deal_pictures(
        [digests[row] for row in rows], measurements.pictures[rows], labels, settings
    )
    features = measurements["features"][rows].astype(np.float32)
    scores = held_out_scores(features, labels, parts, settings)
    issues = find_label_issues(labels, scores)
    findings = []
    wanted = issues.confident | (issues.margins >= settings.margin)
    for place in np.flatnonzero(wanted):
        row, other = issues.rows[place], issues.suggested[place]
        path = manifest.table["path"].iloc[rows[row]]
        words = (
            f"Labelled {names[labels[row]]!r} ({scores[row, labels[row]]:.0%}); looks like "
            f"{names[other]!r} ({scores[row, other]:.0%})."
        )
        findings.append(
            Finding("wrong_labels", (path,), float(issues.margins[place]), words, (path,))
        )
    return strongest_first(findings)


def _judged(
    manifest: Manifest, measurements: Measurements, settings: InspectionSettings
) -> tuple[np.ndarray, np.ndarray, list[str]] | None:
    """Row numbers of the images whose labels can be judged, their classes from 0, and the names of
    these; None if there are too few or too many classes.
    """
    rows = measurements.single(settings.repeats)
    spelled = manifest.table["label"].map(common_spellings(manifest.table["label"]))
    names, labels = np.unique(spelled.to_numpy(str)[rows], return_inverse=True)
    pictures = measurements.pictures[rows]
    number = pd.Series(pictures).groupby(labels).nunique().to_numpy()
    enough = number >= max(settings.folds, settings.few)
    if not 2 <= enough.sum() <= settings.most_classes:
        return None
    kept = enough[labels]
    return rows[kept], (np.cumsum(enough) - 1)[labels[kept]], names[enough].tolist()


def sampled(manifest: Manifest, measurements: Measurements, settings: InspectionSettings) -> str:
    """Says if the labels were judged by models of some images only."""
    judged = _judged(manifest, measurements, settings)
    if judged is None or _in_training(len(judged[0]), settings) <= settings.learn_from:
        return ""
    return (
        f"All labels were judged, but by models that learned from {settings.learn_from:,} images "
        "drawn at random class by class (setting learn_from)."
    )


def _in_training(images: int, settings: InspectionSettings) -> int:
    """Images outside one part of the cross-validation."""
    return images - images // settings.folds


def deal_pictures(
    digests: Sequence[bytes], pictures: np.ndarray, labels: np.ndarray, settings: InspectionSettings
) -> np.ndarray:
    """Deals images to the parts of the cross-validation, copies of a picture to the same.

    Pictures of a class are dealt by their content. Where images are added or taken away, nearly
    all others stay where they were, and are judged as before.

    Args:
        digests: Of each image's content.
        pictures: Number of the picture that each image shows, int ``(images,)``.
        labels: Int ``(images,)``. A picture under several labels counts for one of them.
        settings: ``folds`` and ``seed`` are used.

    Returns:
        Int64 ``(images,)``, 0..folds-1, equally often in each class as far as possible.
    """
    seed = str(settings.seed).encode()
    keys = [hashlib.sha256(seed + digest).digest() for digest in digests]
    order = np.array(sorted(range(len(keys)), key=keys.__getitem__))
    _, firsts, numbers = np.unique(pictures[order], return_index=True, return_inverse=True)
    classes = labels[order][firsts]
    parts = np.zeros(len(firsts), np.int64)
    for label in np.unique(classes):
        members = np.flatnonzero(classes == label)
        members = members[np.argsort(firsts[members])]
        parts[members] = np.arange(len(members)) * settings.folds // len(members)
    dealt = np.zeros(len(order), np.int64)
    dealt[order] = parts[numbers]
    return dealt


def held_out_scores(
    features: np.ndarray, labels: np.ndarray, parts: np.ndarray, settings: InspectionSettings
) -> np.ndarray:
    """Class probabilities of every image, by a model that did not learn from its part.

    Args:
        features: Float ``(images, features)``.
        labels: Int ``(images,)``, 0..classes-1.
        parts: Of each image, as of `deal_pictures`.
        settings: ``seed``, ``learn_from`` and ``few`` are used.

    Returns:
        Float64 ``(images, classes)``, rows that sum to 1.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    scores = np.zeros((len(labels), int(labels.max()) + 1))
    rng = np.random.default_rng(settings.seed)
    for part in np.unique(parts):
        test = parts == part
        train = np.flatnonzero(~test)
        train = train[draw_by_class(labels[train], settings.learn_from, settings.few, rng)]
        model = make_pipeline(
            StandardScaler(), LogisticRegression(C=_REGULARISATION, max_iter=_ITERATIONS)
        )
        # One thread: on a busy machine many wait for each other far longer than they compute.
        with warnings.catch_warnings(), threadpool_limits(1):
            # Near the optimum is good enough to doubt a label.
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(features[train], labels[train])
        seen = model[-1].classes_  # copies under another label can take a class out of a fold
        scores[np.ix_(test, seen)] = model.predict_proba(features[test])
    return scores


def draw_by_class(labels: np.ndarray, most: int, few: int, rng: np.random.Generator) -> np.ndarray:
    """Draws about `most` rows at random, each class in its share.

    Args:
        labels: Int ``(rows,)``.
        most: Rows wanted; no more than these are drawn but for the sake of rare classes.
        few: A class keeps at least so many of its rows, if it has them.
        rng: Draws.

    Returns:
        Row numbers int64, ascending; all where there are no more than `most`.
    """
    if len(labels) <= most:
        return np.arange(len(labels))
    drawn = []
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        number = max(min(few, len(rows)), len(rows) * most // len(labels))
        drawn.append(rng.choice(rows, number, replace=False))
    return np.sort(np.concatenate(drawn))
