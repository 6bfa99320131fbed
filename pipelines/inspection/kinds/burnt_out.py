"""Burnt-out and black images."""

from __future__ import annotations

import numpy as np

from pipelines.inspection.finding import Finding, strongest_first
from pipelines.inspection.measurements import Measurements
from pipelines.inspection.robust import deviations
from pipelines.inspection.settings import InspectionSettings
from pipelines.manifest import Manifest

ORDER = 90
TITLE = "Burnt-out or black images"
ABOUT = (
    "A large share of the pixels is white or black in all three channels, and far larger than in "
    "the rest of the data set. Cleaning leaves them out."
)

_LEAST = 0.01


def find(
    manifest: Manifest, measurements: Measurements, settings: InspectionSettings
) -> tuple[Finding, ...]:
    """One finding an image; the score is the share."""
    readable = measurements.single(settings.repeats)
    findings = []
    for name, word in (("burnt", "burnt out"), ("black", "black")):
        shares = measurements[name][readable]
        far = deviations(shares, _LEAST) >= settings.burnt
        for row in np.flatnonzero(far & (shares >= settings.burnt_share)):
            path = manifest.table["path"].iloc[readable[row]]
            words = (
                f"{shares[row]:.0%} of the pixels are {word}; {np.median(shares):.0%} in the "
                "middle of the data set."
            )
            findings.append(Finding("burnt_out", (path,), float(shares[row]), words, (path,)))
    return strongest_first(findings)
