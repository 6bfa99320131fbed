"""The files and tables that show a comparison: ``parity.json``, ``parity.csv``, ``parity.md``."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from tflite.compare import REFERENCE, Parity, VariantParity
from tflite.representative import LabelledImages
from tflite.runtime.files import whole_file, write_whole
from tflite.score_calibration import ScoreCalibration
from tflite.tables import markdown_table


def parity_json(
    parity: Parity, faults: Sequence[str] = (), more: Mapping[str, Any] | None = None
) -> str:
    """The whole comparison as JSON: figures a model, recalls a class, every flipped image.

    Args:
        parity: The comparison.
        faults: What is beyond the thresholds, in words.
        more: Further parts of the document.
    """
    models = (parity.reference, *parity.variants)
    content: dict[str, Any] = {
        "images": parity.images,
        "faults": list(faults),
        "models": {model.name: _figures(model) for model in models},
        "classes": {
            label: {
                "images": count,
                "recall": parity.reference.recall[label],
                **{f"recall change {v.name}": v.recall_change[label] for v in parity.variants},
                "precision": parity.reference.precision[label],
                **{
                    f"precision change {v.name}": v.precision_change[label] for v in parity.variants
                },
            }
            for label, count in parity.counts.items()
        },
        **(more or {}),
        "flips": [{"model": v.name, **asdict(flip)} for v in parity.variants for flip in v.flips],
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _figures(model: VariantParity) -> dict[str, Any]:
    figures = model.summary()
    for name in ("recall_change", "precision_change"):
        del figures[name]
    return figures


def write_parity(
    folder: Path,
    parity: Parity,
    scores: Mapping[str, np.ndarray],
    images: LabelledImages,
    labels: Sequence[str],
    faults: Sequence[str] = (),
    more: Mapping[str, Any] | None = None,
) -> None:
    """Writes ``parity.json``, ``parity.md`` and ``parity.csv`` (one row an image).

    Args:
        folder: Where to.
        parity: The comparison.
        scores: That it was made of.
        images: That were scored.
        labels: Class names in the order of the scores.
        faults: What is beyond the thresholds, in words.
        more: Further parts of ``parity.json``.
    """
    write_whole(folder / "parity.json", parity_json(parity, faults, more))
    write_whole(folder / "parity.md", parity_table(parity))
    header = ["path", "label"]
    for name in scores:
        header += [f"predicted:{name}", f"score:{name}", f"max_difference:{name}"]
    with whole_file(folder / "parity.csv") as temporary, temporary.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        for i in range(len(images)):
            row: list[Any] = [images.name(i), labels[images.label_ids[i]]]
            for own in scores.values():
                best = int(own[i].argmax())
                difference = float(np.abs(own[i] - scores[REFERENCE][i]).max())
                row += [labels[best], f"{own[i, best]:.6g}", f"{difference:.6g}"]
            writer.writerow(row)


def parity_table(parity: Parity) -> str:
    """The comparison as two Markdown tables that also read well in a terminal."""
    header = ["model", "accuracy", "95 % interval", "agreement", "flips", "lost", "gained"]
    rows = [[*header, "McNemar p", "mean diff", "max diff"]]
    for v in (parity.reference, *parity.variants):
        rows.append(
            [
                v.name,
                f"{v.accuracy:.4f}",
                f"{v.accuracy_low:.4f}-{v.accuracy_high:.4f}",
                f"{v.agreement:.4f}",
                str(len(v.flips)),
                str(v.lost),
                str(v.gained),
                f"{v.mcnemar:.2g}",
                f"{v.mean_difference:.2g}",
                f"{v.max_difference:.2g}",
            ]
        )
    return (
        f"Parity on {parity.images} validation images, against the Keras model.\n\n"
        f"{markdown_table(rows)}\nPer class:\n\n{markdown_table(_class_rows(parity))}"
    )


def _class_rows(parity: Parity) -> list[list[str]]:
    header = ["class", "images"]
    for figure in ("recall", "precision"):
        header += [figure, *(f"{v.name}" for v in parity.variants)]
    rows = [header]
    for label, count in parity.counts.items():
        row = [label, str(count)]
        for figure in ("recall", "precision"):
            value = getattr(parity.reference, figure)[label]
            row.append("-" if value is None else f"{value:.3f}")
            changes = [getattr(v, f"{figure}_change")[label] for v in parity.variants]
            row += ["-" if change is None else f"{change:+.3f}" for change in changes]
        rows.append(row)
    return rows


def scores_table(scores: Mapping[str, ScoreCalibration]) -> str:
    """Calibration and rejection of each file as a Markdown table.

    Args:
        scores: By quantisation recipe.
    """
    rows = [["model", "temperature", "ECE before", "ECE after", "answered", "of these right"]]
    for name, found in scores.items():
        right = found.selective_accuracy
        rows.append(
            [
                name,
                f"{found.temperature:.3f}",
                f"{found.before.expected_calibration_error:.4f}",
                f"{found.after.expected_calibration_error:.4f}",
                f"{found.coverage:.4f}",
                "-" if right is None else f"{right:.4f}",
            ]
        )
    heading = "Scores calibrated on the same images (ECE: expected calibration error); the rest"
    return f"{heading} is answered with unknown.\n\n{markdown_table(rows)}"
