from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.balanced_sampling import ClassBatches
from pipelines.batch_rows import BatchRows, steps_of, steps_per_epoch
from tflite.runtime.errors import LabError

LABELS = np.repeat([0, 1, 2], [20, 6, 1])
ROWS = np.arange(100, 127)


def batches(sampling: str = "natural", class_batches: ClassBatches | None = None) -> BatchRows:
    return BatchRows(ROWS, LABELS, 6, 3, sampling, class_batches)


ORDERS = pytest.mark.parametrize(
    "options",
    [("natural",), ("balanced",), ("natural", ClassBatches(2, 3))],
    ids=["natural", "balanced", "class batches"],
)


@ORDERS
@given(steps=st.lists(st.integers(0, 40), max_size=12))
def test_a_step_does_not_depend_on_the_steps_before(options, steps):
    one, unbroken = batches(*options), batches(*options)
    known = [unbroken.of(step) for step in range(41)]
    for step in steps:
        batch = one.of(step)
        assert (batch.epoch, batch.batch) == divmod(step, one.steps)
        np.testing.assert_array_equal(batch.rows, known[step].rows)
        np.testing.assert_array_equal(batch.copies, known[step].copies)


@ORDERS
def test_batches_are_whole_and_of_the_rows(options):
    order = batches(*options)
    for step in range(2 * order.steps):
        assert len(order.of(step).rows) == 6
        assert set(order.of(step).rows) <= set(ROWS)


def test_class_batches_hold_two_classes_with_three_images_each():
    order = batches("natural", ClassBatches(2, 3))
    for step in range(order.steps):
        labels = LABELS[order.of(step).rows - 100]
        assert sorted(np.bincount(labels, minlength=3)) == [0, 3, 3]


def test_an_epoch_starts_after_the_steps_of_those_before():
    order = batches()
    assert order.first_step(2) == 2 * order.steps == 8
    with pytest.raises(LabError, match="must not be negative, got -1"):
        order.first_step(-1)


def test_class_batches_and_another_sampling_exclude_each_other():
    with pytest.raises(LabError, match="sampling 'balanced'; leave sampling at 'natural'"):
        batches("balanced", ClassBatches(2, 3))


def test_steps_per_epoch():
    assert steps_per_epoch(21, 4) == 5
    assert steps_per_epoch(4, 4) == 1


def test_steps_with_and_without_class_batches():
    assert steps_of(LABELS, 9) == 3
    assert steps_of(LABELS, 9, ClassBatches(3, 3)) == 3
    # Fewer images than a batch has places, but a batch for every class.
    assert steps_of(np.array([0, 1, 2, 7]), 8, ClassBatches(2, 4)) == 2
    with pytest.raises(LabError, match="hold 9 images, but batch_size is 8"):
        steps_of(LABELS, 8, ClassBatches(3, 3))
    with pytest.raises(LabError, match="fewer than one batch of 28"):
        steps_of(LABELS, 28)
