"""Inspects a data set: measures every image, then looks for every kind of finding."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.inspection.finding import Finding
from pipelines.inspection.kinds import kind_module, kinds
from pipelines.inspection.measure import Progress, measure_images
from pipelines.inspection.measurements import Measurements
from pipelines.inspection.settings import InspectionSettings
from pipelines.manifest import Manifest


@dataclass(frozen=True, eq=False)
class Inspection:
    """What was found in a data set.

    Args:
        manifest: All that was inspected, unreadable files included.
        measurements: Of its images, in its order.
        findings: By kind, in the order of `kinds`; kinds without any are there too.
        settings: What counted as a finding.
        seconds: Time taken, by step.
    """

    manifest: Manifest
    measurements: Measurements
    findings: dict[str, tuple[Finding, ...]]
    settings: InspectionSettings
    seconds: dict[str, float] = field(default_factory=dict)


def inspect_dataset(
    manifest: Manifest,
    settings: InspectionSettings | None = None,
    cache: Path | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
    step: Callable[[str], None] | None = None,
) -> Inspection:
    """Looks for everything that `pipelines.inspection.kinds` knows.

    Args:
        manifest: The data set. Nothing on disk is changed.
        settings: By default ``InspectionSettings()``.
        cache: Folder for measurements (see `pipelines.inspection.measure.measure_images`).
        workers: Worker processes, as there.
        progress: Called with the images measured and their number.
        step: Called with the title of each kind before it is looked for.

    Raises:
        ManifestError: As `measure_images`.
    """
    settings = settings or InspectionSettings()
    started = time.perf_counter()
    measurements = measure_images(manifest, settings.measurements, cache, workers, progress)
    seconds = {"measuring": time.perf_counter() - started}
    findings = {}
    for kind in kinds():
        started = time.perf_counter()
        module = kind_module(kind)
        if step:
            step(module.TITLE)
        findings[kind] = module.find(manifest, measurements, settings)
        seconds[kind] = time.perf_counter() - started
    return Inspection(manifest, measurements, findings, settings, seconds)
