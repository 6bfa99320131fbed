"""An inspection in words and tables, for the page and for a terminal."""

from __future__ import annotations

import numpy as np

from pipelines.inspection.finding import count_images
from pipelines.inspection.inspector import Inspection
from pipelines.inspection.kinds import kind_module
from pipelines.inspection.measurements import Measurements
from pipelines.labels import visible
from pipelines.manifest import Manifest

_SHOWN = 3
_SIZES = 3


def class_table(manifest: Manifest) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Head and rows: each class with its images, its share, and the largest class over it."""
    counts = manifest.table["label"].value_counts()
    most = int(counts.max())
    rows: list[tuple[str, ...]] = []
    for name in manifest.classes:
        number = int(counts.get(name, 0))
        imbalance = f"1 : {most / number:.1f}" if number else "-"
        rows.append((visible(name), f"{number:,}", f"{number / len(manifest):.1%}", imbalance))
    return ("class", "images", "share", "to the largest"), rows


def size_sentence(measurements: Measurements) -> str:
    """The commonest sizes of the readable images, and how many others there are."""
    rows = measurements.rows[measurements["readable"]]
    if not len(rows):
        return "No image can be read."
    sizes = np.stack([rows["width"], rows["height"]], axis=1)
    values, counts = np.unique(sizes, axis=0, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    shown = [f"{values[k][0]}x{values[k][1]} pixels ({counts[k]:,} images)" for k in order[:_SIZES]]
    rest = f", and {len(values) - _SIZES:,} other sizes" if len(values) > _SIZES else ""
    return f"Sizes (width x height): {', '.join(shown)}{rest}."


def describe_inspection(inspection: Inspection) -> str:
    """What was found, as a text that fits a terminal: per kind the count and the first few."""
    manifest = inspection.manifest
    counts = manifest.table["label"].value_counts()
    blocks = [
        f"The largest class has {counts.max() / counts.min():.1f} times the images of the "
        f"smallest ({counts.idxmax()}: {counts.max():,}, {counts.idxmin()}: {counts.min():,}).",
        size_sentence(inspection.measurements),
    ]
    nothing = []
    for kind, findings in inspection.findings.items():
        title = kind_module(kind).TITLE
        if not findings:
            nothing.append(title.lower())
            continue
        images = count_images(findings)
        lines = [f"{title} [{kind}]: {len(findings):,} finding(s), {images:,} image(s)"]
        lines += [f"  {f.paths[0]}: {f.words}" for f in findings[:_SHOWN]]
        if len(findings) > _SHOWN:
            lines.append(f"  and {len(findings) - _SHOWN:,} more")
        blocks.append("\n".join(lines))
    blocks += inspection.notes
    if nothing:
        blocks.append(f"Not found: {'; '.join(nothing)}.")
    return "\n\n".join(blocks)
