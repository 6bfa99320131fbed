"""Intervals against published values, brute force and their own definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from lab_models.intervals import (
    bootstrap_confusions,
    bootstrap_groups,
    percentile_interval,
    wilson_interval,
)
from tflite.runtime.errors import LabError


@settings(deadline=None)
@given(st.integers(1, 500), st.floats(0.5, 0.999), st.data())
def test_wilson_agrees_with_scipy(count, confidence, data):
    right = data.draw(st.integers(0, count))
    low, high = wilson_interval(right, count, confidence)
    expected = binomtest(right, count).proportion_ci(confidence, "wilson")
    assert low == pytest.approx(expected.low, abs=1e-9)
    assert high == pytest.approx(expected.high, abs=1e-9)


def test_wilson_keeps_a_width_where_all_are_right():
    low, high = wilson_interval(20, 20)
    assert float(low) == pytest.approx(0.8389, abs=1e-4)
    assert float(high) == pytest.approx(1.0)


def test_wilson_without_images_says_nothing():
    low, high = wilson_interval(np.array([0, 3]), np.array([0, 6]))
    assert np.isnan([low[0], high[0]]).all()
    assert np.isfinite([low[1], high[1]]).all()


@pytest.mark.parametrize("confidence", [0, 1, -0.1, 95])
def test_confidence_must_be_a_fraction(confidence):
    with pytest.raises(LabError, match="between 0 and 1"):
        wilson_interval(1, 2, confidence)
    with pytest.raises(LabError, match="between 0 and 1"):
        percentile_interval(np.zeros((3, 2)), confidence)


def test_bootstrap_keeps_the_images_of_every_class_and_repeats_with_the_seed():
    confusion = np.array([[8, 2, 0], [0, 0, 0], [1, 1, 5]])
    samples = bootstrap_confusions(confusion, 200, seed=3)
    assert (samples.sum(axis=2) == confusion.sum(axis=1)).all()
    assert (samples[:, confusion == 0] == 0).all()
    assert (samples == bootstrap_confusions(confusion, 200, seed=3)).all()
    assert (samples != bootstrap_confusions(confusion, 200, seed=4)).any()


def test_bootstrap_of_counts_is_the_bootstrap_of_images():
    """The spread of recall equals that of resampling image by image."""
    confusion = np.array([[30, 10], [5, 15]])
    quick = bootstrap_confusions(confusion, 4000, seed=0)[:, 0, 0]
    generator = np.random.default_rng(1)
    images = np.repeat([1, 0], [30, 10])
    slow = generator.choice(images, (4000, 40)).sum(axis=1)
    assert quick.mean() == pytest.approx(slow.mean(), abs=0.3)
    assert quick.std() == pytest.approx(slow.std(), rel=0.1)


def test_groups_are_drawn_whole():
    counts = np.array([[10, 10], [0, 10]])
    drawn = bootstrap_groups(counts, 500, seed=0)
    assert set(map(tuple, drawn.tolist())) == {(20, 20), (10, 20), (0, 20)}


def test_percentiles_leave_nan_out():
    samples = np.array([[1.0, math.nan], [2.0, math.nan], [math.nan, math.nan], [3.0, math.nan]])
    low, high = percentile_interval(samples, 0.5)
    assert (low[0], high[0]) == (1.5, 2.5)
    assert np.isnan([low[1], high[1]]).all()


def test_bad_requests_are_refused():
    with pytest.raises(LabError, match="at least 1 draw"):
        bootstrap_confusions(np.eye(2, dtype=int), 0, 0)
    with pytest.raises(LabError, match="square"):
        bootstrap_confusions(np.ones((2, 3), int), 5, 0)
    with pytest.raises(LabError, match="1 group"):
        bootstrap_groups(np.zeros((0, 2), int), 5, 0)
