"""The model card: what a model is, was made from, can do and must not be used for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lab_models.report.content import ReportContent
from lab_models.report.json_text import value_text
from lab_models.report.sections import limits
from lab_models.report.words import duration, fixed, interval, number, percent, verdict
from pipelines.labels import display_name

# What a card says of a recipe; the whole of it is in recipe.json.
RECIPE_FIELDS = ("name", "backbone", "weights", "batch_size", "dropout", "precision", "seed")


def write_model_card(content: ReportContent) -> str:
    """The card as Markdown (sections after Mitchell et al. 2019, Model Cards)."""
    parts = [
        f"# {content.facts.name}",
        "Classifier of single white-blood-cell images, trained with lab-models.",
        "## Intended use",
        "Pre-classification of cell images in research: a person confirms every cell. "
        "Not for diagnosis, and not for images of another kind than those below.",
        "## Model",
        _model(content),
        "## Training data",
        _data(content),
        content.statement,
        "## Figures",
        *verdict(content.main, content.data),
        _figures(content),
        "## Classes",
        _classes(content),
        "## Limits",
        "\n".join(f"- {sentence}" for sentence in limits(content)),
        "## How it was made",
        _making(content),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    # A bar inside a cell would end it.
    return "\n".join("| " + " | ".join(str(c).replace("|", "\\|") for c in r) + " |" for r in lines)


def _model(content: ReportContent) -> str:
    recipe = content.facts.recipe
    rows = [(display_name(k), value_text(recipe[k])) for k in RECIPE_FIELDS if k in recipe]
    rows.append(("classes", ", ".join(map(display_name, content.main.classes))))
    rows.append(("files", "`model.keras` (pixel values 0..255 to class scores), `encoder.keras`"))
    return _table(("", ""), rows)


def _data(content: ReportContent) -> str:
    manifest = content.facts.manifest
    if manifest is None or "split" not in manifest.columns:
        return "The run has no manifest."
    counts = manifest["split"].value_counts().to_dict()
    rows = [(str(split) or "not used", number(n)) for split, n in counts.items()]
    sources = sorted(set(manifest.get("source", [])) - {""})
    words = f"\n\nSources: {', '.join(sources)}." if sources else ""
    left_out = len(content.facts.quarantine)
    words += f"\n\nLeft out because they could not be read: {left_out} files." if left_out else ""
    return _table(("split", "images"), rows) + words


def _figures(content: ReportContent) -> str:
    rows = []
    for split, m in content.metrics.items():
        rows += [
            (split, "accuracy", percent(m.accuracy.value), interval(m.accuracy)),
            (split, "macro F1", percent(m.macro_f1.value), interval(m.macro_f1)),
            (split, "MCC", fixed(m.mcc.value), f"{fixed(m.mcc.low)} to {fixed(m.mcc.high)}"),
            (split, "cross-entropy", fixed(m.cross_entropy), ""),
            (split, "ROC AUC", fixed(m.roc_auc), ""),
            *((split, f"mAP@{n}", fixed(v), "") for n, v in m.mean_precision_at.items()),
            (split, "calibration error", percent(m.calibration_error), ""),
        ]
    coverage = f"{100 * content.main.settings.confidence:g} % interval"
    return _table(("split", "figure", "value", coverage), rows)


def _classes(content: ReportContent) -> str:
    rows = [
        (
            display_name(row["label"]),
            number(int(row["support"])),
            percent(row["precision"]),
            percent(row["recall"]),
            percent(row["f1"]),
            row["why"],
        )
        for row in content.main.per_class.to_dict("records")
    ]
    return _table(("class", "images", "precision", "recall", "F1", "remark"), rows)


def _making(content: ReportContent) -> str:
    environment = content.facts.environment
    lines = []
    if environment.get("git_commit"):
        lines.append(f"- Commit {environment['git_commit']}")
    history = content.facts.history
    if history is not None:
        words = f"- {len(history)} epochs"
        if "seconds" in history.columns:
            words += f" in {duration(float(history['seconds'].sum()))}"
        lines.append(words)
    lines.append("- Recipe, versions, seeds and hardware: `recipe.json`, `environment.json`")
    lines.append("- Pictures and mistakes: `report.html`")
    return "\n".join(lines)
