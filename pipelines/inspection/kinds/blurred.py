"""Blurred images."""

from __future__ import annotations

import numpy as np

from pipelines.inspection.finding import Finding, strongest_first
from pipelines.inspection.measurements import Measurements
from pipelines.inspection.robust import by_class, deviations
from pipelines.inspection.settings import InspectionSettings
from pipelines.manifest import Manifest

ORDER = 80
TITLE = "Blurred images"
ABOUT = (
    "The variance of the Laplacian is far below that of the image's class (its logarithm, in "
    "robust standard deviations). Cleaning leaves them out."
)

_LEAST = 0.1


def find(
    manifest: Manifest, measurements: Measurements, settings: InspectionSettings
) -> tuple[Finding, ...]:
    """One finding an image; the score is how many deviations it lies below its class."""
    readable = measurements.single(settings.repeats)
    sharpness = np.log(measurements["sharpness"][readable].astype(np.float64) + 1)
    labels = manifest.table["label"].to_numpy()[readable]
    findings = []
    for rows in by_class(labels, settings.few):
        below = -deviations(sharpness[rows], _LEAST)
        median = np.exp(np.median(sharpness[rows])) - 1
        for row, far in zip(rows, below):
            if far < settings.blurred:
                continue
            path = manifest.table["path"].iloc[readable[row]]
            words = (
                f"Variance of the Laplacian {np.exp(sharpness[row]) - 1:.3g}, {median:.3g} in the "
                f"middle of its class: {far:.1f} deviations below."
            )
            findings.append(Finding("blurred", (path,), float(far), words, (path,)))
    return strongest_first(findings)
