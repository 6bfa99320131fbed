"""Exact search and the k-nearest-neighbour rule, against reference implementations."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab_models.neighbours import NeighbourSettings, nearest, vote
from tflite.runtime.errors import LabError


def unit_rows(count, size, seed):
    values = np.random.default_rng(seed).normal(size=(count, size)).astype(np.float32)
    return values / np.linalg.norm(values, axis=1, keepdims=True)


@given(
    images=st.integers(1, 9),
    cells=st.integers(1, 60),
    count=st.integers(1, 12),
    block=st.integers(1, 25),
    query_block=st.integers(1, 5),
    seed=st.integers(0, 99),
)
def test_agrees_with_scikit_learn_whatever_the_blocks(
    images, cells, count, block, query_block, seed
):
    from sklearn.neighbors import NearestNeighbors

    queries, features = unit_rows(images, 6, seed), unit_rows(cells, 6, seed + 1000)
    found = nearest(queries, features, count, block=block, query_block=query_block)
    count = min(count, cells)
    reference = NearestNeighbors(n_neighbors=count, metric="cosine").fit(features)
    distances, places = reference.kneighbors(queries)
    np.testing.assert_allclose(found.distances, distances, atol=2e-6)
    # Random cells are never equally close, so the places must be the same ones too.
    np.testing.assert_array_equal(found.places, places)


def test_half_precision_costs_next_to_nothing():
    features = unit_rows(500, 2048, 0)
    exact = nearest(features[:20], features, 5)
    rounded = nearest(features[:20], features.astype(np.float16), 5)
    np.testing.assert_allclose(rounded.distances, exact.distances, atol=5e-5)
    np.testing.assert_array_equal(rounded.places[:, 0], np.arange(20))


def test_equally_close_cells_come_in_their_order():
    features = np.tile(np.array([[1.0, 0.0]], np.float32), (4, 1))
    found = nearest(features[:1], features, 4, block=3)
    np.testing.assert_array_equal(found.places, [[0, 1, 2, 3]])
    np.testing.assert_array_equal(found.distances, np.zeros((1, 4)))


@pytest.mark.parametrize(
    ("queries", "features", "count", "message"),
    [
        ((2, 3), (4, 5), 1, "not from the same encoder"),
        ((2, 3), (4, 3), 0, "0 neighbours"),
        ((2, 3), (0, 3), 1, "among 0 cells"),
        ((3,), (4, 3), 1, "as many features"),
    ],
)
def test_search_refuses_what_does_not_fit(queries, features, count, message):
    with pytest.raises(LabError, match=message):
        nearest(np.zeros(queries), np.zeros(features), count)


def slow_vote(row):
    counts = Counter(row)
    most = max(counts.values())
    return next(label for label in row if counts[label] == most)


@given(st.lists(st.lists(st.sampled_from("abcd"), min_size=5, max_size=5), min_size=1, max_size=8))
def test_vote_is_the_majority_and_the_closest_of_equals(rows):
    np.testing.assert_array_equal(vote(np.array(rows)), [slow_vote(row) for row in rows])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"count": 0}, "count must be at least 1, got 0"),
        ({"batch_size": -1}, "batch_size must be at least 1"),
        ({"split": "all"}, "no split 'all'"),
    ],
)
def test_settings_are_checked(changes, message):
    with pytest.raises(LabError, match=message):
        NeighbourSettings(**changes)
