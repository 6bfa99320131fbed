"""The sections of a run's report, each from its part of the content to HTML."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any

import pandas as pd

from lab_models.metrics import Metrics
from lab_models.report import html
from lab_models.report.content import ReportContent
from lab_models.report.galleries import Mistake
from lab_models.report.json_text import flatten, value_text
from lab_models.report.words import (
    NOTHING,
    duration,
    fixed,
    interval,
    number,
    percent,
    verdict,
)
from pipelines.labels import display_name

MOST_QUARANTINED = 50
SPLITS = ("train", "validation", "test")


def verdict_section(content: ReportContent) -> str:
    """What the figures say in words, and the figures themselves."""
    first, *others = verdict(content.main, content.data)
    parts = [html.paragraph(first, "lead"), _tiles(content.main)]
    parts += [html.paragraph(sentence) for sentence in others]
    parts.append(html.paragraph(content.statement, "statement"))
    return "".join(parts) + _other_splits(content)


def _tiles(metrics: Metrics) -> str:
    tiles = [
        ("accuracy", percent(metrics.accuracy.value), interval(metrics.accuracy)),
        ("macro F1", percent(metrics.macro_f1.value), interval(metrics.macro_f1)),
        ("macro recall", percent(metrics.macro_recall), "balanced accuracy"),
        ("MCC", fixed(metrics.mcc.value), f"{fixed(metrics.mcc.low)} to "
         f"{fixed(metrics.mcc.high)}"),
        ("ROC AUC", fixed(metrics.roc_auc), "one against the rest, mean"),
        ("cross-entropy", fixed(metrics.cross_entropy), "nats an image"),
    ]  # fmt: skip
    for count, value in metrics.mean_precision_at.items():
        tiles.append((f"mAP@{count}", fixed(value), f"of the {count} surest a class"))
    tiles.append(("calibration error", percent(metrics.calibration_error), "score against truth"))
    inner = "".join(
        f'<div class="tile"><span>{escape(name)}</span><b>{escape(value)}</b>'
        f"<span>{escape(below)}</span></div>"
        for name, value, below in tiles
    )
    return f'<div class="tiles">{inner}</div>'


def _other_splits(content: ReportContent) -> str:
    if len(content.metrics) < 2:
        return ""
    rows = [
        (
            split,
            number(m.count),
            percent(m.accuracy.value),
            interval(m.accuracy),
            percent(m.macro_f1.value),
            fixed(m.mcc.value),
            fixed(m.cross_entropy),
        )
        for split, m in content.metrics.items()
    ]
    head = ("split", "images", "accuracy", "interval", "macro F1", "MCC", "cross-entropy")
    return html.table(head, rows)


def classes_section(content: ReportContent) -> str:
    """The table of classes and the picture of their recall."""
    metrics = content.main
    ns = metrics.settings.precision_at
    head = ["class", "images", "precision %", "recall %", "interval", "F1 %", "interval"]
    head += ["ROC AUC"]
    head += [*(f"P@{n}" for n in ns), "remark"]
    rows = [_class_row(row, ns) for row in metrics.per_class.to_dict("records")]
    limits = metrics.settings
    note = (
        f"Intervals hold {100 * limits.confidence:g} %: of recall by Wilson, of F1 by "
        f"{limits.bootstrap_draws} bootstrap samples stratified by class. In grey: too few to "
        f"judge, which means fewer than {limits.minimum_images} images or an interval of recall "
        f"wider than {limits.maximum_width:g}. P@N: precision among the N images with the highest "
        "score for the class; a class with fewer than N images cannot reach 1."
    )
    return (
        html.table(head, rows, "last-words", metrics.per_class["too_few"].tolist())
        + html.paragraph(note, "note")
        + _pictures(content, ("recall",))
    )


def _class_row(row: dict[Any, Any], ns: Iterable[int]) -> tuple[str, ...]:
    ends = [
        f"{100 * row[f'{name}_low']:.0f} to {100 * row[f'{name}_high']:.0f}"
        if row["support"]
        else NOTHING
        for name in ("recall", "f1")
    ]
    return (
        display_name(row["label"]),
        number(int(row["support"])),
        *(_share(row["precision"]), _share(row["recall"]), ends[0], _share(row["f1"])),
        ends[1],
        fixed(row["roc_auc"]),
        *(fixed(row[f"precision_at_{n}"], 2) for n in ns),
        row["why"],
    )


def _share(value: float) -> str:
    # The unit stands in the head of the column.
    return percent(value).removesuffix("%").strip()


PICTURES = {
    "recall": (
        "Recall of every class with its interval, the lowest on top",
        "",
        "",
    ),
    "confusion_percent": (
        "Confusion matrix, rows normalised",
        "Rows are true classes, columns answers; each row adds up to 100 per cent. The colour "
        "follows the square root of the share, so that small confusions can be seen.",
        "",
    ),
    "confusion": ("Confusion matrix, number of images", "", ""),
    "lymphocytes_percent": (
        "Confusion matrix of the lymphocyte classes and all others, rows normalised",
        "The four lymphocyte classes of study hairy; everything else is other.",
        "small",
    ),
    "lymphocytes": (
        "Confusion matrix of the lymphocyte classes and all others, number of images",
        "",
        "small",
    ),
    "history": (
        "Loss, accuracy and learning rate over the epochs",
        "Dotted lines separate the phases. Training values are taken during the epoch, with "
        "augmentation and dropout; so validation may look better.",
        "",
    ),
    "reliability": (
        "Reliability diagram: accuracy of the images against the model's highest score",
        "Below the dashed line the model is surer than it is right.",
        "small",
    ),
    "scatter": (
        "Scatter of the pooled features in the plane, coloured by true class",
        "Each point is an image. Only neighbourhoods mean something; distances between far "
        "groups and the sizes of groups do not.",
        "",
    ),
}
"""Alternative text, caption and CSS class of every picture."""


def _pictures(content: ReportContent, names: Iterable[str]) -> str:
    return "".join(
        html.picture(content.pictures[name], *PICTURES[name])
        for name in names
        if name in content.pictures
    )


def confusion_section(content: ReportContent) -> str:
    """The confusion matrices."""
    small = _pictures(content, ("lymphocytes_percent", "lymphocytes"))
    return _pictures(content, ("confusion_percent", "confusion")) + (
        f'<h3>Lymphocytes</h3><div class="beside">{small}</div>' if small else ""
    )


def training_section(content: ReportContent) -> str:
    """The curves of the training and its length."""
    history = content.facts.history
    if history is None:
        return html.paragraph("The run has no history.csv, so there are no curves.")
    words = f"{len(history)} epochs"
    if "seconds" in history.columns and history["seconds"].notna().any():
        words += f", {duration(float(history['seconds'].sum()))} in all"
    return html.paragraph(words + ".") + _pictures(content, ("history",))


def calibration_section(content: ReportContent) -> str:
    """How far scores can be believed."""
    return _pictures(content, ("reliability",))


def scatter_section(content: ReportContent) -> str:
    """The features in the plane."""
    return _pictures(content, ("scatter",)) or html.paragraph(
        "There is no scatter: the run has no features.npz, or too few images in it."
    )


def galleries_section(content: ReportContent) -> str:
    """Misses and false alarms of one class."""
    found = content.galleries
    name = display_name(found.label)
    parts = []
    if found.without_picture:
        parts.append(
            html.paragraph(
                f"{found.without_picture} of the images shown are not where they were when the "
                "model was trained, so only their names are given.",
                "note",
            )
        )
    kinds = (
        (f"Missed: {name} named otherwise (false negatives)", found.missed, found.missed_count,
         f"No {name} was missed."),
        (f"False alarms: other cells named {name} (false positives)", found.invented,
         found.invented_count, f"No other cell was named {name}."),
    )  # fmt: skip
    for title, shown, count, none in kinds:
        parts.append(f"<h3>{escape(title)}</h3>")
        if not count:
            parts.append(html.paragraph(none))
            continue
        of_all = f"the {len(shown)} surest of {count}" if count > len(shown) else f"all {count}"
        parts.append(html.paragraph(f"Shown: {of_all}, with the score of the answer.", "note"))
        parts.append(f'<div class="gallery">{"".join(map(_mistake, shown))}</div>')
    return "".join(parts)


def _mistake(mistake: Mistake) -> str:
    words = (
        f"{display_name(mistake.truth)}, named {display_name(mistake.answer)} "
        f"({percent(mistake.score, 0)})"
    )
    image = (
        f'<img src="{mistake.picture}" alt="{escape(words)}">'
        if mistake.picture
        else '<div class="blank">no image</div>'
    )
    file = mistake.path.rsplit("/", 1)[-1]
    return (
        f'<figure title="{escape(mistake.path)}">{image}'
        f"<figcaption>{escape(words)}<br>{escape(file)}</figcaption></figure>"
    )


def data_section(content: ReportContent) -> str:
    """How many images of which class stood on which side, and which files were left out."""
    parts = []
    manifest = content.facts.manifest
    if manifest is not None and {"label", "split"} <= set(manifest.columns):
        parts.append(_counts(manifest, content.main.classes))
    left_out = content.facts.quarantine
    parts.append("<h3>Quarantine</h3>")
    if left_out.empty:
        parts.append(html.paragraph("No file had to be left out."))
    else:
        head = [c for c in ("path", "reason") if c in left_out.columns]
        rows = left_out[head].head(MOST_QUARANTINED).to_numpy().tolist()
        parts.append(
            html.paragraph(
                f"{number(len(left_out))} files could not be read. They were not used and not "
                "deleted."
            )
        )
        parts.append(html.table(head, rows, "words"))
        if len(left_out) > len(rows):
            parts.append(html.paragraph("The rest stands in quarantine.csv of the run.", "note"))
    return "".join(parts)


def _counts(manifest: pd.DataFrame, classes: tuple[str, ...]) -> str:
    pairs: dict[Any, int] = manifest.groupby(["label", "split"]).size().to_dict()
    labels, splits = (list(dict.fromkeys(pair[n] for pair in pairs)) for n in (0, 1))
    order = [s for s in SPLITS if s in splits] + [s for s in splits if s not in SPLITS]
    known = [c for c in classes if c in labels] + [c for c in labels if c not in classes]
    rows = [(display_name(c), *(number(pairs.get((c, s), 0)) for s in order)) for c in known]
    rows.append(("all", *(number(int((manifest["split"] == s).sum())) for s in order)))
    return html.table(("class", *(s or "not used" for s in order)), rows)


def recipe_section(content: ReportContent) -> str:
    """The recipe and what was changed from it."""
    changes = content.facts.environment.get("changes") or {}
    if changes:
        rows = [(name, *_change(change)) for name, change in changes.items()]
        changed = html.paragraph("Changed from the recipe as written:") + html.table(
            ("field", "as written", "in this run"), rows, "words"
        )
    else:
        changed = html.paragraph("Run as written, or changes were not recorded.")
    # The scales are changes that might have been chosen; those that were stand above.
    fields = {name: value for name, value in content.facts.recipe.items() if name != "scales"}
    flat = [(name, value_text(value)) for name, value in flatten(fields)]
    whole = html.table(("field", "value"), flat, "words")
    return changed + html.details(f"The whole recipe ({len(flat)} fields)", whole)


def _change(change: Any) -> tuple[str, str]:
    if isinstance(change, dict) and set(change) == {"recipe", "run"}:
        return value_text(change["recipe"]), value_text(change["run"])
    return NOTHING, value_text(change)


def environment_section(content: ReportContent) -> str:
    """Versions, hardware, seeds and durations."""
    elsewhere = ("changes", "split_statement")
    shown = {k: v for k, v in content.facts.environment.items() if k not in elsewhere}
    if not shown:
        return html.paragraph("The run has no environment.json.")
    rows = [(name, value_text(value)) for name, value in flatten(shown)]
    return html.table(("entry", "value"), rows, "words")


def limits_section(content: ReportContent) -> str:
    """What the model is not for."""
    return "".join(map(html.paragraph, limits(content)))


def limits(content: ReportContent) -> list[str]:
    """What a reader must know before trusting the model, in sentences."""
    sentences = [
        "Research use only: a person confirms every cell. This is no medical device and gives no "
        "diagnosis.",
        "The figures hold for images like those evaluated: same stain, camera and selection of "
        "cells. On another microscope or stain, networks of this kind have fallen from above "
        "95 % to below 50 %; evaluate on your own labelled images first.",
        "The model always names one of its classes, also for a cell, artefact or picture of none "
        "of them; a high score is no proof.",
    ]
    table = content.main.per_class
    few = table[table["too_few"]]["label"].tolist()
    if len(few) == len(table):
        sentences.append("No class has enough images here to promise anything about it.")
    elif few:
        sentences.append(
            "Nothing can be promised for the classes marked as too few to judge: "
            + ", ".join(map(display_name, few))
            + "."
        )
    return sentences
