"""The study's figures beside ours: tables, sentences, page."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from lab_models.metrics import Estimate, MetricSettings
from lab_models.recipes import list_recipes
from lab_models.report.study_comparison import (
    cautions,
    comparison_page,
    comparison_text,
    figure_table,
    findings,
    run_table,
    spread,
)
from lab_models.runs import read_json, write_json
from lab_models.study_figures import HAIRY_CELLS, STUDY_FIGURES
from lab_models.study_results import put_together, read_study_run
from lab_models.study_settings import StudyComparisonSettings
from tests.lab_models.fake_run import make_fake_run
from tflite.runtime.errors import LabError

METRICS = MetricSettings(bootstrap_draws=20)
DURATIONS = {"training_seconds": 61.0}
RECIPES = ("hal_r", "hal_t3002")


def make_comparison(
    folder, seeds=(0, 1), splits=("validation", "test"), weights="random", subsets=""
):
    settings = StudyComparisonSettings(recipes=RECIPES, seeds=seeds, metrics=METRICS)
    runs = []
    for number, name in enumerate(RECIPES):
        for seed in seeds:
            run = make_fake_run(
                folder / name / str(seed), per_class=20, splits=splits, seed=10 * number + seed
            )
            write_json(run.recipe_json, {**read_json(run.recipe_json), "weights": weights})
            added = {"split_statement": "No slide is shared.", "durations": DURATIONS}
            write_json(run.environment, {**read_json(run.environment), **added})
            if subsets:
                manifest = pd.read_csv(run.manifest)
                letters = np.resize(list(subsets), len(manifest))
                manifest.assign(subset=letters).to_csv(run.manifest, index=False)
            runs.append(read_study_run(name, seed, run, settings, False))
    return put_together(runs, settings)


@pytest.fixture(scope="module")
def comparison(tmp_path_factory):
    return make_comparison(tmp_path_factory.mktemp("runs"))


def test_every_study_figure_has_a_recipe_name():
    assert set(list_recipes()) & set(STUDY_FIGURES) >= set(RECIPES)
    for figures in STUDY_FIGURES.values():
        assert 0 < figures.test_accuracy < 1
        assert figures.hairy_right is None or figures.hairy_right <= HAIRY_CELLS


def test_one_value_stands_alone_and_several_have_a_spread():
    assert spread([0.5], str) == "0.5"
    assert spread([1.0, 3.0], "{:.2f}".format) == "2.00 ± 1.41"
    assert spread([], str) == "–"


def test_figures_are_those_of_the_runs(comparison):
    head, rows = figure_table(comparison)
    assert head[1:] == ["HAL-R, study", "HAL-R, here", "HAL-T3002, study", "HAL-T3002, here"]
    table = {row[0]: [cell.replace("\xa0", " ") for cell in row[1:]] for row in rows}
    values = [run.metrics["test"].accuracy.value for run in comparison.of("hal_t3002")]
    here = f"{100 * np.mean(values):.2f} % ± {100 * np.std(values, ddof=1):.2f} %"
    assert table["test accuracy"] == ["7.62 %", table["test accuracy"][1], "88.21 %", here]
    assert table["hairy cells right (test)"][2] == "1440 of 1453"
    focus = comparison.of("hal_t3002")[0].focus("test")
    predictions = comparison.of("hal_t3002")[0].metrics["test"]
    assert focus.images == predictions.per_class.set_index("label")["support"]["hairy_cell"]
    assert table["hairy cells right (test)"][3].endswith(f"of {focus.images}")
    assert table["training time"] == ["–", "1 min 1 s ± 0.0 s", "–", "1 min 1 s ± 0.0 s"]


def test_without_test_images_the_validation_part_is_compared(tmp_path):
    comparison = make_comparison(tmp_path, (0,), ("validation",), "imagenet")
    _, rows = figure_table(comparison)
    table = {row[0]: row[1:] for row in rows}
    assert "interval (test)" not in table
    assert table["test accuracy"][1] == "–"
    # The study counted hairy cells among its test images only.
    assert table["hairy cells right (validation)"][2] == "–"
    assert not any("started from random weights" in words for words in cautions(comparison))
    assert any("--seeds 0 1 2" in words for words in cautions(comparison))


def test_sentences_say_what_the_tests_found(comparison):
    words = findings(comparison)
    points = [100 * test.test.difference.value for test in comparison.tests]
    assert f"HAL-T3002 against HAL-R: {np.mean(points):+.2f} percentage points" in words[0]
    assert words[1].startswith("Seed 0: HAL-T3002 against HAL-R")
    assert words[-1].startswith("2 tests were made")


def test_a_difference_in_all_seeds_is_counted(comparison):
    tests = tuple(
        dataclasses.replace(t, test=dataclasses.replace(t.test, difference=Estimate(0.01, 0, 0.02)))
        for t in comparison.tests
    )
    changed = dataclasses.replace(comparison, tests=tests)
    assert "better with 2 of them" in findings(changed)[0]


def test_text_and_page_hold_every_training(comparison):
    head, rows = run_table(comparison)
    assert {len(row) for row in rows} == {len(head)}
    assert [row[0] for row in rows][:2] == ["HAL-R, seed 0", "HAL-R, seed 1"]
    page, text = comparison_page(comparison), comparison_text(comparison)
    assert "Lund 2022" in text
    assert "Lund 2022" in page
    assert page.count("<tr") >= len(rows) + len(figure_table(comparison)[1])
    assert "\xa0" not in text


def test_figures_are_of_the_sets_that_the_study_tested_on(tmp_path, comparison):
    chosen = make_comparison(tmp_path, (0,), subsets="ABCD")
    every = comparison.runs[0]
    for split in ("test", "validation"):
        rows = every.parts[split].table["index"].to_numpy()
        kept = np.isin(np.resize(list("ABCD"), rows.max() + 1)[rows], ["A", "B"])
        assert list(chosen.runs[0].parts[split].table["index"]) == list(rows[kept])
        assert chosen.runs[0].metrics[split].count == kept.sum()
    assert "which the study tested on" in cautions(chosen)[0]
    assert "which the study tested on" not in cautions(comparison)[0]


def test_runs_with_other_images_are_not_compared(comparison):
    first, second = comparison.of("hal_r")[0], comparison.of("hal_t3002")[0]
    table = second.parts["test"].table
    moved = dataclasses.replace(
        second.parts["test"], table=table.assign(path=table["path"].iloc[::-1].to_numpy())
    )
    other = dataclasses.replace(second, parts={**second.parts, "test": moved})
    settings = dataclasses.replace(comparison.settings, seeds=(0,))
    with pytest.raises(LabError, match="different images"):
        put_together([first, other], settings)
