"""The same picture in other files: rescaled, compressed anew, turned, mirrored."""

from __future__ import annotations

import numpy as np

from pipelines.inspection.alike import alike_finding, groups_of
from pipelines.inspection.finding import Finding, strongest_first
from pipelines.inspection.measurements import Measurements
from pipelines.inspection.settings import InspectionSettings
from pipelines.manifest import Manifest

ORDER = 50
TITLE = "Near duplicates"
ABOUT = (
    "The same picture rescaled, compressed anew, turned or mirrored: perceptual hashes (pHash, in "
    "eight positions) that differ in few bits. Cleaning keeps the largest of them, or none where "
    "their labels differ. Pictures repeated many times are listed by themselves."
)


def find(
    manifest: Manifest, measurements: Measurements, settings: InspectionSettings
) -> tuple[Finding, ...]:
    """One finding a picture that stands in files of different content, if not in many."""
    return strongest_first(
        [
            alike_finding(
                "near_duplicates", manifest, measurements, rows, "images show the same picture"
            )
            for rows in groups_of(measurements.pictures)
            if len(rows) < settings.repeats and len(np.unique(measurements.contents[rows])) > 1
        ]
    )
