"""Files of the same bytes."""

from __future__ import annotations

from pipelines.inspection.alike import alike_finding, groups_of
from pipelines.inspection.finding import Finding, strongest_first
from pipelines.inspection.measurements import Measurements
from pipelines.inspection.settings import InspectionSettings
from pipelines.manifest import Manifest

ORDER = 30
TITLE = "Exact duplicates"
ABOUT = (
    "Files of the same bytes (SHA-256). Cleaning keeps one of them, or none where their labels "
    "differ."
)


def find(
    manifest: Manifest, measurements: Measurements, settings: InspectionSettings
) -> tuple[Finding, ...]:
    """One finding a content."""
    return strongest_first(
        [
            alike_finding(
                "exact_duplicates", manifest, measurements, rows, "files hold the same bytes"
            )
            for rows in groups_of(measurements.contents)
        ]
    )
