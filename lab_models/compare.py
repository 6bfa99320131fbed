"""Runs side by side: their figures, and whether the difference could be chance."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pandas as pd

from lab_models.metrics import Estimate, Metrics, MetricSettings, compute_metrics
from lab_models.predictions import Predictions, read_predictions
from lab_models.runs import RunDirectory
from pipelines.image_names import PACKED_FROM
from tflite.runtime.errors import LabError


@dataclass(frozen=True)
class CompareSettings:
    """What can be chosen about a comparison.

    Args:
        split: Only images of this split; ``""`` takes test if every run has one, else
            validation if every run has one, else all.
        exact_below: McNemar's test is the exact binomial one if fewer images than this are
            judged differently by the two models; else the chi-square with continuity correction.
        metrics: How figures are computed.
    """

    split: str = ""
    exact_below: int = 25
    metrics: MetricSettings = field(default_factory=MetricSettings)


@dataclass(frozen=True)
class McNemar:
    """McNemar's test: do two models err equally often on the same images?

    Args:
        only_first: Images that only the first model names correctly.
        only_second: Images that only the second does.
        p_value: Probability of a difference at least as large if both err equally often, 0..1.
        exact: Whether it is the exact binomial test.
        difference: Accuracy of the second less that of the first, -1..1, with the adjusted Wald
            interval for paired proportions (Bonett and Price 2012).
    """

    only_first: int
    only_second: int
    p_value: float
    exact: bool
    difference: Estimate


@dataclass(frozen=True)
class Comparison:
    """Runs side by side on the images that all of them predicted.

    Args:
        names: ``<recipe>/<time>`` of every run.
        images: Number of shared images.
        left_out: For each run, how many of its images the others lack.
        split: The split compared; ``""`` for all.
        metrics: Figures of every run on the shared images.
        tests: McNemar's test of the first run against each other one.
    """

    names: tuple[str, ...]
    images: int
    left_out: tuple[int, ...]
    split: str
    metrics: tuple[Metrics, ...]
    tests: tuple[McNemar, ...]


def mcnemar(
    first: np.ndarray, second: np.ndarray, exact_below: int = 25, confidence: float = 0.95
) -> McNemar:
    """McNemar's test (McNemar 1947, Psychometrika 12:153-157).

    Args:
        first: bool ``(images,)``, where the first model is right.
        second: bool ``(images,)``, where the second is.
        exact_below: See `CompareSettings.exact_below`.
        confidence: Coverage of the interval of the difference.

    Raises:
        LabError: If the shapes differ.
    """
    if first.shape != second.shape:
        raise LabError(f"McNemar's test needs the same images, got {first.shape}, {second.shape}.")
    from scipy.stats import binomtest, chi2

    one, two = int((first & ~second).sum()), int((second & ~first).sum())
    total = one + two
    difference = _difference(one, two, len(first), confidence)
    if total < exact_below:
        p_value = binomtest(one, total).pvalue if total else 1.0
        return McNemar(one, two, float(p_value), True, difference)
    # Edwards's continuity correction; |b - c| of 0 must not become positive through it.
    statistic = max(abs(one - two) - 1, 0) ** 2 / total
    return McNemar(one, two, float(chi2.sf(statistic, 1)), False, difference)


def _difference(one: int, two: int, count: int, confidence: float) -> Estimate:
    # One image more in each cell of disagreement keeps the interval honest for small counts.
    gain, loss = (two + 1) / (count + 2), (one + 1) / (count + 2)
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    half = z * math.sqrt((gain + loss - (gain - loss) ** 2) / (count + 2))
    middle = gain - loss
    return Estimate((two - one) / count, max(-1.0, middle - half), min(1.0, middle + half))


def compare_runs(runs: list[RunDirectory], settings: CompareSettings | None = None) -> Comparison:
    """Compares runs on the images that all of them predicted, matched by path.

    Images of packs are matched by the paths that they had before they were packed.

    Args:
        runs: Two or more; evaluations under ``RUN/evaluations`` count as well.
        settings: Choices.

    Raises:
        LabError: If there are fewer than two runs, they share no image, label the same image
            differently, or know different classes.
    """
    settings = settings or CompareSettings()
    if len(runs) < 2:
        raise LabError(f"A comparison needs at least two runs, got {len(runs)}.")
    read = [_read(run) for run in runs]
    names = _names([run.path for run in runs])
    _check_classes(names, read)
    split = settings.split or _common_split(read)
    parts = [predictions.part(split) if split else predictions for predictions in read]
    shared = _shared_paths(names, parts)
    classes = parts[0].classes
    aligned = [_take(part, shared, classes) for part in parts]
    _check_labels(names, aligned)
    metrics = tuple(compute_metrics(a.truth, a.scores, classes, settings.metrics) for a in aligned)
    right = [a.answers == a.truth for a in aligned]
    return Comparison(
        names=names,
        images=len(shared),
        left_out=tuple(len(part) - len(shared) for part in parts),
        split=split,
        metrics=metrics,
        tests=tuple(
            mcnemar(right[0], other, settings.exact_below, settings.metrics.confidence)
            for other in right[1:]
        ),
    )


def _read(run: RunDirectory) -> Predictions:
    """The run's predictions, packed images under the names they had before."""
    predictions = read_predictions(run.require(run.predictions), run.classes)
    if not run.manifest.exists():
        return predictions
    manifest = pd.read_csv(run.manifest, dtype=str, keep_default_na=False)
    if PACKED_FROM not in manifest.columns:
        return predictions
    before = dict(zip(manifest["path"], manifest[PACKED_FROM]))
    paths = [before.get(path) or path for path in predictions.table["path"]]
    return replace(predictions, table=predictions.table.assign(path=paths))


def _names(paths: list[Path]) -> tuple[str, ...]:
    """The last two parts of each path; numbered where two runs would be called the same."""
    names = ["/".join(path.resolve().parts[-2:]) for path in paths]
    return tuple(
        name if names.count(name) == 1 else f"{name} ({place + 1})"
        for place, name in enumerate(names)
    )


def _check_classes(names: tuple[str, ...], read: list[Predictions]) -> None:
    for name, predictions in zip(names[1:], read[1:]):
        if set(predictions.classes) != set(read[0].classes):
            only = sorted(set(predictions.classes) ^ set(read[0].classes))
            raise LabError(
                f"{names[0]} and {name} know different classes ({', '.join(only)}); evaluate "
                "them on the same data with --map first, and compare the evaluations."
            )


def _common_split(read: list[Predictions]) -> str:
    for split in ("test", "validation"):
        if all(split in predictions.splits for predictions in read):
            return split
    return ""


def _shared_paths(names: tuple[str, ...], parts: list[Predictions]) -> list[str]:
    for name, part in zip(names, parts):
        twice = part.table["path"][part.table["path"].duplicated()]
        if len(twice):
            raise LabError(
                f"{name} predicted {twice.iloc[0]!r} more than once; paths must be unique to "
                "match images between runs."
            )
    sets = [set(part.table["path"]) for part in parts]
    shared = set.intersection(*sets)
    if not shared:
        example = ", ".join(f"{n}: {part.table['path'].iloc[0]}" for n, part in zip(names, parts))
        raise LabError(
            "The runs share no predicted image, so they cannot be compared. First image of each: "
            f"{example}. Evaluate both on the same data: lab-models evaluate RUN --data PATH."
        )
    return [path for path in parts[0].table["path"] if path in shared]


def _take(part: Predictions, paths: list[str], classes: tuple[str, ...]) -> Predictions:
    rows = pd.Index(part.table["path"]).get_indexer(pd.Index(paths))
    # The same classes may stand in another order in another run.
    columns = [part.classes.index(name) for name in classes]
    table = part.table.iloc[rows].reset_index(drop=True)
    return Predictions(table, part.scores[rows][:, columns], classes)


def _check_labels(names: tuple[str, ...], aligned: list[Predictions]) -> None:
    labels = aligned[0].table["label"]
    for name, other in zip(names[1:], aligned[1:]):
        differ = (labels != other.table["label"]).to_numpy()
        if differ.any():
            row = int(np.flatnonzero(differ)[0])
            raise LabError(
                f"{names[0]} and {name} label {int(differ.sum())} shared images differently, the "
                f"first is {aligned[0].table['path'].iloc[row]}: {labels.iloc[row]} and "
                f"{other.table['label'].iloc[row]}. Evaluate both on the same labels."
            )
