"""Labels that differ only in capitals, spaces, hyphens and underscores."""

from __future__ import annotations

from pipelines.inspection.finding import Finding, strongest_first
from pipelines.inspection.measurements import Measurements
from pipelines.inspection.settings import InspectionSettings
from pipelines.inspection.spelling import common_spellings
from pipelines.manifest import Manifest

ORDER = 20
TITLE = "Labels spelled in several ways"
ABOUT = (
    "Labels that differ only in capitals, spaces, hyphens and underscores are two classes to a "
    "network. Cleaning gives the rarer spelling the commoner one's label."
)


def find(
    manifest: Manifest, measurements: Measurements, settings: InspectionSettings
) -> tuple[Finding, ...]:
    """One finding a rarer spelling; the score is its share of the images of both."""
    counts = manifest.table["label"].value_counts()
    findings = []
    for label, common in common_spellings(manifest.table["label"]).items():
        if label == common:
            continue
        number, most = int(counts[label]), int(counts[common])
        paths = tuple(manifest.table.loc[manifest.table["label"] == label, "path"])
        words = (
            f"{number:,} image(s) are labelled {label!r}, {most:,} {common!r}; these are probably "
            "one class."
        )
        score = number / (number + most)
        findings.append(Finding("label_spelling", paths, score, words, label=common))
    return strongest_first(findings)
