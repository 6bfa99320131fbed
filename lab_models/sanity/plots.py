"""Confusion matrices of sets that hold few of the classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lab_models.metrics import normalise_rows
from lab_models.report.figures import SEQUENTIAL, in_report_style, make_figure
from pipelines.labels import display_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@in_report_style
def plot_answers(confusion: np.ndarray, classes: tuple[str, ...], title: str) -> Figure:
    """A confusion matrix without the rows of classes that the set does not hold.

    Args:
        confusion: int ``(classes, classes)``, counts; rows are true classes.
        classes: Their names.
        title: Above the picture.
    """
    from matplotlib.colors import PowerNorm

    there = np.flatnonzero(confusion.sum(axis=1))
    counts, shares = confusion[there], normalise_rows(confusion)[there]
    figure, axes = make_figure(0.36 * len(classes) + 2.8, 0.36 * len(there) + 2.4)
    axes.imshow(shares, cmap=SEQUENTIAL, norm=PowerNorm(0.5, 0, 1), aspect="auto")
    for row, column in np.argwhere(counts > 0):
        right = there[row] == column
        axes.text(
            column, row, str(counts[row, column]), ha="center", va="center", fontsize=8,
            color="white" if shares[row, column] > 0.35 else "black",
            weight="bold" if right else "normal",
        )  # fmt: skip
    names = [display_name(name) for name in classes]
    axes.set_xticks(range(len(classes)), names, rotation=45, ha="right", rotation_mode="anchor")
    labels = [f"{names[place]} ({counts[row].sum()})" for row, place in enumerate(there)]
    axes.set_yticks(range(len(there)), labels)
    axes.set_xticks(np.arange(len(classes) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(there) + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="#e5e7eb", linewidth=0.6)
    axes.tick_params(which="both", length=0)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class (answers)")
    axes.set_title(title)
    return figure
