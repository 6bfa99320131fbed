"""Files that cannot be read."""

from __future__ import annotations

from pipelines.inspection.finding import Finding, strongest_first
from pipelines.inspection.measurements import Measurements
from pipelines.inspection.settings import InspectionSettings
from pipelines.manifest import Manifest

ORDER = 10
TITLE = "Files that cannot be read"
ABOUT = (
    "Every byte was decoded. Unreadable files stand in the quarantine list and not in the "
    "manifest, whatever is cleaned."
)


def find(
    manifest: Manifest, measurements: Measurements, settings: InspectionSettings
) -> tuple[Finding, ...]:
    """One finding a file, with the decoder's reason."""
    paths = manifest.table["path"]
    return strongest_first(
        [
            Finding("unreadable", (paths.iloc[row],), 1.0, reason, (paths.iloc[row],))
            for row, reason in measurements.reasons.items()
        ]
    )
