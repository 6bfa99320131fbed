"""Two nucleated cells in one image."""

from __future__ import annotations

import numpy as np

from pipelines.inspection.finding import Finding, strongest_first
from pipelines.inspection.measurements import Measurements
from pipelines.inspection.settings import InspectionSettings
from pipelines.manifest import Manifest

ORDER = 70
TITLE = "Two cells in one image"
ABOUT = (
    "Two nucleus-coloured areas (blue above green, dark; Otsu's thresholds) far apart, the "
    "smaller not much smaller. Gaps between the lobes of one nucleus are closed first. Where a "
    "good part of a class is like that, it is taken for the nature of the class (platelets, "
    "aggregates). Cleaning leaves them out."
)


def find(
    manifest: Manifest, measurements: Measurements, settings: InspectionSettings
) -> tuple[Finding, ...]:
    """One finding an image; the score is the smaller area as a fraction of the larger."""
    first, second, gap = (measurements[name] for name in ("first", "second", "gap"))
    ratio = second / np.maximum(first, 1e-9)
    two = np.zeros(len(manifest), bool)
    two[measurements.single(settings.repeats)] = True
    two &= (
        (second >= settings.nucleus_area)
        & (ratio >= settings.second_nucleus)
        & (gap >= settings.nucleus_gap)
    )
    labels = manifest.table["label"].to_numpy()
    findings = []
    for label in np.unique(labels[two]):
        rows = np.flatnonzero(two & (labels == label))
        readable = (measurements["readable"] & (labels == label)).sum()
        if readable >= settings.few and len(rows) > settings.common * readable:
            continue
        for row in rows:
            path = manifest.table["path"].iloc[row]
            words = (
                f"Two nuclei, {first[row]:.1%} and {second[row]:.1%} of the image, "
                f"{gap[row]:.0%} of its side apart."
            )
            findings.append(Finding("two_cells", (path,), float(ratio[row]), words, (path,)))
    return strongest_first(findings)
