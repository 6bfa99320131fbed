"""Batches for models that augment inside: images as they were decoded, with their classes.

A contrastive model makes several views of an image, each augmented on its own, so it takes
images that are not augmented. Order, cache and threads are those of
`pipelines.input_pipeline`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipelines.balanced_sampling import ClassBatches
from pipelines.batch_rows import BatchRows, batches_in_order, check_class_weights
from pipelines.image_cache import ImageCache
from tflite.runtime.contract import InputContract

if TYPE_CHECKING:
    import tensorflow as tf

    from pipelines.manifest import Manifest


def make_for_views(
    manifest: Manifest,
    rows: np.ndarray,
    contract: InputContract,
    batch_size: int,
    seed: int,
    *,
    start_epoch: int = 0,
    class_weights: np.ndarray | None = None,
    sampling: str = "natural",
    class_batches: ClassBatches | None = None,
    cache: ImageCache | None = None,
    cache_megabytes: float = 4096,
    workers: int | None = None,
) -> tf.data.Dataset:
    """An endless stream of batches that are not augmented, epoch after epoch, ready for ``fit``.

    Each epoch has `pipelines.batch_rows.steps_of` batches. For the same seed and sampling it
    shows the same rows in the same order as `pipelines.input_pipeline.make_for_train`.

    Args:
        manifest: The table of images.
        rows: Row numbers to train on, int64 ``(n,)``.
        contract: What the network takes.
        batch_size: Images per batch; with `class_batches` the product of their two numbers.
        seed: Seed of the run, 0..2**63-1.
        start_epoch: Number of the first epoch, from 0.
        class_weights: Weight of each class, ``(classes,)``; ones if None.
        sampling: One of `pipelines.balanced_sampling.SAMPLINGS`.
        class_batches: Has every batch hold so many classes with so many images each; takes the
            place of `sampling`. None does not.
        cache: Decoded images, to share between datasets; must hold `rows`. Made here if None.
        cache_megabytes: The most memory for decoded images if `cache` is None.
        workers: Threads that decode; as many as there are processors if None.

    Returns:
        Dataset of tuples: image uint8 ``(batch, height, width, 3)``, label int32 ``(batch,)``,
        the class's place in the manifest's classes, and weight float32 ``(batch,)``.

    Raises:
        LabError: If an argument is out of range, numbers do not fit each other, or an image
            cannot be read (`ImageError`).
    """
    rows = np.asarray(rows, np.int64)
    label_ids = np.asarray(manifest.label_ids, np.int32)
    weights = check_class_weights(class_weights, manifest)
    order = BatchRows(rows, label_ids[rows], batch_size, seed, sampling, class_batches)
    first_step = order.first_step(start_epoch)
    images = cache or ImageCache(manifest, contract, cache_megabytes, workers, rows)
    images.fill(rows)
    return _dataset(order, images, label_ids, weights, first_step)


def _dataset(
    order: BatchRows,
    images: ImageCache,
    label_ids: np.ndarray,
    weights: np.ndarray,
    first_step: int,
) -> tf.data.Dataset:
    import tensorflow as tf

    def make(step: np.ndarray) -> tuple[np.ndarray, ...]:
        rows = order.of(step).rows
        labels = label_ids[rows]
        return images.get(rows), labels, weights[labels]

    def batch(step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        types = (tf.uint8, tf.int32, tf.float32)
        image, label, weight = tf.numpy_function(make, [step], types, stateful=False)
        count = order.batch_size
        return (
            tf.ensure_shape(image, (count, *images.contract.shape)),
            tf.ensure_shape(label, (count,)),
            tf.ensure_shape(weight, (count,)),
        )

    return batches_in_order(batch, first_step)
