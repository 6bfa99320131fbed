from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.class_weights import SCHEMES, class_weights
from tests.pipelines.untimed import UNTIMED
from tflite.runtime.errors import LabError

counts = st.lists(st.integers(1, 100_000), min_size=1, max_size=25)
betas = st.floats(0, 0.999999)


@pytest.mark.parametrize("scheme", SCHEMES)
@UNTIMED
@given(counts=counts, beta=betas)
def test_the_mean_over_images_is_one(scheme, counts, beta):
    weights = class_weights(counts, scheme, beta)
    assert weights.dtype == np.float32
    assert weights.shape == (len(counts),)
    assert np.average(weights, weights=counts) == pytest.approx(1, rel=1e-5)


@pytest.mark.parametrize("scheme", SCHEMES)
@UNTIMED
@given(counts=counts, beta=betas)
def test_a_rarer_class_never_weighs_less(scheme, counts, beta):
    weights = class_weights(counts, scheme, beta)
    assert (np.diff(weights[np.argsort(counts)]) <= 1e-6 * weights.max()).all()


@UNTIMED
@given(counts=counts)
def test_balanced_gives_every_class_the_same_part(counts):
    parts = class_weights(counts, "balanced") * np.array(counts)
    assert parts == pytest.approx(np.full(len(counts), parts[0]), rel=1e-5)


@UNTIMED
@given(counts=counts)
def test_effective_lies_between_its_two_limits(counts):
    assert class_weights(counts, "effective", 0.0) == pytest.approx(class_weights(counts, "none"))
    near_one = class_weights(counts, "effective", 1 - 1e-12)
    assert near_one == pytest.approx(class_weights(counts, "balanced"), rel=1e-3)


def test_effective_is_the_equation_of_the_paper():
    numbers, beta = np.array([10.0, 1000.0]), 0.99
    effective = (1 - beta**numbers) / (1 - beta)
    expected = (1 / effective) / np.average(1 / effective, weights=numbers)
    assert class_weights([10, 1000], "effective", beta) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1, 2], "inverse"), "knows none, balanced, effective, got 'inverse'"),
        (([1, 0], "balanced"), "at least one image of every class.* got .1, 0."),
        (([], "balanced"), "at least one image"),
        (([1.5, 2], "none"), "whole number"),
        (([1, 2], "effective", 1.0), "beta must be from 0 to below 1, got 1.0"),
    ],
)
def test_refuses(arguments, message):
    with pytest.raises(LabError, match=message):
        class_weights(*arguments)
