"""Figures against scikit-learn, hand-worked cases and brute force."""

from __future__ import annotations

import json
import math
import warnings

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lab_models.metrics import (
    MetricSettings,
    compute_metrics,
    confusion_matrix,
    cross_entropy,
    lymphocyte_confusion,
    mcc_of_confusion,
    normalise_rows,
    precision_at,
    roc_auc,
    scores_of_confusion,
    too_few,
)
from pipelines.labels import HAL_CLASSES, LYMPHOCYTE_CLASSES, PBC_CLASSES
from tests.lab_models.fake_run import make_scores
from tflite.runtime.errors import LabError

ABC = ("a", "b", "c")


def make_case(seed=0, classes=5, images=200):
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, classes, images)
    return truth, make_scores(truth, classes, generator)


@pytest.mark.parametrize("seed", range(5))
def test_figures_agree_with_scikit_learn(seed):
    truth, scores = make_case(seed)
    answers = scores.argmax(axis=1)
    names = tuple("abcde")
    metrics = compute_metrics(truth, scores, names)
    precision, recall, f1, support = sklearn.metrics.precision_recall_fscore_support(
        truth, answers, labels=range(5), zero_division=0
    )
    table = metrics.per_class
    for name, expected in (("precision", precision), ("recall", recall), ("f1", f1)):
        np.testing.assert_allclose(table[name], expected)
    assert (table["support"] == support).all()
    assert metrics.accuracy.value == pytest.approx((answers == truth).mean())
    assert metrics.macro_f1.value == pytest.approx(f1.mean())
    assert metrics.macro_recall == pytest.approx(
        sklearn.metrics.balanced_accuracy_score(truth, answers)
    )
    assert metrics.mcc.value == pytest.approx(sklearn.metrics.matthews_corrcoef(truth, answers))
    assert metrics.cross_entropy == pytest.approx(sklearn.metrics.log_loss(truth, scores))
    assert metrics.roc_auc == pytest.approx(
        sklearn.metrics.roc_auc_score(truth, scores, multi_class="ovr", average="macro")
    )
    expected = sklearn.metrics.confusion_matrix(truth, answers)
    np.testing.assert_array_equal(metrics.confusion, expected)


@given(hnp.arrays(np.int64, (4, 4), elements=st.integers(0, 30)))
@settings(deadline=None)
def test_confusion_figures_agree_with_scikit_learn(confusion):
    if not confusion.sum():
        return
    truth, answers = (np.repeat(axis.ravel(), confusion.ravel()) for axis in np.indices((4, 4)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of scikit-learn, about single labels
        expected = sklearn.metrics.precision_recall_fscore_support(
            truth, answers, labels=range(4), zero_division=0
        )
        mcc = sklearn.metrics.matthews_corrcoef(truth, answers)
    there = confusion.sum(axis=1) > 0
    for own, theirs in zip(scores_of_confusion(confusion), expected):
        np.testing.assert_allclose(own[there], theirs[there])
        assert np.isnan(own[~there]).all()
    assert mcc_of_confusion(confusion) == pytest.approx(mcc, abs=1e-9)


def test_stacked_matrices_give_what_single_ones_give():
    stack = np.random.default_rng(0).integers(0, 9, (6, 3, 3))
    for together, single in zip(scores_of_confusion(stack), zip(*map(scores_of_confusion, stack))):
        np.testing.assert_allclose(together, single)
    np.testing.assert_allclose(mcc_of_confusion(stack), [mcc_of_confusion(m) for m in stack])


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_every_estimate_lies_in_its_interval(seed):
    truth, scores = make_case(seed, images=120)
    metrics = compute_metrics(truth, scores, tuple("abcde"), MetricSettings(bootstrap_draws=200))
    assert metrics.accuracy.low <= metrics.accuracy.value <= metrics.accuracy.high
    table = metrics.present
    assert (table["recall_low"] <= table["recall"]).all()
    assert (table["recall"] <= table["recall_high"]).all()
    assert metrics.macro_f1.low <= metrics.macro_f1.high


def slow_precision_at(truth, scores, count):
    found = []
    for number in range(scores.shape[1]):
        order = sorted(range(len(truth)), key=lambda row: (-scores[row, number], row))[:count]
        hits = sum(truth[row] == number for row in order)
        found.append(hits / len(order) if (truth == number).any() else math.nan)
    return found


@pytest.mark.parametrize("count", [1, 5, 100, 1000])
def test_precision_at_agrees_with_sorting_by_hand(count):
    truth, scores = make_case(7)
    truth[truth == 3] = 2  # class 3 is absent
    np.testing.assert_allclose(
        precision_at(truth, scores, count), slow_precision_at(truth, scores, count)
    )


def test_precision_at_of_a_rare_class_stays_below_one():
    truth = np.array([0, 0, 1, 1, 1])
    scores = np.eye(2)[truth]
    np.testing.assert_allclose(precision_at(truth, scores, 3), [2 / 3, 1.0])
    with pytest.raises(LabError, match="at least 1"):
        precision_at(truth, scores, 0)


def test_cross_entropy_of_a_sure_mistake_is_finite():
    scores = np.array([[1.0, 0.0]])
    assert cross_entropy(np.array([1]), scores) == pytest.approx(-math.log(1e-7))


def test_absent_classes_are_said_to_be_absent_without_warnings():
    truth = np.array([0, 0, 2, 2])
    scores = np.array([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.1, 0.1, 0.8], [0.1, 0.2, 0.7]])
    metrics = compute_metrics(truth, scores, ABC)
    row = metrics.per_class.iloc[1]
    assert row["why"] == "not in this data"
    assert np.isnan(row[["precision", "recall", "f1", "recall_low", "roc_auc"]].tolist()).all()
    assert metrics.macro_recall == pytest.approx(0.75)
    assert list(metrics.present["label"]) == ["a", "c"]


def test_a_single_class_is_possible():
    metrics = compute_metrics(np.zeros(4, int), np.tile([0.9, 0.1], (4, 1)), ("a", "b"))
    assert metrics.accuracy.value == 1
    assert math.isnan(metrics.roc_auc)
    assert metrics.mcc.value == 0


def test_everything_becomes_plain_json():
    truth, scores = make_case(1, classes=3)
    truth[truth == 1] = 0
    metrics = compute_metrics(truth, scores, ABC)
    values = metrics.to_dict()
    assert json.loads(json.dumps(values, allow_nan=False)) == values
    assert values["classes"][1]["recall"] is None
    assert values["mean_precision_at"].keys() == {"5", "100"}


def test_too_few_names_its_reason():
    settings = MetricSettings(minimum_images=30, maximum_width=0.2)
    assert too_few(0, math.nan, settings) == "not in this data"
    assert too_few(29, 0.01, settings) == "fewer than 30 images"
    assert too_few(30, 0.25, settings) == "interval wider than 0.2"
    assert too_few(30, 0.2, settings) == ""


def test_slides_widen_the_interval_when_they_err_together():
    generator = np.random.default_rng(0)
    slides = np.repeat([f"s{n}" for n in range(8)], 50)
    truth = np.zeros(400, int)
    right = np.isin(slides, ["s0", "s1"], invert=True) | (generator.random(400) < 0.2)
    scores = np.where(right[:, None], [0.9, 0.1], [0.1, 0.9])
    metrics = compute_metrics(truth, scores, ("a", "b"), slides=slides)
    over_slides = metrics.accuracy_over_slides
    assert over_slides.value == metrics.accuracy.value
    assert over_slides.high - over_slides.low > 3 * (metrics.accuracy.high - metrics.accuracy.low)


@pytest.mark.parametrize("slides", [["s"] * 4, ["", "a", "b", "c"], None])
def test_no_interval_over_slides_where_they_are_few_or_unknown(slides):
    truth, scores = np.array([0, 1, 0, 1]), np.eye(2)[[0, 1, 1, 1]]
    found = compute_metrics(
        truth, scores, ("a", "b"), slides=None if slides is None else np.array(slides)
    )
    assert found.accuracy_over_slides is None


def test_lymphocytes_keep_their_counts():
    truth, scores = make_case(2, classes=20, images=500)
    confusion = confusion_matrix(truth, scores.argmax(axis=1), 20)
    matrix, names = lymphocyte_confusion(confusion, HAL_CLASSES)
    assert names == (*LYMPHOCYTE_CLASSES, "other")
    assert matrix.sum() == 500
    for row, first in enumerate(LYMPHOCYTE_CLASSES):
        for column, second in enumerate(LYMPHOCYTE_CLASSES):
            places = HAL_CLASSES.index(first), HAL_CLASSES.index(second)
            assert matrix[row, column] == confusion[places]
        rest = [HAL_CLASSES.index(c) for c in HAL_CLASSES if c not in LYMPHOCYTE_CLASSES]
        assert matrix[row, 4] == confusion[HAL_CLASSES.index(first), rest].sum()
    assert lymphocyte_confusion(np.zeros((8, 8), int), PBC_CLASSES) is None


def test_rows_add_up_to_one_or_are_nan():
    shares = normalise_rows(np.array([[3, 1], [0, 0]]))
    np.testing.assert_allclose(shares[0], [0.75, 0.25])
    assert np.isnan(shares[1]).all()


def test_area_is_half_for_scores_that_know_nothing():
    truth = np.array([0, 1, 0, 1])
    np.testing.assert_allclose(roc_auc(truth, np.full((4, 2), 0.5)), [0.5, 0.5])


@pytest.mark.parametrize(
    ("truth", "scores", "match"),
    [
        (np.array([0]), np.ones((2, 3)) / 3, "Expected truth"),
        (np.array([0]), np.ones((1, 2)) / 2, "Expected truth"),
        (np.zeros(0, int), np.ones((0, 3)), "no image"),
        (np.array([3]), np.ones((1, 3)) / 3, r"0\.\.2"),
        (np.array([-1]), np.ones((1, 3)) / 3, r"0\.\.2"),
    ],
)
def test_what_does_not_fit_is_refused(truth, scores, match):
    with pytest.raises(LabError, match=match):
        compute_metrics(truth, scores, ABC)
