"""The section on the exported files: what they lost against the Keras model, and on which cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from lab_models.report import html
from lab_models.report.content import ReportContent
from lab_models.report.galleries import GallerySettings, thumbnail
from lab_models.report.words import NOTHING, fixed, percent
from pipelines.labels import display_name

REFERENCE = "keras"
MOST_FLIPS = 24


def device_section(content: ReportContent) -> str:
    """How the exported files compare with the Keras model, where the run was exported."""
    parity = content.facts.parity
    if parity is None:
        return ""
    if "score_calibration" not in parity:
        words = "This run was exported by an earlier version; lab-models export shows it anew."
        return html.paragraph(words, "note")
    parts = [html.paragraph(sentence) for sentence in parity_words(parity)]
    parts += [html.paragraph(f"Beyond the limits: {fault}.", "note") for fault in parity["faults"]]
    parts.append(_models_table(parity["models"]))
    parts.append(_scores_table(parity["score_calibration"]))
    parts.append(_cures_table(parity["cures"]))
    parts.append(_flips(parity["flips"], content.facts.data_root))
    parts.append(html.details("Recall and precision by class", _classes_table(parity["classes"])))
    return "".join(parts)


def parity_words(parity: Mapping[str, Any]) -> list[str]:
    """What the comparison says, a sentence a file but float32.

    Args:
        parity: Content of ``parity.json``.
    """
    before = parity["models"][REFERENCE]["accuracy"]
    sentences = []
    for name, found in parity["models"].items():
        if name in (REFERENCE, "float32"):
            continue
        change = 100 * (found["accuracy"] - before)
        chance = "no more than chance" if found["mcnemar"] > 0.05 else "more than chance"
        sentences.append(
            f"{name} answers {percent(found['accuracy'])} of {parity['images']} validation images "
            f"rightly, the Keras model {percent(before)} ({change:+.2f} points); "
            f"{percent(found['agreement'], 2)} get the same class. It lost {found['lost']} right "
            f"answers and gained {found['gained']}, {chance} (McNemar, p = {found['mcnemar']:.2g})."
        )
    return sentences


def _models_table(models: Mapping[str, Mapping[str, Any]]) -> str:
    head = (
        *("model", "accuracy", "95 % interval", "agreement", "flips", "lost", "gained"),
        *("calibration error", "mean score error", "largest"),
    )
    rows = [
        (
            name,
            percent(m["accuracy"], 2),
            f"{percent(m['accuracy_low'])} to {percent(m['accuracy_high'])}",
            percent(m["agreement"], 2),
            str(m["flips"]),
            str(m["lost"]),
            str(m["gained"]),
            percent(m["calibration_error"]),
            f"{m['mean_difference']:.2g}",
            f"{m['max_difference']:.2g}",
        )
        for name, m in models.items()
    ]
    return html.table(head, rows)


def _scores_table(scores: Mapping[str, Mapping[str, Any]]) -> str:
    head = ("model", "temperature", "calibration error", "after", "answered", "of these right")
    rows = [
        (
            name,
            fixed(s["temperature"]),
            percent(s["calibration_error"]),
            percent(s["calibrated_error"]),
            percent(s["coverage"]),
            percent(s["selective_accuracy"]),
        )
        for name, s in scores.items()
    ]
    words = (
        "Fitted on the same images: the temperature by which logits are divided, "
        "the expected calibration error before and after, and what the rejection thresholds let "
        "through; the rest is answered with unknown."
    )
    return f"<h3>Score calibration</h3>{html.paragraph(words)}{html.table(head, rows)}"


def _cures_table(cures: Mapping[str, Mapping[str, Any]]) -> str:
    rows = []
    for name, cure in cures.items():
        for attempt in cure["tried"]:
            taken = "taken" if attempt["cure"] == cure["cure"] else ""
            loss = f"{-100 * attempt['accuracy_loss'] + 0.0:+.2f} points"
            rows.append((name, attempt["cure"], loss, percent(attempt["agreement"], 2), taken))
    if not rows:
        return ""
    head = ("file", "cure", "accuracy", "agreement", "")
    return f"<h3>Cures tried</h3>{html.table(head, rows)}"


def _flips(flips: Sequence[Mapping[str, Any]], root: Path | None) -> str:
    title = "<h3>Images that change their class</h3>"
    if not flips:
        return title + html.paragraph("None.")
    shown = flips[:MOST_FLIPS]
    words = f"{len(flips)} in all; hairy cells first" + (
        f"; {len(shown)} are shown." if len(shown) < len(flips) else "."
    )
    figures = "".join(_flip(flip, root) for flip in shown)
    return f'{title}{html.paragraph(words, "note")}<div class="gallery">{figures}</div>'


def _flip(flip: Mapping[str, Any], root: Path | None) -> str:
    words = (
        f"{flip['model']}: {display_name(flip['label'])}, named {display_name(flip['before'])} "
        f"({percent(flip['before_score'], 0)}), now {display_name(flip['after'])} "
        f"({percent(flip['after_score'], 0)})"
    )
    picture = "" if root is None else thumbnail(root / flip["path"], GallerySettings())
    image = (
        f'<img src="{picture}" alt="{escape(words)}">'
        if picture
        else '<div class="blank">no image</div>'
    )
    return (
        f'<figure title="{escape(flip["path"])}">{image}'
        f"<figcaption>{escape(words)}</figcaption></figure>"
    )


def _classes_table(classes: Mapping[str, Mapping[str, Any]]) -> str:
    columns = [c for c in next(iter(classes.values())) if c != "images"]
    rows = [
        (
            display_name(label),
            str(found["images"]),
            *(_class_figure(column, found[column]) for column in columns),
        )
        for label, found in classes.items()
    ]
    return html.table(("class", "images", *columns), rows)


def _class_figure(column: str, value: float | None) -> str:
    if value is None:
        return NOTHING
    return f"{100 * value:+.1f}" if "change" in column else percent(value)
