"""Labels that differ only in capitals, spaces, hyphens and underscores."""

from __future__ import annotations

import re
import unicodedata

from pipelines.inspection.finding import Finding, strongest_first
from pipelines.inspection.measurements import Measurements
from pipelines.inspection.settings import InspectionSettings
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
    for _, spellings in counts.groupby([plain_label(label) for label in counts.index]):
        ranked = sorted(spellings.items(), key=lambda item: (-item[1], str(item[0])))
        common, most = ranked[0]
        for label, number in ranked[1:]:
            paths = tuple(manifest.table.loc[manifest.table["label"] == label, "path"])
            words = (
                f"{number:,} image(s) are labelled {label!r}, {most:,} {common!r}; these are "
                "probably one class."
            )
            findings.append(
                Finding("label_spelling", paths, number / (number + most), words, label=str(common))
            )
    return strongest_first(findings)


def plain_label(label: str) -> str:
    """What remains of a label when spelling does not matter."""
    folded = unicodedata.normalize("NFKC", label).casefold()
    return re.sub(r"[\s_\-]+", " ", folded).strip()
