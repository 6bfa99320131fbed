"""The page and the terminal table of runs side by side."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from lab_models.compare import Comparison, McNemar
from lab_models.metrics import Metrics
from lab_models.report import html
from lab_models.report.words import NOTHING, SPACE, interval, number, percent
from pipelines.labels import display_name

SIGNIFICANT = 0.05
Row = tuple[str, ...]

# Name, and whether it is a share.
FIGURES = (
    ("accuracy", True),
    ("macro F1", True),
    ("macro precision", True),
    ("macro recall", True),
    ("MCC", False),
    ("ROC AUC", False),
    ("cross-entropy", False),
    ("calibration error", True),
)


def _values(metrics: Metrics) -> list[float]:
    return [
        metrics.accuracy.value,
        metrics.macro_f1.value,
        metrics.macro_precision,
        metrics.macro_recall,
        metrics.mcc.value,
        metrics.roc_auc,
        metrics.cross_entropy,
        metrics.calibration_error,
    ]


def _text(value: float, share: bool) -> str:
    return percent(value, 2) if share else number(value, 4)


def _difference(value: float, first: float, share: bool) -> str:
    change = value - first
    if not math.isfinite(change):
        return NOTHING
    return f"{100 * change:+.2f}" if share else f"{change:+.4f}"


def _head(comparison: Comparison, what: str) -> list[str]:
    head = [what, comparison.names[0]]
    for name in comparison.names[1:]:
        head += [name, "change"]
    return head


def _row(title: str, values: list[float], share: bool) -> Row:
    cells = [title, _text(values[0], share)]
    for value in values[1:]:
        cells += [_text(value, share), _difference(value, values[0], share)]
    return tuple(cells)


def figure_table(comparison: Comparison) -> tuple[list[str], list[Row]]:
    """Every figure of every run and its change against the first: head and rows.

    Changes of shares are in percentage points.
    """
    columns = np.array([_values(m) for m in comparison.metrics])
    rows = [_row(n, columns[:, i].tolist(), share) for i, (n, share) in enumerate(FIGURES)]
    for count in comparison.metrics[0].mean_precision_at:
        values = [m.mean_precision_at[count] for m in comparison.metrics]
        rows.append(_row(f"mAP@{count}", values, False))
    return _head(comparison, "figure"), rows


def class_table(comparison: Comparison) -> tuple[list[str], list[Row]]:
    """Recall of every class in every run and its change against the first: head and rows."""
    first = comparison.metrics[0].present
    rows = []
    for place in first.index:
        values = [float(m.per_class["recall"].iloc[place]) for m in comparison.metrics]
        title = f"{display_name(first['label'][place])} ({first['support'][place]})"
        rows.append(_row(title, values, True))
    return _head(comparison, "recall (images)"), rows


def tested(first: str, second: str, test: McNemar, confidence: float) -> str:
    """What McNemar's test says, in words."""
    kind = "exact binomial" if test.exact else "chi-square with continuity correction"
    p_value = "below 0.0001" if test.p_value < 1e-4 else f"{test.p_value:.4f}"
    if test.p_value >= SIGNIFICANT:
        finding = "the difference may well be chance"
    else:
        better = second if test.only_second > test.only_first else first
        finding = f"{better} is better, and chance is an unlikely reason"
    change = test.difference
    return (
        f"{second} against {first}: {100 * change.value:+.2f} percentage points of accuracy "
        f"({100 * confidence:g}{SPACE}% interval {100 * change.low:+.2f} to "
        f"{100 * change.high:+.2f}). Only {first} is right on {test.only_first} images, only "
        f"{second} on {test.only_second}; McNemar p = {p_value} ({kind}): {finding}."
    )


def sentences(comparison: Comparison) -> list[str]:
    """What was compared and what the tests say."""
    which = f" of the split {comparison.split}" if comparison.split else ""
    words = [f"Compared on the {number(comparison.images)} images{which} that all runs predicted."]
    for name, left_out in zip(comparison.names, comparison.left_out):
        if left_out:
            words.append(f"{number(left_out)} further images of {name} are left out.")
    confidence = comparison.metrics[0].settings.confidence
    for name, test in zip(comparison.names[1:], comparison.tests):
        words.append(tested(comparison.names[0], name, test, confidence))
    if len(comparison.tests) > 1:
        words.append(
            f"{len(comparison.tests)} tests were made; with many, a small p is likelier by chance."
        )
    return words


def comparison_text(comparison: Comparison) -> str:
    """The comparison for a terminal."""
    parts = []
    for head, rows in (figure_table(comparison), class_table(comparison)):
        # Column names repeat ("change"), which a frame of plain rows does not mind.
        parts.append(pd.DataFrame([head, *rows]).to_string(index=False, header=False))
    return "\n\n".join([*parts, "\n".join(sentences(comparison))]).replace(SPACE, " ")


def comparison_page(comparison: Comparison) -> str:
    """The comparison as one HTML page that opens offline."""
    intervals = [
        (name, percent(m.accuracy.value, 2), interval(m.accuracy), percent(m.macro_f1.value, 2),
         interval(m.macro_f1))
        for name, m in zip(comparison.names, comparison.metrics)
    ]  # fmt: skip
    head = ("run", "accuracy", "interval", "macro F1", "interval")
    note = "Changes are against the first run; of shares in percentage points."
    return html.page(
        "Runs side by side",
        ", ".join(comparison.names),
        [
            ("verdict", "Verdict", "".join(map(html.paragraph, sentences(comparison)))
             + html.table(head, intervals)),
            ("figures", "Figures",
             html.table(*figure_table(comparison)) + html.paragraph(note, "note")),
            ("classes", "Classes", html.table(*class_table(comparison))),
        ],
    )  # fmt: skip
