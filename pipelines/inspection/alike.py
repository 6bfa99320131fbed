"""Images that show the same thing: which of them to keep."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipelines.errors import name_some
from pipelines.inspection.finding import Finding
from pipelines.inspection.measurements import Measurements
from pipelines.inspection.spelling import plain_label
from pipelines.manifest import Manifest


def groups_of(numbers: np.ndarray) -> list[np.ndarray]:
    """Row numbers of each group of two and more, in the order of first appearance.

    Args:
        numbers: Group of each row, -1 for none.
    """
    rows = np.flatnonzero(numbers >= 0)
    codes = pd.factorize(numbers[rows])[0]
    several = np.bincount(codes)[codes] > 1
    rows, codes = rows[several], codes[several]
    order = np.argsort(codes, kind="stable")
    parts = np.split(rows[order], np.flatnonzero(np.diff(codes[order])) + 1)
    return parts if len(rows) else []


def alike_finding(
    kind: str, manifest: Manifest, measurements: Measurements, rows: np.ndarray, what: str
) -> Finding:
    """A finding about images that show the same.

    The image of most pixels is kept (the first by path among equals); where the labels differ
    none is, because nobody knows which is right. Differing labels come first, then large groups.

    Args:
        kind: Of the finding.
        manifest: The data set.
        measurements: Of it.
        rows: The images.
        what: What they are, such as "files of the same bytes".
    """
    pixels = measurements["height"][rows].astype(np.int64) * measurements["width"][rows]
    paths = manifest.table["path"].iloc[rows].tolist()
    order = sorted(range(len(rows)), key=lambda place: (-pixels[place], paths[place]))
    paths = [paths[place] for place in order]
    labels = sorted(
        {plain_label(label): label for label in manifest.table["label"].iloc[rows]}.values()
    )
    words = f"{len(rows):,} {what}"
    if len(labels) > 1:
        words += f" with different labels: {name_some(labels)}. All would be left out"
    else:
        words += f", all labelled {labels[0]!r}. The first would be kept"
    return Finding(
        kind,
        tuple(paths),
        len(labels) - 1 + len(rows) / (len(rows) + 1),
        words + ".",
        tuple(paths if len(labels) > 1 else paths[1:]),
    )
