"""Which rows the batch of any step holds, and how batches become a dataset."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pipelines import draws
from pipelines.balanced_sampling import (
    ClassBatches,
    check_sampling,
    class_batch_rows,
    epoch_rows,
)
from tflite.runtime.errors import LabError

if TYPE_CHECKING:
    import tensorflow as tf

    from pipelines.manifest import Manifest


class BatchOfRows(NamedTuple):
    """What one training batch shows.

    Args:
        epoch: Number of the epoch, from 0.
        batch: Number of the batch in its epoch, from 0.
        rows: Row numbers in the manifest, int64 ``(batch,)``.
        copies: How often each row came before in this epoch, int64 ``(batch,)``.
    """

    epoch: int
    batch: int
    rows: np.ndarray
    copies: np.ndarray


class BatchRows:
    """The rows of every step of an endless training, a function of (seed, step) alone.

    Args:
        rows: Row numbers to train on, int64 ``(n,)``.
        label_ids: Their classes, ``(n,)``.
        batch_size: Images in a batch.
        seed: Seed of the run, 0..2**63-1.
        sampling: One of `pipelines.balanced_sampling.SAMPLINGS`.
        class_batches: Balances every batch; replaces `sampling`, which must be ``natural``.

    Raises:
        LabError: If the numbers do not fit each other.
        ValueError: If the seed is out of range.
    """

    def __init__(
        self,
        rows: np.ndarray,
        label_ids: np.ndarray,
        batch_size: int,
        seed: int,
        sampling: str = "natural",
        class_batches: ClassBatches | None = None,
    ) -> None:
        check_sampling(sampling)
        if class_batches is not None and sampling != "natural":
            raise LabError(
                f"class_batches decide which rows an epoch shows, and so does sampling "
                f"{sampling!r}; leave sampling at 'natural'."
            )
        self.batch_size = batch_size
        self.seed = draws.check_seed(seed)
        self.steps = steps_of(label_ids, batch_size, class_batches)
        self._rows, self._label_ids = rows, label_ids
        self._sampling, self._class_batches = sampling, class_batches
        # Batches of two neighbouring epochs may be in the making at a time.
        self._order = lru_cache(maxsize=2)(self._order_of)

    def _order_of(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        if self._class_batches is not None:
            settings = self._class_batches
            return class_batch_rows(self._rows, self._label_ids, settings, self.seed, epoch)
        return epoch_rows(self._rows, self._label_ids, self._sampling, self.seed, epoch)

    def of(self, step: int | np.ndarray) -> BatchOfRows:
        """What a step shows; steps are counted on from epoch to epoch."""
        epoch, batch = divmod(int(step), self.steps)
        part = slice(batch * self.batch_size, (batch + 1) * self.batch_size)
        rows, copies = (values[part] for values in self._order(epoch))
        return BatchOfRows(epoch, batch, rows, copies)

    def first_step(self, epoch: int) -> int:
        """Number of the step with which an epoch begins.

        Raises:
            LabError: If the number of the epoch is negative.
        """
        if epoch < 0:
            raise LabError(f"start_epoch must not be negative, got {epoch}.")
        return epoch * self.steps


def steps_per_epoch(number_of_rows: int, batch_size: int) -> int:
    """Whole batches in an epoch; the rest is left out, another rest in each epoch.

    Raises:
        LabError: If there is not even one.
    """
    if batch_size < 1:
        raise LabError(f"batch_size must be at least 1, got {batch_size}.")
    if number_of_rows < batch_size:
        raise LabError(
            f"There are {number_of_rows} training images, fewer than one batch of {batch_size}. "
            "Set a smaller batch_size or add images."
        )
    return number_of_rows // batch_size


def steps_of(
    label_ids: np.ndarray, batch_size: int, class_batches: ClassBatches | None = None
) -> int:
    """Batches in an epoch over images of these classes, balanced or not.

    Args:
        label_ids: Class of each training image, ``(n,)``.
        batch_size: Images in a batch.
        class_batches: If the batches are balanced, how.

    Returns:
        `steps_per_epoch`, or `ClassBatches.steps_per_epoch` for balanced batches, which may show
        images more than once rather than leave a class out.

    Raises:
        LabError: If there is not even one batch, or the numbers do not fit each other.
    """
    if class_batches is None:
        return steps_per_epoch(len(label_ids), batch_size)
    number_of_classes = len(np.unique(label_ids))
    class_batches.check(number_of_classes, batch_size)
    return class_batches.steps_per_epoch(len(label_ids), number_of_classes)


def check_class_weights(weights: np.ndarray | None, manifest: Manifest) -> np.ndarray:
    """The weight of each class as float32 ``(classes,)``; ones if None.

    Raises:
        LabError: If there is not one finite weight of at least 0 for each class.
    """
    count = len(manifest.classes)
    result = np.ones(count) if weights is None else np.asarray(weights)
    if result.shape != (count,) or not np.isfinite(result).all() or (result < 0).any():
        raise LabError(
            f"class_weights must be {count} finite numbers that are not negative, "
            f"one for each of {list(manifest.classes)}, got {result}."
        )
    return result.astype(np.float32)


def batches_in_order(
    make: Callable[[tf.Tensor], Any], first_step: int, end: int = np.iinfo(np.int64).max
) -> tf.data.Dataset:
    """A dataset of the batches of steps ``first_step`` to ``end - 1``.

    Several are worked on at a time; they come out in order.

    Args:
        make: Gives the batch of a step (a scalar int64 tensor), in the graph.
        first_step: Number of the first step.
        end: Number of the step after the last one; endless by default.
    """
    import tensorflow as tf

    steps = tf.data.Dataset.range(first_step, end)
    mapped = steps.map(make, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return mapped.prefetch(tf.data.AUTOTUNE)
