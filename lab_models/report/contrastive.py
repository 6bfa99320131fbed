"""The part of a report on contrastive training: whether the embeddings collapsed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lab_models.contrastive.collapse import (
    FIGURES,
    CollapseFigures,
    CollapseSettings,
    is_collapsed,
)
from lab_models.report import html
from lab_models.report.content import ReportContent
from lab_models.report.figures import COLOURS, GREY, in_report_style, make_figure
from lab_models.report.plots import draw_phases
from lab_models.report.words import fixed
from pipelines.labels import display_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLES = {
    "mean_cosine": "mean cosine",
    "effective_rank": "effective rank",
    "alignment": "alignment",
    "uniformity": "uniformity",
}

CAPTION = (
    "Embeddings of images that are not augmented, after each epoch; each class counts the same. "
    "Mean cosine: 1 if all lie at one point, which the dashed line marks. Effective rank: how many "
    "dimensions they use. Alignment: mean squared distance of two images of one class; the lower, "
    "the closer classes keep together. Uniformity: the lower, the more evenly images are spread."
)


def with_embeddings(history: pd.DataFrame) -> pd.DataFrame | None:
    """The epochs from the first to the last one with figures of embeddings; None without any.

    Args:
        history: A run's ``history.csv``. The index of the result counts its rows from 0.
    """
    if not set(FIGURES) <= set(history.columns):
        return None
    table = history.reset_index(drop=True)
    places = np.flatnonzero(table[list(FIGURES)].notna().any(axis=1))
    return table.iloc[places[0] : places[-1] + 1] if len(places) else None


@in_report_style
def plot_collapse(history: pd.DataFrame) -> Figure:
    """Mean cosine, effective rank, alignment and uniformity over the epochs.

    Args:
        history: With figures of embeddings in at least one epoch.

    Raises:
        ValueError: If there are no such figures.
    """
    table = with_embeddings(history)
    if table is None:
        raise ValueError(f"The history has no values in the columns {list(FIGURES)}.")
    figure, grid = make_figure(9.5, 5.2, nrows=2, ncols=2)
    epochs = table.index.to_numpy() + 1
    for axes, name in zip(grid.flat, FIGURES):
        mark = "o" if len(table) < 30 else None
        axes.plot(epochs, table[name], color=COLOURS[0], marker=mark, ms=3)
        if name == "mean_cosine":
            axes.axhline(1, color=GREY, linestyle="--", linewidth=1)
            axes.set_ylim(min(-0.1, float(table[name].min()) - 0.1), 1.05)
        elif name == "uniformity":
            axes.margins(y=0.15)
        else:
            axes.margins(y=0.15)
            axes.set_ylim(bottom=0)
        axes.set_xlim(epochs[0] - 0.5, epochs[-1] + 0.5)
        draw_phases(axes, table, int(epochs[0]))
        axes.set_title(TITLES[name])
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(True, axis="y")
    return figure


def contrastive_section(content: ReportContent) -> str:
    """The last figures in words, and the curves; empty for a run without embeddings."""
    history = content.facts.history
    table = None if history is None else with_embeddings(history)
    if table is None:
        return ""
    parts = html.paragraph(collapse_words(table, content.facts.recipe))
    if "collapse" in content.pictures:
        alt = "Mean cosine, effective rank, alignment and uniformity of the embeddings over epochs"
        parts += html.picture(content.pictures["collapse"], alt, CAPTION)
    return parts


def collapse_words(table: pd.DataFrame, recipe: dict[str, Any]) -> str:
    """What the last epoch with embeddings says, in one sentence.

    Args:
        table: From `with_embeddings`.
        recipe: The run's ``recipe.json``; its ``collapse`` and ``projection`` are used where
            they are there.
    """
    last = table.iloc[-1]
    figures = CollapseFigures(*(float(last[name]) for name in FIGURES))
    settings = CollapseSettings(**(recipe.get("collapse") or {}))
    units = (recipe.get("projection") or {}).get("units")
    found = "Collapsed" if is_collapsed(figures, settings) else "No collapse"
    # As many digits as tell the value from the limit.
    digits = 2 if figures.mean_cosine < 0.99 else 6
    phase = f", phase {display_name(str(last['phase']))}" if "phase" in table.columns else ""
    of_all = f" of {units}" if units else ""
    return (
        f"{found}: mean cosine {fixed(figures.mean_cosine, digits)}, effective rank "
        f"{fixed(figures.effective_rank, 1)}{of_all}, alignment {fixed(figures.alignment, 2)}, "
        f"uniformity {fixed(figures.uniformity, 2)} (epoch {table.index[-1] + 1}{phase})."
    )
