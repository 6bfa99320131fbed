"""Large data sets are judged by samples, and that is said."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.inspection.kinds import kind_module
from pipelines.inspection.kinds.wrong_labels import draw_by_class, held_out_scores
from pipelines.inspection.settings import InspectionSettings
from tests.pipelines.untimed import UNTIMED


@UNTIMED
@given(
    counts=st.lists(st.integers(1, 60), min_size=1, max_size=6),
    most=st.integers(1, 200),
    few=st.integers(0, 10),
)
def test_classes_are_drawn_in_their_shares_and_rare_ones_kept(counts, most, few):
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.repeat(range(len(counts)), counts))
    rows = draw_by_class(labels, most, few, rng)
    assert rows.tolist() == sorted(set(rows.tolist()))
    if len(labels) <= most:
        assert len(rows) == len(labels)
        return
    drawn = np.bincount(labels[rows], minlength=len(counts))
    share = np.array(counts) * most // len(labels)
    assert drawn.tolist() == np.maximum(share, np.minimum(few, counts)).tolist()


def test_all_images_are_judged_by_models_of_some():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], [300, 300, 30])
    features = rng.normal(size=(630, 4)) + 6 * np.eye(3, 4)[labels]
    scores = held_out_scores(
        features, labels, np.arange(630), InspectionSettings(learn_from=100, few=10)
    )
    assert scores.shape == (630, 3)
    assert np.allclose(scores.sum(axis=1), 1)
    assert (scores.argmax(axis=1) == labels).mean() > 0.98


@pytest.mark.parametrize(
    ("kind", "few", "words"),
    [
        ("unlike_others", {"reference": 50}, "among 50 drawn at random (setting reference)"),
        ("wrong_labels", {"learn_from": 100, "few": 3}, "learned from 100 images"),
    ],
)
def test_samples_are_told_and_only_then(inspected, kind, few, words):
    inspection = inspected[2]
    module = kind_module(kind)
    manifest, measurements = inspection.manifest, inspection.measurements
    assert words in module.sampled(manifest, measurements, InspectionSettings(**few))
    assert module.sampled(manifest, measurements, InspectionSettings()) == ""
    assert inspection.notes == ()
