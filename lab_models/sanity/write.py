"""Writes what the shortcut test found: page, JSON, CSV and pictures, all together or none."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lab_models.metrics import plain
from lab_models.report.figures import save_figure
from lab_models.report.write import Staging
from lab_models.runs import write_json
from lab_models.sanity.page import sanity_page
from lab_models.sanity.plots import plot_answers
from lab_models.sanity.results import Results, records
from lab_models.sanity.study import STUDY
from lab_models.sanity.words import verdict

PAGE, JSON, TABLE, ANSWERS = "sanity.html", "sanity.json", "sanity.csv", "answers.csv"


def write_results(out: Path, results: Results, answers: pd.DataFrame | None) -> None:
    """Writes ``sanity.html``, ``sanity.json``, ``sanity.csv``, ``answers.csv`` and ``plots/``.

    Args:
        out: The folder; made when missing.
        results: What was found.
        answers: A row for each network and tested image; None without any.
    """
    with Staging(out) as staged:
        pictures = _draw(staged.plots, results)
        page = sanity_page(results, pictures)
        (staged.path / PAGE).write_text(page, encoding="utf-8")
        write_json(staged.path / JSON, to_json(results))
        table = pd.DataFrame(records(results))
        table.to_csv(staged.path / TABLE, index=False, float_format="%.6g")
        if answers is not None:
            answers.to_csv(staged.path / ANSWERS, index=False, float_format="%.6g")


def _draw(folder: Path, results: Results) -> dict[str, Path]:
    """A confusion matrix for every part on every set but A+B, the seeds added up."""
    found = {}
    for part, title in results.trained_on.items():
        for name in results.sets:
            tested = results.on(part, name)
            if not tested or name == "A+B":
                continue
            confusion = np.sum([t.metrics.confusion for t in tested], axis=0)
            heading = f"{title}, tested on {name}"
            figure = plot_answers(confusion, tested[0].metrics.classes, f"Trained on {heading}")
            file = f"confusion_{part}_{name}.png"
            found[heading] = save_figure(figure, folder / file)
    return found


def to_json(results: Results) -> dict[str, Any]:
    """Everything but pictures as plain JSON values."""
    return {
        "verdict": verdict(results),
        "data": results.data,
        "recipe": results.recipe,
        "column": results.column,
        "focus": results.focus,
        "trained_on": results.trained_on,
        "single_source": results.single_source,
        "study": [asdict(row) for row in STUDY],
        "tested": [
            {"part": t.part, "seed": t.seed, "on": t.on, "unknown": t.unknown,
             "called_focus": t.called(results.focus), "classes": list(t.metrics.classes),
             "metrics": t.metrics.to_dict()}
            for t in results.tested
        ],
        "masked": [plain(asdict(m)) for m in results.masked],
        "mask_found": plain(results.mask_found),
        "probed": [plain(asdict(p)) for p in results.probed],
        "left_out": [
            {"source": left.source, "seed": left.seed, "home": plain(left.home),
             "unshared": left.unshared, "metrics": left.metrics.to_dict()}
            for left in results.left_out
        ],
        "runs": results.runs,
        "skipped": results.skipped,
        "notes": list(results.notes),
        "confidence": results.confidence,
    }  # fmt: skip
