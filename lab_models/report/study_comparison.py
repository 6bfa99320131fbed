"""The page and the terminal table of study hairy's models, the study's figures beside ours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

import numpy as np
import pandas as pd

from lab_models.metrics import Estimate, Metrics
from lab_models.recipes import recipe_id
from lab_models.report import html
from lab_models.report.comparison import tested
from lab_models.report.words import NOTHING, SPACE, duration, fixed, interval, number, percent
from lab_models.study_figures import HAIRY_CELLS, SOURCE, STUDY_FIGURES, StudyFigures
from lab_models.study_results import PairTest, StudyComparison, StudyRun
from pipelines.labels import display_name

Row = tuple[str, ...]
_NO_FIGURES = StudyFigures()
_SHARE_DIGITS, _LOSS_DIGITS = 2, 4


def spread(values: Sequence[float], text: Callable[[float], str]) -> str:
    """One value as it is; several as mean and standard deviation (n - 1)."""
    if len(values) < 2:
        return text(values[0]) if values else NOTHING
    return f"{text(float(np.mean(values)))} ± {text(float(np.std(values, ddof=1)))}"


def _percent(value: float | None) -> str:
    return percent(value, _SHARE_DIGITS)


def _loss(value: float | None) -> str:
    return fixed(value, _LOSS_DIGITS)


def _count(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def figure_table(comparison: StudyComparison) -> tuple[list[str], list[Row]]:
    """A row for each figure, and for each recipe what the study has and what came out here.

    With several seeds: mean and standard deviation. The interval is that of one training, its
    ends averaged over the seeds.

    Returns:
        Head and rows.
    """
    recipes, split = comparison.settings.recipes, comparison.split
    head = ["figure"]
    for name in recipes:
        head += [f"{recipe_id(name)}, study", f"{recipe_id(name)}, here"]
    columns = [_column(comparison.of(name), split) for name in recipes]
    study = [_study_column(STUDY_FIGURES.get(name, _NO_FIGURES), split) for name in recipes]
    titles = _titles(split, display_name(comparison.settings.focus))
    rows = []
    for place, title in enumerate(titles):
        cells = [title]
        for theirs, ours in zip(study, columns):
            cells += [theirs[place], ours[place]]
        if set(cells[1:]) != {NOTHING}:
            rows.append(tuple(cells))
    return head, rows


def _titles(split: str, focus: str) -> Row:
    return (
        "validation accuracy", "validation log loss", "test accuracy", "interval (test)",
        "test log loss", f"macro F1 ({split})", f"calibration error ({split})",
        f"{focus}s right ({split})", f"other cells named {focus} ({split})", "training time",
    )  # fmt: skip


def _study_column(figures: StudyFigures, split: str) -> Row:
    tested_there = split == "test"
    right, false = figures.hairy_right, figures.hairy_false
    return (
        _percent(figures.validation_accuracy),
        _loss(figures.validation_loss),
        _percent(figures.test_accuracy),
        NOTHING,
        _loss(figures.test_loss),
        NOTHING,
        NOTHING,
        f"{right} of {HAIRY_CELLS}" if right is not None and tested_there else NOTHING,
        str(false) if false is not None and tested_there else NOTHING,
        NOTHING,
    )


def _column(runs: Sequence[StudyRun], split: str) -> Row:
    def of(part: str, value: Callable[[Metrics], float]) -> list[float]:
        return [value(run.metrics[part]) for run in runs if part in run.metrics]

    tests = [run.metrics["test"].accuracy for run in runs if "test" in run.metrics]
    focus = [found for found in (run.focus(split) for run in runs) if found]
    right = spread([found.right for found in focus], _count)
    return (
        spread(of("validation", lambda m: m.accuracy.value), _percent),
        spread(of("validation", lambda m: m.cross_entropy), _loss),
        spread(of("test", lambda m: m.accuracy.value), _percent),
        interval(_mean_interval(tests), _SHARE_DIGITS) if tests else NOTHING,
        spread(of("test", lambda m: m.cross_entropy), _loss),
        spread(of(split, lambda m: m.macro_f1.value), _percent),
        spread(of(split, lambda m: m.calibration_error), _percent),
        f"{right} of {focus[0].images}" if focus else NOTHING,
        spread([found.false for found in focus], _count),
        spread([run.training_seconds for run in runs], duration),
    )


def _mean_interval(estimates: Sequence[Estimate]) -> Estimate:
    table = np.array([(e.value, e.low, e.high) for e in estimates])
    return Estimate(*(float(value) for value in table.mean(axis=0)))


def run_table(comparison: StudyComparison) -> tuple[list[str], list[Row]]:
    """A row for each training, with the intervals of its figures: head and rows."""
    split = comparison.split
    head = ["training", "accuracy", "interval", "macro F1", "interval", "log loss",
            "calibration error", f"{display_name(comparison.settings.focus)}s right",
            "false", "time", "weights", "run"]  # fmt: skip
    rows: list[Row] = []
    for run in comparison.runs:
        metrics, focus = run.metrics[split], run.focus(split)
        rows.append(
            (
                f"{recipe_id(run.recipe)}, seed {run.seed}",
                _percent(metrics.accuracy.value),
                interval(metrics.accuracy, _SHARE_DIGITS),
                _percent(metrics.macro_f1.value),
                interval(metrics.macro_f1, _SHARE_DIGITS),
                _loss(metrics.cross_entropy),
                _percent(metrics.calibration_error),
                f"{focus.right} of {focus.images}" if focus else NOTHING,
                str(focus.false) if focus else NOTHING,
                duration(run.training_seconds),
                run.weights,
                str(run.run.path) + (" (trained before)" if run.reused else ""),
            )
        )
    return head, rows


def findings(comparison: StudyComparison) -> list[str]:
    """What the tests say of every two recipes, seed by seed and over all seeds."""
    words = []
    pairs = dict.fromkeys((test.first, test.second) for test in comparison.tests)
    for pair in pairs:
        tests = [t for t in comparison.tests if (t.first, t.second) == pair]
        if len(tests) > 1:
            words.append(_over_seeds(tests))
        words += [_of_seed(test, comparison.settings.metrics.confidence) for test in tests]
    if len(comparison.tests) > 1:
        words.append(
            f"{len(comparison.tests)} tests were made; with many, a small p is likelier by chance."
        )
    return words


def _over_seeds(tests: Sequence[PairTest]) -> str:
    points = [100 * t.test.difference.value for t in tests]
    above = sum(value > 0 for value in points)
    return (
        f"{recipe_id(tests[0].second)} against {recipe_id(tests[0].first)}: "
        f"{np.mean(points):+.2f} percentage points of accuracy in the mean of {len(tests)} seeds "
        f"(standard deviation {np.std(points, ddof=1):.2f}), better with {above} of them."
    )


def _of_seed(test: PairTest, confidence: float) -> str:
    words = tested(recipe_id(test.first), recipe_id(test.second), test.test, confidence)
    return f"Seed {test.seed}: {words}"


def cautions(comparison: StudyComparison) -> list[str]:
    """What must be known before the two sets of figures are held against each other."""
    settings = comparison.settings
    count = comparison.runs[0].metrics[comparison.split].count
    words = [
        f"Here: {settings.scale} scale, {number(count)} {comparison.split} images, "
        f"{len(settings.seeds)} {'seed' if len(settings.seeds) == 1 else 'seeds'}. "
        f"{comparison.statement}",
        "The study's figures are of other images: compare the order of the models and how far "
        "they lie apart, not the figures themselves.",
    ]
    if (
        len({run.weights for run in comparison.runs}) == 1
        and comparison.runs[0].weights == "random"
    ):
        words.append(
            "Every network here started from random weights, so what pre-trained weights are "
            "worth, which is what HAL-R was made to show, cannot be seen."
        )
    if len(settings.seeds) == 1:
        words.append(
            "One training of each: another seed may turn small differences round. Give --seeds 0 "
            "1 2 to see the spread."
        )
    return [*words, SOURCE]


def comparison_text(comparison: StudyComparison) -> str:
    """The comparison for a terminal."""
    head, rows = figure_table(comparison)
    table = pd.DataFrame([head, *rows]).to_string(index=False, header=False)
    parts = [table, "\n".join(findings(comparison)), "\n".join(cautions(comparison))]
    return "\n\n".join(part for part in parts if part).replace(SPACE, " ")


def comparison_page(comparison: StudyComparison) -> str:
    """The comparison as one HTML page that opens offline."""
    note = (
        "With several seeds: mean and standard deviation. Intervals hold "
        f"{100 * comparison.settings.metrics.confidence:g} % over images, for one training; "
        "their ends are averaged over the seeds."
    )
    names = ", ".join(recipe_id(name) for name in comparison.settings.recipes)
    changes = [
        (name or "all", field, str(value))
        for name, fields in (("", comparison.settings.changes),
                             *comparison.settings.own_changes.items())
        for field, value in fields.items()
    ]  # fmt: skip
    return html.page(
        "Study hairy: its models here and there",
        names,
        [
            ("figures", "Figures",
             html.table(*figure_table(comparison)) + html.paragraph(note, "note")
             + "".join(map(html.paragraph, cautions(comparison)))),
            ("tests", "Could it be chance?",
             "".join(map(html.paragraph, findings(comparison)))),
            ("trainings", "Every training", html.table(*run_table(comparison))
             + (f"<h3>{escape('Changed from the recipes')}</h3>"
                + html.table(("recipe", "field", "value"), changes, "words") if changes else "")),
        ],
    )  # fmt: skip
