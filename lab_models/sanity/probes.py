"""Linear probes: can the source, or the slide, of an image be read off a network's features?

A linear classifier on frozen features shows what they hold (Alain and Bengio 2016,
arXiv:1610.01644). Two things would make it look better than it is, and are shut out:

- *The class.* Where sources hold different classes, whoever knows the class knows much of the
  source. Only classes that several sources share are compared, each weighted so that it is
  equally frequent in all of its sources; and beside the probe stands what the labels alone would
  give away.
- *The slide.* A probe that has seen other cells of the same slide may recognise the slide. Slides
  are therefore held out whole when the source is asked for.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from lab_models.intervals import percentile_interval, wilson_interval
from lab_models.metrics import Estimate
from lab_models.sanity.settings import ProbeSettings, SanityError


@dataclass(frozen=True)
class Told:
    """How well one value is told from all others, both sides weighted alike.

    Args:
        name: The value: a source, a slide.
        images: Images that have it.
        rate: Balanced accuracy of "this one" against "another one"; 0.5 is chance.
    """

    name: str
    images: int
    rate: Estimate


@dataclass(frozen=True)
class Probe:
    """What a linear probe read off the features.

    Args:
        column: What was asked for: ``source``, ``slide``.
        images: Images it was tried on.
        groups: Slides that were held out in turn; 0 if slides were not held out.
        classes: Classes that were compared.
        accuracy: Share of right answers under the weights, Wilson interval over images.
        over_slides: The same with an interval over slides; None where there are too few.
        majority: Share of the most frequent value: what always giving it would reach.
        labels_alone: What the class alone would reach by its best guess; for slides, what the
            same probe reaches on class and source instead of features.
        told: Each value against all others, best told first.
        note: What limits it, in words.
    """

    column: str
    images: int
    groups: int
    classes: tuple[str, ...]
    accuracy: Estimate
    over_slides: Estimate | None
    majority: float
    labels_alone: float
    told: tuple[Told, ...]
    note: str = ""


@dataclass(frozen=True)
class _Problem:
    """What is fitted: features, the value asked for, weights, groups held out together."""

    features: np.ndarray
    values: np.ndarray
    weights: np.ndarray
    groups: np.ndarray | None


def probe_source(
    features: np.ndarray,
    table: pd.DataFrame,
    column: str,
    settings: ProbeSettings | None = None,
    confidence: float = 0.95,
) -> Probe:
    """Tries to tell the sources of images by their features, on slides it has not seen.

    Args:
        features: float ``(images, d)``.
        table: Columns ``label``, ``slide`` and `column`, in the order of `features`.
        column: Names the source of an image; images without one are left out.
        settings: Choices.
        confidence: Coverage of the intervals.

    Raises:
        SanityError: If no class is shared by two sources, or too few slides are known.
    """
    settings = settings or ProbeSettings()
    table, features = _sample(table.reset_index(drop=True), features, settings)
    table = table[table[column] != ""]
    table, note = _with_two_slides(table, column)
    table = _shared_cells(table, column, settings)
    cells = table.groupby(["label", column])["label"].transform("size")
    smallest = cells.groupby(table["label"]).transform("min")
    known = (table["slide"] != "").all()
    slides = table["slide"].to_numpy(str) if known else None
    if slides is not None and np.isin(table[column].astype(str), slides).all():
        slides = None  # the source is the slide: nothing can be held out
    if slides is None:
        note += " Slides could not be held out: the probe may know the slide, not the source."
    problem = _Problem(
        features[table.index],
        table[column].to_numpy(str),
        (smallest / cells).to_numpy(float),
        slides,
    )
    alone = _best_guess(table["label"], table[column], problem.weights)
    classes = tuple(sorted(set(table["label"])))
    return _judge(problem, column, classes, alone, note.strip(), settings, confidence)


def probe_slide(
    features: np.ndarray,
    table: pd.DataFrame,
    column: str,
    settings: ProbeSettings | None = None,
    confidence: float = 0.95,
) -> Probe:
    """Tries to tell the slides of images by their features.

    A slide cannot be held out and named, so images are. The source alone narrows the choice, and
    the class does; what the same probe makes of these two is `Probe.labels_alone`.

    Args:
        features: float ``(images, d)``.
        table: Columns ``label``, ``slide`` and `column`, in the order of `features`.
        column: Names the source of an image.
        settings: Choices.
        confidence: Coverage of the intervals.

    Raises:
        SanityError: If fewer than two slides have enough images.
    """
    settings = settings or ProbeSettings()
    table, features = _sample(table.reset_index(drop=True), features, settings)
    counts = table["slide"].map(table["slide"].value_counts())
    enough = max(settings.minimum_images, settings.folds)
    table = table[(table["slide"] != "") & (counts >= enough)]
    if table["slide"].nunique() < 2:
        raise SanityError(
            f"Fewer than two slides are known to have {enough} images that the network was not "
            "trained on; slides cannot be told apart by a probe."
        )
    problem = _Problem(
        features[table.index], table["slide"].to_numpy(str), np.ones(len(table)), None
    )
    # A table of the best guess would know cells of one image by heart; the same probe does not.
    given = pd.get_dummies(table["label"] + "\n" + table[column].astype(str)).to_numpy(float)
    answers = _cross_validate(replace(problem, features=given), settings)
    alone = float((answers == problem.values).mean())
    classes = tuple(sorted(set(table["label"])))
    note = f"Slides with at least {enough} images."
    return _judge(problem, "slide", classes, alone, note, settings, confidence)


def _sample(
    table: pd.DataFrame, features: np.ndarray, settings: ProbeSettings
) -> tuple[pd.DataFrame, np.ndarray]:
    if len(table) != len(features):
        raise SanityError(f"{len(table)} images, but features of {len(features)}.")
    if len(table) > settings.most_images:
        table = table.sample(settings.most_images, random_state=settings.seed).sort_index()
    return table, features


def _with_two_slides(table: pd.DataFrame, column: str) -> tuple[pd.DataFrame, str]:
    """Leaves out sources of a single slide: none of theirs is left to learn from when it is
    held out.
    """
    if (table["slide"] == "").any():
        return table, ""
    slides = table.groupby(column)["slide"].nunique()
    single = sorted(slides.index[slides < 2].astype(str))
    if not single or len(single) == len(slides):
        return table, ""
    kept = table[~table[column].astype(str).isin(single)]
    return kept, f"Left out for want of a second slide: {', '.join(single)}."


def _shared_cells(table: pd.DataFrame, column: str, settings: ProbeSettings) -> pd.DataFrame:
    """Images of classes that at least two sources have often enough, in those sources."""
    cells = table.groupby(["label", column])["label"].transform("size")
    table = table[cells >= settings.minimum_images]
    sources = table.groupby("label")[column].transform("nunique")
    table = table[sources >= 2]
    if table.empty:
        raise SanityError(
            f"No class has {settings.minimum_images} images in each of two values of {column!r} "
            "among the images that the network was not trained on: a probe could tell the class "
            "instead."
        )
    return table


def _best_guess(given: pd.Series, values: pd.Series, weights: np.ndarray) -> float:
    """Share of right answers of somebody who knows `given` alone and always guesses best."""
    sums = pd.crosstab(given.to_numpy(), values.to_numpy(), weights, aggfunc="sum").fillna(0.0)
    return float(sums.max(axis=1).sum() / sums.to_numpy().sum())


def _judge(
    problem: _Problem,
    column: str,
    classes: tuple[str, ...],
    alone: float,
    note: str,
    settings: ProbeSettings,
    confidence: float,
) -> Probe:
    answers = _cross_validate(problem, settings)
    right = answers == problem.values
    whole = pd.Series(problem.weights).groupby(problem.values).sum()
    return Probe(
        column=column,
        images=len(answers),
        groups=0 if problem.groups is None else len(set(problem.groups)),
        classes=classes,
        accuracy=weighted_rate(right, problem.weights, confidence),
        over_slides=_over_slides(right, problem, settings, confidence),
        majority=float(whole.max() / whole.sum()),
        labels_alone=alone,
        told=_told(problem, answers, confidence),
        note=note,
    )


def _cross_validate(problem: _Problem, settings: ProbeSettings) -> np.ndarray:
    """The value that the probe gives each image when it was not fitted on it."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    counted = pd.Series(problem.values)
    if problem.groups is None:
        fewest = int(counted.value_counts().min())
        kind = StratifiedKFold
    else:
        fewest = int(pd.Series(problem.groups).groupby(problem.values).nunique().min())
        kind = StratifiedGroupKFold
    folds = kind(max(2, min(settings.folds, fewest)), shuffle=True, random_state=settings.seed)
    answers = np.empty(len(counted), problem.values.dtype)
    for fit, held_out in folds.split(problem.features, problem.values, problem.groups):
        if len(set(problem.values[fit])) < 2:
            answers[held_out] = problem.values[fit][0]
            continue
        regression = LogisticRegression(C=settings.strength, max_iter=settings.iterations)
        probe = make_pipeline(StandardScaler(), regression)
        with warnings.catch_warnings():
            # A probe that stops at the last iteration is only weaker, and says so by its rate.
            warnings.filterwarnings("ignore", message=".*failed to converge.*")
            probe.fit(
                problem.features[fit],
                problem.values[fit],
                logisticregression__sample_weight=problem.weights[fit],
            )
        answers[held_out] = probe.predict(problem.features[held_out])
    return answers


def weighted_rate(right: np.ndarray, weights: np.ndarray, confidence: float) -> Estimate:
    """A weighted share and its Wilson interval at the effective number of images.

    That number is (sum of weights)^2 / (sum of squared weights) (Kish 1965, Survey Sampling).

    Args:
        right: bool ``(images,)``.
        weights: Positive, ``(images,)``.
        confidence: Coverage.
    """
    rate = float(np.average(right, weights=weights))
    count = float(weights.sum() ** 2 / (weights**2).sum())
    low, high = wilson_interval(min(rate * count, count), count, confidence)
    return Estimate(rate, float(low), float(high))


def _over_slides(
    right: np.ndarray, problem: _Problem, settings: ProbeSettings, confidence: float
) -> Estimate | None:
    if problem.groups is None:
        return None
    names, numbers = np.unique(problem.groups, return_inverse=True)
    if len(names) < settings.minimum_slides:
        return None
    sums = np.stack(
        [np.bincount(numbers, problem.weights * right), np.bincount(numbers, problem.weights)], 1
    )
    generator = np.random.default_rng(settings.seed)
    even = np.full(len(names), 1 / len(names))
    drawn = generator.multinomial(len(names), even, size=settings.bootstrap_draws) @ sums
    low, high = percentile_interval(drawn[:, 0] / drawn[:, 1], confidence)
    return Estimate(float(np.average(right, weights=problem.weights)), float(low), float(high))


def _told(problem: _Problem, answers: np.ndarray, confidence: float) -> tuple[Told, ...]:
    found = []
    for name in sorted(set(problem.values)):
        there = problem.values == name
        right = there == (answers == name)
        weights = problem.weights.copy()
        for side in (there, ~there):
            weights[side] /= weights[side].sum()
        found.append(Told(name, int(there.sum()), weighted_rate(right, weights, confidence)))
    return tuple(sorted(found, key=lambda told: -told.rate.value))
