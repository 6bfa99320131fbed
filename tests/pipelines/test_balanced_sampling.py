from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pipelines.balanced_sampling import (
    SAMPLINGS,
    ClassBatches,
    class_batch_rows,
    class_sample,
    epoch_rows,
)
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


@st.composite
def class_batches(draw) -> tuple[np.ndarray, ClassBatches]:
    """Labels (whose numbers have gaps), and batches that fit them."""
    labels = 2 * draw(LABELS)
    number = len(np.unique(labels))
    assume(number >= 2)
    return labels, ClassBatches(draw(st.integers(2, number)), draw(st.integers(1, 9)))


class TestClassBatchRows:
    @given(class_batches(), st.integers(0, 50))
    def test_every_batch_holds_p_classes_with_k_images(self, case, epoch):
        labels, settings = case
        rows, copies = class_batch_rows(rows_of(labels), labels, settings, 1, epoch)
        steps = settings.steps_per_epoch(len(labels), len(np.unique(labels)))
        assert rows.shape == copies.shape == (steps * settings.batch_size,)
        assert rows.dtype == copies.dtype == np.int64
        for batch in labels[(rows - 1000) // 3].reshape(steps, -1):
            _, counts = np.unique(batch, return_counts=True)
            assert counts.tolist() == [settings.images] * settings.classes

    @given(class_batches())
    def test_every_class_is_seen_in_nearly_equally_many_batches(self, case):
        labels, settings = case
        rows, _ = class_batch_rows(rows_of(labels), labels, settings, 1, 0)
        counts = np.bincount(labels[(rows - 1000) // 3])[np.unique(labels)]
        assert counts.min() >= settings.images
        assert counts.max() - counts.min() <= settings.images

    @given(class_batches())
    def test_images_of_a_class_repeat_as_late_as_possible(self, case):
        labels, settings = case
        rows, copies = class_batch_rows(rows_of(labels), labels, settings, 1, 0)
        pairs = set(zip(rows.tolist(), copies.tolist()))
        assert len(pairs) == len(rows)
        assert all(copy == 0 or (row, copy - 1) in pairs for row, copy in pairs)
        positions = (rows - 1000) // 3
        for label in np.unique(labels):
            uses = np.bincount(positions, minlength=len(labels))[labels == label]
            assert uses.max() - uses.min() <= 1

    @given(class_batches())
    def test_an_image_comes_twice_in_a_batch_only_where_its_class_is_too_small(self, case):
        labels, settings = case
        rows, _ = class_batch_rows(rows_of(labels), labels, settings, 1, 0)
        sizes = np.bincount(labels)
        for batch in ((rows - 1000) // 3).reshape(-1, settings.batch_size):
            for row, count in zip(*np.unique(batch, return_counts=True)):
                assert count == 1 or sizes[labels[row]] < settings.images

    @given(class_batches(), st.integers(0, 5))
    def test_the_same_seed_and_epoch_give_the_same_rows(self, case, epoch):
        labels, settings = case
        first, second = (
            class_batch_rows(rows_of(labels), labels, settings, 7, epoch) for _ in range(2)
        )
        np.testing.assert_array_equal(first, second)

    def test_epochs_and_seeds_differ(self):
        labels = np.repeat([0, 1, 2], [50, 10, 1])
        orders = {
            tuple(class_batch_rows(rows_of(labels), labels, ClassBatches(2, 3), seed, epoch)[0])
            for seed in (0, 1)
            for epoch in (0, 1)
        }
        assert len(orders) == 4

    def test_a_common_class_shows_all_its_images_over_the_epochs(self):
        labels = np.repeat([0, 1, 2], [60, 5, 1])
        shown = [class_batch_rows(np.arange(66), labels, ClassBatches(2, 4), 0, epoch)[0]
                 for epoch in range(20)]  # fmt: skip
        assert set(np.concatenate(shown)) == set(range(66))
        assert not set(range(60)) <= set(shown[0])

    def test_all_pairs_of_classes_meet(self):
        labels = np.repeat(np.arange(5), 20)
        rows, _ = class_batch_rows(np.arange(100), labels, ClassBatches(2, 1), 0, 0)
        assert len({tuple(sorted(pair)) for pair in labels[rows].reshape(-1, 2)}) == 10


class TestClassBatches:
    @pytest.mark.parametrize(
        ("rows", "classes", "steps"), [(100, 3, 8), (95, 3, 7), (12, 3, 2), (5, 3, 2), (5, 8, 4)]
    )
    def test_steps_are_those_of_the_images_but_enough_for_every_class(self, rows, classes, steps):
        assert ClassBatches(2, 6).steps_per_epoch(rows, classes) == steps

    @pytest.mark.parametrize(
        ("classes", "images", "message"),
        [(1, 4, "classes must be at least 2, got 1"), (2, 0, "images must be at least 1, got 0")],
    )
    def test_too_small_numbers_are_refused(self, classes, images, message):
        with pytest.raises(LabError, match=message):
            ClassBatches(classes, images)

    def test_what_does_not_fit_is_named_in_numbers(self):
        with pytest.raises(
            LabError, match=r"4 classes with 3 images each hold 12 images, but .* 16"
        ):
            ClassBatches(4, 3).check(number_of_classes=20, batch_size=16)
        with pytest.raises(LabError, match="cannot hold 4 classes: only 3 have"):
            ClassBatches(4, 3).check(number_of_classes=3, batch_size=12)
        with pytest.raises(LabError, match="cannot hold 3 classes: only 2 have"):
            class_batch_rows(np.arange(4), np.array([0, 0, 5, 5]), ClassBatches(3, 1), 0, 0)

    def test_a_note_names_the_classes_that_must_repeat_within_a_batch(self):
        settings, names = ClassBatches(2, 4), ("blast", "basophil", "monocyte", "lymphocyte")
        note = settings.describe_repeats((1, 4, 3, 0), names)
        assert "blast (1), monocyte (3)." in note
        assert "basophil" not in note
        assert "lymphocyte" not in note
        assert settings.describe_repeats((4, 5, 6, 7), names) == ""


class TestClassSample:
    @given(LABELS, st.integers(1, 9))
    def test_holds_as_many_of_each_class_as_asked_for_or_all(self, labels, number):
        chosen = class_sample(labels, number, seed=1)
        assert len(set(chosen)) == len(chosen)
        expected = np.minimum(np.bincount(labels), number)
        np.testing.assert_array_equal(
            np.bincount(labels[chosen], minlength=len(expected)), expected
        )
        np.testing.assert_array_equal(chosen, class_sample(labels, number, seed=1))

    def test_another_seed_chooses_other_images(self):
        labels = np.repeat([0, 1], 50)
        assert set(class_sample(labels, 5, 0)) != set(class_sample(labels, 5, 1))

    def test_none_of_a_class_is_refused(self):
        with pytest.raises(LabError, match="at least 1, got 0"):
            class_sample(np.zeros(3, int), 0, 0)
