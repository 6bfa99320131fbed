"""Images of another size or shape than the rest."""

from __future__ import annotations

import numpy as np

from pipelines.inspection.finding import Finding, strongest_first
from pipelines.inspection.measurements import Measurements
from pipelines.inspection.settings import InspectionSettings
from pipelines.manifest import Manifest

ORDER = 100
TITLE = "Odd sizes"
ABOUT = (
    "A side, or the proportion of the sides, differs from the data set's median by more than a "
    "factor. Cleaning leaves them out."
)


def find(
    manifest: Manifest, measurements: Measurements, settings: InspectionSettings
) -> tuple[Finding, ...]:
    """One finding an image; the score is the largest of the three factors."""
    readable = measurements.single(settings.repeats)
    width, height = (measurements[name][readable].astype(float) for name in ("width", "height"))
    if not len(readable):
        return ()
    values = np.stack([width, height, width / height])
    middle = np.median(values, axis=1)
    factor = np.exp(np.abs(np.log(values / middle[:, None]))).max(axis=0)
    findings = []
    for row in np.flatnonzero(factor > settings.size_ratio):
        path = manifest.table["path"].iloc[readable[row]]
        words = (
            f"{width[row]:.0f}x{height[row]:.0f} pixels; {middle[0]:.0f}x{middle[1]:.0f} in the "
            "middle of the data set."
        )
        findings.append(Finding("odd_size", (path,), float(factor[row]), words, (path,)))
    return strongest_first(findings)
