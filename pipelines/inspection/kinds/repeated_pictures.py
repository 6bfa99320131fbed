"""A few pictures repeated many times."""

from __future__ import annotations

from pipelines.inspection.alike import groups_of
from pipelines.inspection.finding import Finding, strongest_first
from pipelines.inspection.measurements import Measurements
from pipelines.inspection.settings import InspectionSettings
from pipelines.manifest import Manifest

ORDER = 40
TITLE = "Pictures repeated many times"
ABOUT = (
    "One picture, exact and near duplicates counted, stands in many files: in the data of study "
    "an2dl 1,800 images were a few pictures of no cells. Cleaning leaves all of them out."
)


def find(
    manifest: Manifest, measurements: Measurements, settings: InspectionSettings
) -> tuple[Finding, ...]:
    """One finding a picture that stands in at least `settings.repeats` files."""
    findings = []
    for rows in groups_of(measurements.pictures):
        if len(rows) >= settings.repeats:
            table = manifest.table.iloc[rows]
            paths = tuple(table["path"])
            words = (
                f"One picture stands in {len(rows):,} files, under {table['label'].nunique()} "
                "label(s)."
            )
            findings.append(Finding("repeated_pictures", paths, float(len(rows)), words, paths))
    return strongest_first(findings)
