"""Large data sets are judged by samples, and that is said."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.inspection.kinds import kind_module
from pipelines.inspection.kinds.wrong_labels import deal_pictures, draw_by_class, held_out_scores
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


@UNTIMED
@given(
    counts=st.lists(st.integers(1, 40), min_size=1, max_size=4),
    folds=st.integers(2, 6),
    copies=st.integers(0, 10),
    seed=st.integers(0, 9),
)
def test_pictures_are_dealt_whole_and_evenly_whatever_their_order(counts, folds, copies, seed):
    rng = np.random.default_rng(seed)
    labels = np.repeat(range(len(counts)), counts)
    pictures = rng.permutation(len(labels))
    again = rng.integers(0, len(labels), copies)  # copies, under the labels of the originals
    labels, pictures = (np.concatenate([values, values[again]]) for values in (labels, pictures))
    digests = [bytes(rng.bytes(32)) for _ in labels]
    settings = InspectionSettings(folds=folds, seed=seed)
    parts = deal_pictures(digests, pictures, labels, settings)
    for picture in range(len(labels) - copies):
        assert len(set(parts[pictures == picture])) == 1
    for label, count in enumerate(counts):
        sizes = np.bincount(parts[: len(labels) - copies][labels[: len(labels) - copies] == label],
                            minlength=folds)  # fmt: skip
        assert len(sizes) == folds
        assert sizes.max() - sizes.min() <= 1
        assert sizes.sum() == count
    mixed = rng.permutation(len(labels))
    shuffled = deal_pictures([digests[k] for k in mixed], pictures[mixed], labels[mixed], settings)
    assert (shuffled == parts[mixed]).all()


def test_images_stay_in_their_part_when_others_are_added():
    rng = np.random.default_rng(0)
    digests = [bytes(rng.bytes(32)) for _ in range(510)]
    labels = np.arange(510) % 2
    settings = InspectionSettings()
    before = deal_pictures(digests[:500], np.arange(500), labels[:500], settings)
    after = deal_pictures(digests, np.arange(510), labels, settings)[:500]
    assert (before != after).sum() <= 20


def test_all_images_are_judged_by_models_of_some():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], [300, 300, 30])
    features = rng.normal(size=(630, 4)) + 6 * np.eye(3, 4)[labels]
    parts = np.arange(630) % 5
    scores = held_out_scores(features, labels, parts, InspectionSettings(learn_from=100, few=10))
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
