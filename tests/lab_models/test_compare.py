"""Runs side by side."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from lab_models.compare import CompareSettings, compare_runs, mcnemar
from lab_models.report.comparison import comparison_page, comparison_text
from lab_models.runs import write_json
from tests.lab_models.fake_run import make_fake_run, make_scores
from tflite.runtime.errors import LabError

ABC = ("a", "b", "c")


def two_runs(tmp_path, classes=ABC):
    return [
        make_fake_run(tmp_path / f"recipe{n}" / "now", classes, per_class=30, seed=n)
        for n in range(2)
    ]


def right(only_first, only_second, both):
    first = np.repeat([True, False, True], [only_first, only_second, both])
    second = np.repeat([False, True, True], [only_first, only_second, both])
    return first, second


def test_mcnemar_of_few_images_is_exact():
    test = mcnemar(*right(3, 11, 100))
    assert test.exact
    assert test.p_value == pytest.approx(binomtest(3, 14).pvalue)
    assert (test.only_first, test.only_second) == (3, 11)
    assert test.difference.value == pytest.approx(8 / 114)
    assert test.difference.low < test.difference.value < test.difference.high


def test_mcnemar_of_many_images_is_the_published_example():
    """Counts 121 and 59 (Agresti, Categorical Data Analysis): chi-square 20.67 corrected."""
    test = mcnemar(*right(121, 59, 134))
    assert not test.exact
    assert test.p_value == pytest.approx(5.45e-6, rel=0.01)


def test_both_kinds_of_test_agree_where_they_meet():
    exact = mcnemar(*right(40, 60, 400), exact_below=1000)
    rough = mcnemar(*right(40, 60, 400))
    assert exact.p_value == pytest.approx(rough.p_value, abs=0.003)


def test_models_that_agree_show_no_difference():
    test = mcnemar(*right(0, 0, 10))
    assert test.p_value == 1
    assert test.difference.value == 0
    assert mcnemar(*right(30, 30, 10)).p_value == 1
    with pytest.raises(LabError, match="same images"):
        mcnemar(np.ones(3, bool), np.ones(4, bool))


def test_runs_are_compared_on_their_test_images(tmp_path):
    runs = two_runs(tmp_path)
    comparison = compare_runs(runs)
    tables = [pd.read_csv(run.predictions) for run in runs]
    tests = [table[table["split"] == "test"] for table in tables]
    assert comparison.split == "test"
    assert comparison.images == len(tests[0])
    hits = [(t["label"] == t["predicted"]).to_numpy() for t in tests]
    assert comparison.tests[0].only_first == (hits[0] & ~hits[1]).sum()
    assert [m.accuracy.value for m in comparison.metrics] == [h.mean() for h in hits]


def test_images_are_matched_by_path_and_the_rest_is_counted(tmp_path):
    runs = two_runs(tmp_path)
    whole = compare_runs(runs)
    table = pd.read_csv(runs[1].predictions)
    shuffled = table.sample(frac=1, random_state=0)
    shuffled.to_csv(runs[1].predictions, index=False)
    again = compare_runs(runs)
    assert again.tests == whole.tests
    shuffled[shuffled["index"] % 3 > 0].to_csv(runs[1].predictions, index=False)
    part = compare_runs(runs)
    assert part.images < whole.images
    assert part.left_out == (whole.images - part.images, 0)


def test_packed_images_are_matched_by_their_names_before_packing(tmp_path):
    runs = two_runs(tmp_path)
    whole = compare_runs(runs)
    for file in (runs[1].predictions, runs[1].manifest):
        table = pd.read_csv(file)
        packed = [f"shard#bytes={len(path)},{n}" for n, path in enumerate(table["path"])]
        if file == runs[1].predictions:
            renamed = dict(zip(table["path"], packed))
        names = [renamed.get(path, f"train/{path}") for path in table["path"]]
        table.assign(packed_from=table["path"], path=names).to_csv(file, index=False)
    packed = compare_runs(runs)
    assert (packed.images, packed.left_out, packed.tests) == (whole.images, (0, 0), whole.tests)


def test_another_order_of_classes_changes_nothing(tmp_path):
    runs = two_runs(tmp_path)
    before = compare_runs(runs)
    contract = {"classes": list(reversed(ABC)), "input": runs[1].contract.to_dict()}
    write_json(runs[1].contract_json, contract)
    after = compare_runs(runs)
    assert [m.accuracy for m in after.metrics] == [m.accuracy for m in before.metrics]
    np.testing.assert_array_equal(after.metrics[1].confusion, before.metrics[1].confusion)


def test_three_runs_are_tested_against_the_first(tmp_path):
    first, second = two_runs(tmp_path)
    comparison = compare_runs([first, second, first], CompareSettings(split="validation"))
    assert comparison.split == "validation"
    assert len(comparison.tests) == 2
    assert comparison.tests[1].p_value == 1
    assert len(set(comparison.names)) == 3
    assert "2 tests were made" in comparison_text(comparison)


def without_common_images(runs):
    table = pd.read_csv(runs[1].predictions)
    table["path"] = "other/" + table["path"]
    table.to_csv(runs[1].predictions, index=False)


def with_other_labels(runs):
    table = pd.read_csv(runs[1].predictions)
    table["label"] = table["label"].replace({"a": "b"})
    table.to_csv(runs[1].predictions, index=False)


def with_paths_twice(runs):
    table = pd.read_csv(runs[1].predictions)
    pd.concat([table, table]).to_csv(runs[1].predictions, index=False)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (without_common_images, "share no predicted image"),
        (with_other_labels, "shared images differently"),
        (with_paths_twice, "more than once"),
        (lambda runs: runs.pop(), "at least two"),
        (lambda runs: runs[1].predictions.unlink(), "has no predictions.csv"),
    ],
)
def test_what_cannot_be_compared_is_said_clearly(tmp_path, change, match):
    runs = two_runs(tmp_path)
    change(runs)
    with pytest.raises(LabError, match=match):
        compare_runs(runs)


def test_runs_of_other_classes_are_not_compared(tmp_path):
    runs = [
        make_fake_run(tmp_path / "x" / "1", ABC, per_class=4),
        make_fake_run(tmp_path / "x" / "2", ("a", "b", "z"), per_class=4),
    ]
    with pytest.raises(LabError, match=r"different classes \(c, z\)"):
        compare_runs(runs)


def test_text_and_page_show_the_figures(tmp_path):
    comparison = compare_runs(two_runs(tmp_path))
    text, page = comparison_text(comparison), comparison_page(comparison)
    for name in comparison.names:
        assert name in text
        assert name in page
    accuracy = f"{100 * comparison.metrics[1].accuracy.value:.2f}"
    assert accuracy in text
    assert accuracy in page
    assert "McNemar p =" in text


def test_a_clear_difference_is_called_one(tmp_path):
    runs = two_runs(tmp_path)
    table = pd.read_csv(runs[1].predictions)
    truth = table["label"].map({n: i for i, n in enumerate(ABC)}).to_numpy()
    scores = make_scores(truth, 3, np.random.default_rng(0), strength=-3.0)
    table[[f"score:{n}" for n in ABC]] = scores
    table["predicted"] = np.array(ABC)[scores.argmax(axis=1)]
    table.to_csv(runs[1].predictions, index=False)
    comparison = compare_runs(runs)
    assert "recipe0/now is better" in comparison_text(comparison)
    better = dataclasses.replace(comparison.tests[0], p_value=0.5)
    chance = dataclasses.replace(comparison, tests=(better,))
    assert "may well be chance" in comparison_text(chance)
