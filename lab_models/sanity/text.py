"""The findings for a terminal."""

from __future__ import annotations

import pandas as pd

from lab_models.report.words import SPACE
from lab_models.sanity.page import (
    left_out_table,
    mask_table,
    probe_table,
    set_table,
    study_table,
)
from lab_models.sanity.results import Results
from lab_models.sanity.words import verdict


def results_text(results: Results) -> str:
    """Every table, and the verdict last, where a person at a terminal looks."""
    tables = []
    if results.tested:
        tables.append(set_table(results))
    if results.on("part_1", "C"):
        tables.append(study_table(results))
    if results.probed:
        tables.append(probe_table(results))
    if results.masked:
        tables.append(mask_table(results))
    if results.left_out:
        tables.append(left_out_table(results))
    shown = [
        pd.DataFrame([head, *rows]).to_string(index=False, header=False) for head, rows in tables
    ]
    return "\n\n".join([*shown, "\n".join(verdict(results))]).replace(SPACE, " ")
