from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import ManifestError
from pipelines.inspection.confident_learning import find_label_issues


def by_loops(labels, scores):
    """The definition, image by image."""
    thresholds = [
        np.mean([scores[i][k] for i in range(len(labels)) if labels[i] == k])
        for k in range(len(scores[0]))
    ]
    found = {}
    for i, given_label in enumerate(labels):
        reached = [k for k, t in enumerate(thresholds) if scores[i][k] >= t]
        best = max(reached or range(len(thresholds)), key=lambda k: scores[i][k])
        if best != given_label and scores[i][best] > scores[i][given_label]:
            found[i] = (best, scores[i][best] - scores[i][given_label])
    return found


@given(st.integers(0, 2**32 - 1), st.integers(2, 5), st.integers(1, 40))
def test_equals_the_definition(seed, classes, more):
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(classes), rng.integers(0, classes, more)])
    scores = rng.dirichlet(np.full(classes, 0.5), len(labels))
    issues = find_label_issues(labels, scores)
    wanted = by_loops(labels, scores)
    found = zip(issues.rows.tolist(), zip(issues.suggested.tolist(), issues.margins.tolist()))
    assert {i: (k, pytest.approx(m)) for i, (k, m) in wanted.items()} == dict(found)
    assert (np.diff(issues.margins) <= 0).all()


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
