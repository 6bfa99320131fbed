from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.balanced_sampling import SAMPLINGS, epoch_rows
from tflite.runtime.errors import LabError

LABELS = st.lists(st.integers(0, 6), min_size=1, max_size=200).map(np.array)


def rows_of(labels: np.ndarray) -> np.ndarray:
    """Row numbers that are not positions, so that mixing the two up shows."""
    return 1000 + 3 * np.arange(len(labels))


@given(LABELS, st.sampled_from(sorted(SAMPLINGS)), st.integers(0, 50))
def test_any_sampling(labels, sampling, epoch):
    rows, copies = epoch_rows(rows_of(labels), labels, sampling, seed=1, epoch=epoch)
    assert len(rows) == len(copies) == len(labels)
    assert rows.dtype == copies.dtype == np.int64
    assert set(rows) <= set(rows_of(labels))
    # No row comes twice with the same copy number, and numbers have no gaps.
    pairs = set(zip(rows.tolist(), copies.tolist()))
    assert len(pairs) == len(labels)
    assert all(copy == 0 or (row, copy - 1) in pairs for row, copy in pairs)
    again = epoch_rows(rows_of(labels), labels, sampling, seed=1, epoch=epoch)
    np.testing.assert_array_equal(rows, again[0])
    np.testing.assert_array_equal(copies, again[1])


@given(LABELS)
def test_natural_shows_every_row_once(labels):
    rows, copies = epoch_rows(rows_of(labels), labels, "natural", seed=0, epoch=0)
    np.testing.assert_array_equal(np.sort(rows), rows_of(labels))
    assert not copies.any()


@given(LABELS)
def test_balanced_shows_every_class_alike_and_its_rows_as_evenly_as_possible(labels):
    rows, _ = epoch_rows(rows_of(labels), labels, "balanced", seed=0, epoch=0)
    shown = labels[(rows - 1000) // 3]
    counts = np.bincount(shown)[np.unique(labels)]
    assert counts.max() - counts.min() <= 1
    for label in np.unique(shown):
        uses = np.bincount((rows[shown == label] - 1000) // 3, minlength=len(labels))
        uses = uses[labels == label]
        assert uses.max() - uses.min() <= 1


def test_another_epoch_or_seed_is_another_order():
    labels = np.repeat([0, 1], [50, 10])
    orders = [
        tuple(epoch_rows(rows_of(labels), labels, sampling, seed, epoch)[0])
        for sampling in SAMPLINGS
        for seed in (0, 1)
        for epoch in (0, 1)
    ]
    assert len(set(orders)) == len(orders)


def test_a_common_class_shows_all_its_rows_over_the_epochs():
    labels = np.repeat([0, 1], [30, 10])
    shown = [epoch_rows(np.arange(40), labels, "balanced", 0, epoch)[0] for epoch in range(10)]
    assert set(np.concatenate(shown)) == set(range(40))


def test_neighbours_are_of_mixed_classes():
    labels = np.repeat([0, 1], 100)
    for sampling in SAMPLINGS:
        rows, _ = epoch_rows(np.arange(200), labels, sampling, 0, 0)
        assert 70 < np.abs(np.diff(labels[rows])).sum() < 130


def test_an_unknown_sampling_is_refused():
    with pytest.raises(LabError, match=r"one of \['balanced', 'natural'\], got 'fair'"):
        epoch_rows(np.arange(2), np.zeros(2), "fair", 0, 0)
