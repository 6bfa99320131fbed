"""Inspects a data set: measures every image, then looks for every kind of finding."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from pipelines.inspection.finding import Finding
from pipelines.inspection.kinds import kind_module, kinds
from pipelines.inspection.measure import measure_images
from pipelines.inspection.measurements import Measurements
from pipelines.inspection.settings import InspectionSettings
from pipelines.manifest import Manifest

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, eq=False)
class Inspection:
    """What was found in a data set.

    Args:
        manifest: All that was inspected, unreadable files included.
        measurements: Of its images, in its order.
        findings: By kind, in the order of `kinds`; kinds without any are there too.
        settings: What counted as a finding.
        seconds: Time taken, by step.
        notes: What was judged by a random sample only, as sentences.
    """

    manifest: Manifest
    measurements: Measurements
    findings: dict[str, tuple[Finding, ...]]
    settings: InspectionSettings
    seconds: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def inspect_dataset(
    manifest: Manifest,
    settings: InspectionSettings | None = None,
    cache: Path | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Inspection:
    """Looks for everything that `pipelines.inspection.kinds` knows.

    Args:
        manifest: The data set. Nothing on disk is changed.
        settings: By default ``InspectionSettings()``.
        cache: Folder for measurements (see `pipelines.inspection.measure.measure_images`).
        workers: Worker processes, as there.
        progress: Called with what is being done in words, how much of it is done, and of how much.

    Raises:
        ManifestError: As `measure_images`.
    """
    settings = settings or InspectionSettings()
    seconds: dict[str, float] = {}
    with _timed(seconds, "measuring"):
        measurements = measure_images(
            manifest,
            settings.measurements,
            cache,
            workers,
            _about(progress, "images measured"),
            _about(progress, "parts compared for near duplicates"),
        )
    with _timed(seconds, "comparing"):
        _ = measurements.pictures
    findings, notes = {}, []
    for number, kind in enumerate(kinds(), 1):
        module = kind_module(kind)
        if progress:
            progress(f"looking for: {module.TITLE.lower()}", number, len(kinds()))
        with _timed(seconds, kind):
            findings[kind] = module.find(manifest, measurements, settings)
        if hasattr(module, "sampled"):
            notes.append(module.sampled(manifest, measurements, settings))
    told = tuple(note for note in notes if note)
    return Inspection(manifest, measurements, findings, settings, seconds, told)


def _about(progress: Progress | None, what: str) -> Callable[[int, int], None] | None:
    return partial(progress, what) if progress else None


@contextmanager
def _timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    seconds[name] = time.perf_counter() - started
