"""The pictures of figures: confusion, training, calibration, recall."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lab_models.metrics import Metrics, normalise_rows
from lab_models.report.figures import COLOURS, GREY, SEQUENTIAL, in_report_style, look, make_figure
from pipelines.labels import display_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@in_report_style
def plot_confusion(confusion: np.ndarray, classes: tuple[str, ...], normalised: bool) -> Figure:
    """A confusion matrix, true classes in rows.

    Args:
        confusion: int ``(classes, classes)``, counts.
        classes: Their names.
        normalised: Show per cent of the true class instead of counts.
    """
    from matplotlib.colors import PowerNorm

    shares = normalise_rows(confusion)
    size = max(4.6, 0.42 * len(classes) + 2.4)
    figure, axes = make_figure(size + 0.5, size)
    # The colour is the share of the row in both: counts of common classes would drown the rest.
    # The square root lifts the few per cent that matter out of the white.
    axes.imshow(np.nan_to_num(shares), cmap=SEQUENTIAL, norm=PowerNorm(0.5, 0, 1))
    for row, column in np.argwhere(confusion > 0):
        share = shares[row, column]
        text = _percent(share) if normalised else str(confusion[row, column])
        weight = "bold" if row == column else "normal"
        colour = "white" if share > 0.35 else "black"
        axes.text(
            column, row, text, ha="center", va="center", color=colour, fontsize=9, weight=weight
        )
    totals = confusion.sum(axis=1)
    names = [display_name(name) for name in classes]
    ticks = range(len(classes))
    axes.set_xticks(ticks, names, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(ticks, [f"{name} ({n})" for name, n in zip(names, totals)])
    axes.set_xticks(np.arange(len(classes) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(classes) + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="#e5e7eb", linewidth=0.6)
    axes.tick_params(which="both", length=0)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class (images)")
    axes.set_title("Per cent of the true class" if normalised else "Number of images")
    return figure


def _percent(share: float) -> str:
    percent = 100 * share
    return "<1" if percent < 0.95 else f"{percent:.0f}"


CURVES = (
    ("loss", "loss", "val_loss"),
    ("accuracy", "accuracy", "val_accuracy"),
    ("learning rate", "learning_rate", ""),
)


@in_report_style
def plot_history(history: pd.DataFrame) -> Figure:
    """Loss, accuracy and learning rate of every epoch, with the borders of the phases.

    Args:
        history: Columns ``epoch, phase, loss, accuracy, val_loss, val_accuracy, learning_rate``;
            columns may be missing, values may be NaN.
    """
    shown = [c for c in CURVES if c[1] in history.columns and history[c[1]].notna().any()]
    figure, grid = make_figure(9.5, 3.2, ncols=max(1, len(shown)), squeeze=False)
    epochs = np.arange(1, len(history) + 1)
    for axes, (title, training, validation) in zip(grid[0], shown):
        mark = "o" if len(history) < 30 else None
        axes.plot(epochs, history[training], color=COLOURS[0], marker=mark, ms=3, label="training")
        if validation in history.columns and history[validation].notna().any():
            axes.plot(
                epochs, history[validation], color=COLOURS[1], marker=mark, ms=3, ls="--",
                label="validation",
            )  # fmt: skip
        if training == "learning_rate":
            if (history[training] > 0).all():
                axes.set_yscale("log")
        else:
            axes.legend()
        axes.margins(y=0.1)  # room for the names of the phases below the curves
        axes.set_xlim(0.5, len(history) + 0.5)
        draw_phases(axes, history)
        axes.set_title(title)
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(True, axis="y")
    return figure


def draw_phases(axes: Any, history: pd.DataFrame, first: int = 1) -> None:
    """Names the phases in a plot over epochs, and draws dotted lines between them.

    Args:
        axes: Of Matplotlib.
        history: Rows are epochs; nothing is drawn without a column ``phase``.
        first: Number of the first row's epoch.
    """
    if "phase" not in history.columns:
        return
    phases = history["phase"].astype(str).to_numpy()
    starts = [n for n in range(len(phases)) if n == 0 or phases[n] != phases[n - 1]]
    for number, start in enumerate(starts):
        if start:
            axes.axvline(first + start - 0.5, color=GREY, linewidth=0.8, linestyle=":")
        # Each a line higher than the one before: a phase may be shorter than its name.
        axes.annotate(
            display_name(phases[start]), (first + start - 0.45, 0.01 + 0.06 * number),
            xycoords=("data", "axes fraction"), fontsize=8, color=GREY,
        )  # fmt: skip


@in_report_style
def plot_reliability(table: pd.DataFrame, error: float) -> Figure:
    """Confidence against accuracy, and how many images have which confidence.

    Args:
        table: From `lab_models.calibration.reliability_table`.
        error: Expected calibration error, 0..1.
    """
    figure, (above, below) = make_figure(
        6.6, 4.8, nrows=2, sharex=True, height_ratios=(3, 1), squeeze=True
    )
    width = table["high"] - table["low"]
    above.bar(
        table["low"], table["accuracy"].fillna(0), width, align="edge", color=COLOURS[5],
        edgecolor="white", label="accuracy of the images",
    )  # fmt: skip
    filled = table[table["count"] > 0]
    above.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1, label="perfect")
    above.plot(
        filled["confidence"],
        filled["accuracy"],
        color=COLOURS[1],
        marker="o",
        ms=4,
        label="means of the bin",
    )
    above.set_ylabel("accuracy")
    above.set_ylim(0, 1.02)
    above.set_title(f"Calibration error: {100 * error:.1f} percentage points")
    above.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=9)
    below.bar(table["low"], table["count"], width, align="edge", color=GREY, edgecolor="white")
    below.set_ylabel("images")
    below.set_xlabel("highest score of the image")
    below.set_xlim(0, 1)
    return figure


@in_report_style
def plot_recall(metrics: Metrics) -> Figure:
    """Recall of every class with its interval, the worst on top.

    Args:
        metrics: Figures of one split.
    """
    table = metrics.present.sort_values(["recall", "support"], ascending=[False, True])
    figure, axes = make_figure(8.0, max(2.2, 0.3 * len(table) + 1.1))
    for place, row in enumerate(table.itertuples()):
        colour = GREY if row.too_few else COLOURS[0]
        axes.plot([row.recall_low, row.recall_high], [place, place], color=colour, linewidth=2)
        axes.plot(
            row.recall, place, "o", color=colour, ms=7, mfc="white" if row.too_few else colour
        )
    axes.set_yticks(
        range(len(table)),
        [f"{display_name(n)} ({s})" for n, s in zip(table["label"], table["support"])],
    )
    axes.set_ylim(-0.7, len(table) - 0.3)
    axes.set_xlim(min(0.9, float(table["recall_low"].min()) - 0.02), 1.005)
    axes.grid(True, axis="x")
    axes.set_xlabel("recall (share of the class that is found)")
    coverage = f"{100 * metrics.settings.confidence:g} % interval"
    axes.set_title(f"Bars: {coverage} (Wilson). Hollow and grey: too few images to judge.")
    return figure


@in_report_style
def plot_scatter(
    places: np.ndarray, truth: np.ndarray, classes: tuple[str, ...], title: str
) -> Figure:
    """Features in the plane, coloured and marked by true class.

    Args:
        places: float ``(points, 2)``.
        truth: int ``(points,)``, positions in `classes`.
        classes: Class names.
        title: Says how `places` were made.
    """
    figure, axes = make_figure(9.0, 7.0)
    for number, name in enumerate(classes):
        chosen = places[truth == number]
        if not len(chosen):
            continue
        colour, marker = look(number)
        axes.scatter(
            *chosen.T, s=14, c=colour, marker=marker, alpha=0.7, linewidths=0,
            label=f"{display_name(name)} ({len(chosen)})",
        )  # fmt: skip
        # The label stands on the point nearest the middle, never in the void between two groups.
        middle = np.median(chosen, axis=0)
        at = chosen[np.argmin(((chosen - middle) ** 2).sum(axis=1))]
        axes.annotate(
            display_name(name), at, fontsize=8, ha="center", weight="bold",
            bbox={"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 1},
        )  # fmt: skip
    axes.set_axis_off()
    axes.set_title(title)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8, markerscale=1.6)
    return figure
