from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import ManifestError
from pipelines.inspection.confident_learning import find_label_issues


@given(st.integers(0, 2**32 - 1), st.integers(2, 5), st.integers(1, 40))
def test_every_image_of_another_highest_score_is_ranked_by_its_lead(seed, classes, more):
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(classes), rng.integers(0, classes, more)])
    scores = rng.dirichlet(np.full(classes, 0.5), len(labels))
    issues = find_label_issues(labels, scores)
    own = scores[issues.rows, labels[issues.rows]]
    assert (issues.suggested != labels[issues.rows]).all()
    assert issues.margins == pytest.approx(scores[issues.rows, issues.suggested] - own)
    assert (np.diff(issues.margins) <= 0).all()
    led = set(np.flatnonzero(scores.argmax(axis=1) != labels))
    assert led <= set(issues.rows)
    assert set(issues.rows[~issues.confident]) <= led


def test_the_confident_joint_by_hand():
    """The thresholds are 0.8 and 0.52: image 3 reaches that of class 0, image 4 reaches none."""
    labels = np.array([0, 0, 1, 1, 1])
    scores = np.array([[0.9, 0.1], [0.7, 0.3], [0.0, 1.0], [0.85, 0.15], [0.6, 0.4]])
    issues = find_label_issues(labels, scores)
    assert issues.rows.tolist() == [3, 4]
    assert issues.confident.tolist() == [True, False]


def test_finds_the_planted_label():
    labels = np.array([0] * 10 + [1] * 10)
    scores = np.where(np.arange(20)[:, None] // 10 == [0, 1], 0.9, 0.1)
    labels[3] = 1
    issues = find_label_issues(labels, scores)
    assert issues.rows.tolist() == [3]
    assert issues.suggested.tolist() == [0]
    assert issues.margins == pytest.approx([0.8])


@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        ([0, 1], [[1.0, 0.0]], "as many labels"),
        ([0, 0], [[1.0, 0.0], [1.0, 0.0]], "Every class"),
        ([0, 1], [[1.0, 0.0], [np.nan, 0.0]], "finite"),
    ],
)
def test_refuses_what_does_not_fit(labels, scores, message):
    with pytest.raises(ManifestError, match=message):
        find_label_issues(np.array(labels), np.array(scores))
