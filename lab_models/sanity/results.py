"""What the shortcut test found, as plain records that page, JSON and CSV are made of."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lab_models.metrics import Estimate, Metrics
from lab_models.sanity.probes import Probe
from lab_models.sanity.settings import VerdictSettings

UNMASKED = "whole image"


@dataclass(frozen=True)
class SetResult:
    """One network on one set of images.

    Args:
        part: Name of the training: ``part_1``, ``part_2``, ``all``.
        seed: Of the training.
        on: The set: ``A+B``, ``C``, ``D``, ``test``, ``validation``.
        metrics: All figures.
        unknown: Images left out because the network does not know their class.
    """

    part: str
    seed: int
    on: str
    metrics: Metrics
    unknown: int = 0

    def called(self, label: str) -> int:
        """Images of other classes that are named `label`; 0 if the network does not know it."""
        if label not in self.metrics.classes:
            return 0
        place = self.metrics.classes.index(label)
        return int(self.metrics.confusion[:, place].sum() - self.metrics.confusion[place, place])

    def figure(self, label: str, name: str) -> float:
        """``recall``, ``precision`` or ``f1`` of a class; NaN if the set does not hold it."""
        rows = self.metrics.per_class
        found = rows[rows["label"] == label][name]
        return float(found.iloc[0]) if len(found) else math.nan


@dataclass(frozen=True)
class Masked:
    """One network on one set of images with something blotted out.

    Args:
        part: As in `SetResult`.
        seed: As in `SetResult`.
        on: As in `SetResult`.
        mode: `UNMASKED` or one of `lab_models.sanity.masks.MODES`.
        images: How many.
        accuracy: Of all images.
        majority: Share of the most frequent class: what blind guessing reaches.
        found: Share of the class in doubt that is still found; NaN without such images.
        called: Share of the other images that are given to that class; NaN without any.
        ranked: Area under the ROC curve of that class's score, its images against the others;
            0.5 is chance. Unlike `found` it shows what the background adds to a score that no
            longer wins.
    """

    part: str
    seed: int
    on: str
    mode: str
    images: int
    accuracy: Estimate
    majority: float
    found: Estimate
    called: Estimate
    ranked: float


@dataclass(frozen=True)
class Probed:
    """A linear probe on the features of one network."""

    part: str
    seed: int
    probe: Probe


@dataclass(frozen=True)
class LeftOut:
    """A network on the source that it was not trained on.

    Args:
        source: The source.
        seed: Of the training.
        metrics: On its images, in the classes that both have.
        home: Accuracy on the validation images of the sources it was trained on.
        unshared: Images of the source whose class the others do not have.
    """

    source: str
    seed: int
    metrics: Metrics
    home: Estimate | None
    unshared: int


@dataclass(frozen=True)
class Example:
    """An image as it is and as it was blotted out, as data URIs."""

    on: str
    label: str
    pictures: tuple[str, ...]
    found: bool


@dataclass(frozen=True)
class Results:
    """Everything that was found.

    Args:
        data: Where the images are, in words.
        recipe: Name of the recipe.
        column: Names the sources.
        focus: The class in doubt; ``""`` if there is none.
        trained_on: For each part its training data in words.
        single_source: For each part: classes that one source gives away, with that source.
        tested: Parts on sets.
        masked: Networks on blotted images.
        mask_found: Share of the images in which a cell was found.
        probed: Probes.
        left_out: Leave-one-source-out.
        examples: Blotted images.
        runs: Run directories by part and seed.
        skipped: Why a test was left out, by test.
        notes: What else a reader should know.
        confidence: Coverage of all intervals.
        limits: From where on the verdict calls figures out.
    """

    data: str
    recipe: str
    column: str
    focus: str
    trained_on: dict[str, str]
    single_source: dict[str, dict[str, str]] = field(default_factory=dict)
    tested: tuple[SetResult, ...] = ()
    masked: tuple[Masked, ...] = ()
    mask_found: float = math.nan
    probed: tuple[Probed, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    examples: tuple[Example, ...] = ()
    runs: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    confidence: float = 0.95
    limits: VerdictSettings = field(default_factory=VerdictSettings)

    def on(self, part: str, name: str) -> list[SetResult]:
        """The networks of a part on a set, by seed."""
        return [t for t in self.tested if (t.part, t.on) == (part, name)]

    @property
    def sets(self) -> tuple[str, ...]:
        """Names of the sets that were tested, in order."""
        return tuple(dict.fromkeys(t.on for t in self.tested))


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation over seeds; the latter NaN for a single seed."""

    mean: float
    deviation: float
    count: int


def spread(values: Iterable[float]) -> Spread:
    """Mean and sample standard deviation of what is finite among some figures."""
    kept = np.array([v for v in values if math.isfinite(v)], float)
    if not len(kept):
        return Spread(math.nan, math.nan, 0)
    deviation = float(kept.std(ddof=1)) if len(kept) > 1 else math.nan
    return Spread(float(kept.mean()), deviation, len(kept))


def records(results: Results) -> list[dict[str, Any]]:
    """Every figure as a row: ``test, part, seed, on, figure, value, low, high, images``."""
    rows: list[dict[str, Any]] = []

    def add(
        test: str, part: str, seed: int, on: str, figure: str, value: float | Estimate, images: int
    ) -> None:
        if not isinstance(value, Estimate):
            value = Estimate(float(value), math.nan, math.nan)
        rows.append(
            {"test": test, "part": part, "seed": seed, "on": on, "figure": figure,
             "value": value.value, "low": value.low, "high": value.high, "images": images}
        )  # fmt: skip

    for t in results.tested:
        count = t.metrics.count
        add("subsets", t.part, t.seed, t.on, "accuracy", t.metrics.accuracy, count)
        add("subsets", t.part, t.seed, t.on, "macro_f1", t.metrics.macro_f1, count)
        if results.focus:
            add("subsets", t.part, t.seed, t.on, "called_focus", t.called(results.focus), count)
            for name in ("recall", "precision"):
                value = t.figure(results.focus, name)
                add("subsets", t.part, t.seed, t.on, f"focus_{name}", value, count)
    for m in results.masked:
        for name in ("accuracy", "found", "called", "ranked", "majority"):
            on = f"{m.on}, {m.mode}"
            add("masks", m.part, m.seed, on, name, getattr(m, name), m.images)
    for p in results.probed:
        probe = p.probe
        for name in ("accuracy", "over_slides", "majority", "labels_alone"):
            if getattr(probe, name) is not None:
                add("probes", p.part, p.seed, probe.column, name, getattr(probe, name),
                    probe.images)  # fmt: skip
        for told in probe.told:
            add("probes", p.part, p.seed, f"{probe.column}={told.name}", "told_from_others",
                told.rate, told.images)  # fmt: skip
    for left in results.left_out:
        part, count = f"without {left.source}", left.metrics.count
        add("leave-one-out", part, left.seed, left.source, "accuracy", left.metrics.accuracy, count)
        add("leave-one-out", part, left.seed, left.source, "macro_f1", left.metrics.macro_f1, count)
    return rows
