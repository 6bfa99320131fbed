"""Images unlike any other: no cells, other stains, other cameras."""

from __future__ import annotations

import numpy as np

from pipelines.inspection.finding import Finding, strongest_first
from pipelines.inspection.measurements import Measurements
from pipelines.inspection.robust import deviations
from pipelines.inspection.settings import InspectionSettings
from pipelines.manifest import Manifest

ORDER = 60
TITLE = "Images unlike any other"
ABOUT = (
    "Colours and edges are far from those of the next images (cheap features, standardised; the "
    "distance's logarithm, in robust standard deviations). Copies of one picture count once. "
    "Cleaning leaves them out."
)

_LEAST_SPREAD = 0.02
_LEAST = 0.05


def find(
    manifest: Manifest, measurements: Measurements, settings: InspectionSettings
) -> tuple[Finding, ...]:
    """One finding a picture; the score is how many deviations it lies beyond the others."""
    pictures = measurements.pictures
    firsts = _first_files(measurements, settings)
    if len(firsts) < max(settings.few, settings.neighbours + 2):
        return ()
    distances = _distances(measurements["features"][firsts].astype(np.float32), settings)
    far = deviations(np.log(distances + 1e-9), _LEAST)
    findings = []
    for place in np.flatnonzero(far >= settings.outlier):
        same = np.flatnonzero(pictures == pictures[firsts[place]])
        paths = tuple(manifest.table["path"].iloc[same])
        words = (
            f"{distances[place] / np.median(distances):.1f} times as far from the next images as "
            f"the others ({far[place]:.1f} deviations)."
        )
        findings.append(Finding("unlike_others", paths, float(far[place]), words, paths))
    return strongest_first(findings)


def _first_files(measurements: Measurements, settings: InspectionSettings) -> np.ndarray:
    """Row numbers of one file of each picture."""
    rows = measurements.single(settings.repeats)
    return rows[np.unique(measurements.pictures[rows], return_index=True)[1]]


def sampled(manifest: Manifest, measurements: Measurements, settings: InspectionSettings) -> str:
    """Says if the next images were looked for among some only."""
    if len(_first_files(measurements, settings)) <= settings.reference:
        return ""
    return (
        f"The images next to each one were looked for among {settings.reference:,} drawn at random "
        "(setting reference)."
    )


def _distances(features: np.ndarray, settings: InspectionSettings) -> np.ndarray:
    """To the n-th next of a sample of the images, itself left out; float64 ``(images,)``."""
    from sklearn.neighbors import NearestNeighbors

    rng = np.random.default_rng(settings.seed)
    sample = np.sort(
        rng.choice(len(features), min(settings.reference, len(features)), replace=False)
    )
    points = features / np.maximum(features[sample].std(axis=0), _LEAST_SPREAD)
    number = min(settings.neighbours + 1, len(sample))
    nearest = NearestNeighbors(n_neighbors=number).fit(points[sample])
    found = nearest.kneighbors(points)[0]
    inside = np.isin(np.arange(len(features)), sample)
    return np.where(inside, found[:, -1], found[:, -2]).astype(np.float64)
