"""Calibration against hand-worked cases and a slow double of the definition."""

from __future__ import annotations

import numpy as np
import pytest

from lab_models.calibration import expected_calibration_error, reliability_table
from tests.lab_models.fake_run import make_scores
from tflite.runtime.errors import LabError


def slow_error(truth, scores, bins):
    confidence, right = scores.max(axis=1), scores.argmax(axis=1) == truth
    total = 0.0
    for number in range(bins):
        inside = (confidence > number / bins) & (confidence <= (number + 1) / bins)
        if inside.any():
            total += inside.sum() * abs(right[inside].mean() - confidence[inside].mean())
    return total / len(truth)


@pytest.mark.parametrize("bins", [1, 2, 10, 15])
def test_error_agrees_with_the_definition(bins):
    generator = np.random.default_rng(bins)
    truth = generator.integers(0, 4, 300)
    scores = make_scores(truth, 4, generator)
    assert expected_calibration_error(truth, scores, bins) == pytest.approx(
        slow_error(truth, scores, bins)
    )


def test_a_sure_model_that_is_half_right_errs_by_a_half():
    scores = np.tile([1.0, 0.0], (4, 1))
    assert expected_calibration_error(np.array([0, 0, 1, 1]), scores) == pytest.approx(0.5)


def test_empty_bins_hold_nothing():
    table = reliability_table(np.array([0]), np.array([[0.95, 0.05]]), 10)
    assert table["count"].tolist() == [0] * 9 + [1]
    assert table["accuracy"].isna().tolist() == [True] * 9 + [False]


def test_at_least_one_bin_is_needed():
    with pytest.raises(LabError, match="at least 1 bin"):
        reliability_table(np.array([0]), np.array([[1.0, 0.0]]), 0)
