"""Batches for training and evaluation, as `tf.data` datasets.

The order of stages, and why:

1. **Number of the batch.** A training dataset is a plain count of steps; everything else follows
   from (seed, step). There is no shuffle buffer and no generator with a state, so a resumed run
   starts its count at a later step and gets what the unbroken run would have got.
2. **Rows.** The epoch's order is a permutation of all rows drawn from (seed, epoch): a perfect
   shuffle over the whole set, which no buffer of images could afford.
3. **Decoding, once.** Decoding and shrinking a JPEG is the dearest step and has no randomness in
   it, so its result is kept: uint8 at network size, before augmentation (after it, every epoch
   would look the same; as float32 it would take four times the memory). Sets that do not fit are
   decoded on the fly in threads.
4. **Augmentation of whole batches**, on uint8, in OpenCV: one call per batch keeps the overhead
   of leaving the graph small, and OpenCV and Pillow let other threads run meanwhile. Several
   batches are worked on at a time; they come out in order.
5. **RandAugment, then CutMix or MixUp**, on float32, in the graph. CutMix comes last because it
   pastes images together: warping after it would bend the pasted border out of its label's share.
6. **Prefetch**, so that the next batches are made while the network trains on this one.

OpenCV's own threads are left alone: that setting belongs to the whole process, and with
``cv2.setNumThreads(1)`` the rate was the same within the noise, at 96 and at 256 px.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipelines.augment import augment_images
from pipelines.augment_settings import AugmentSettings
from pipelines.batch_rows import (
    BatchRows,
    batches_in_order,
    check_class_weights,
    steps_per_epoch,
)
from pipelines.image_cache import ImageCache
from pipelines.keras_cv_layers import layer_keys, make_mix, make_rand_augment, mix_draw
from tflite.runtime.contract import InputContract
from tflite.runtime.errors import LabError

if TYPE_CHECKING:
    import tensorflow as tf

    from pipelines.manifest import Manifest

__all__ = ["for_fit", "make_for_eval", "make_for_train", "steps_per_epoch"]


class _TrainingBatches:
    """Makes the batch of any step; holds nothing that changes from one step to the next."""

    def __init__(
        self,
        manifest: Manifest,
        rows: BatchRows,
        cache: ImageCache,
        augment: AugmentSettings,
        class_weights: np.ndarray | None,
    ) -> None:
        self._rows = rows
        self._label_ids = np.asarray(manifest.label_ids)
        self._cache = cache
        self._augment = augment
        self._class_weights = check_class_weights(class_weights, manifest)

    @property
    def types(self) -> tuple[str, ...]:
        """Types of what `make` gives."""
        return ("float32", "float32", "float32", "int64", "int64", "int32", "int64")

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of what `make` gives."""
        count = self._rows.batch_size
        labels = (count, len(self._class_weights))
        return (
            (count, *self._cache.contract.shape),
            labels,
            (count,),
            (count,),
            (count, 2),
            (),
            (2,),
        )

    def make(self, step: np.ndarray) -> tuple[np.ndarray, ...]:
        """Image, label, weight, index of one step, and the keys of KerasCV's layers."""
        epoch, batch, rows, copies = self._rows.of(step)
        seed = self._rows.seed
        images = augment_images(self._cache.get(rows), self._augment, seed, epoch, rows, copies)
        ids = self._label_ids[rows]
        labels = np.eye(len(self._class_weights), dtype=np.float32)[ids]
        keys = layer_keys(seed, epoch, rows, copies)
        choice, mix_key = mix_draw(self._augment, seed, epoch, batch)
        return (
            images,
            labels,
            self._class_weights[ids],
            rows,
            keys,
            np.array(choice, np.int32),
            mix_key,
        )


def make_for_train(
    manifest: Manifest,
    rows: np.ndarray,
    contract: InputContract,
    augment: AugmentSettings,
    batch_size: int,
    seed: int,
    *,
    start_epoch: int = 0,
    class_weights: np.ndarray | None = None,
    sampling: str = "natural",
    cache: ImageCache | None = None,
    cache_megabytes: float = 4096,
    workers: int | None = None,
) -> tf.data.Dataset:
    """An endless stream of training batches, epoch after epoch.

    Each epoch has `steps_per_epoch` batches; that of number k is the same from any start.

    Args:
        manifest: The table of images.
        rows: Row numbers to train on, int64 ``(n,)``.
        contract: What the network takes.
        augment: What to do to each image.
        batch_size: Images per batch.
        seed: Seed of the run, 0..2**63-1.
        start_epoch: Number of the first epoch, from 0.
        class_weights: Weight of each class, ``(classes,)``; ones if None.
        sampling: One of `pipelines.balanced_sampling.SAMPLINGS`.
        cache: Decoded images, to share between datasets; must hold `rows`. Made here if None.
        cache_megabytes: The most memory for decoded images if `cache` is None.
        workers: Threads that decode; as many as there are processors if None.

    Returns:
        Dataset of dicts: ``image`` float32 ``(batch, height, width, 3)`` in 0..255, ``label``
        float32 ``(batch, classes)`` that sums to 1 (soft after CutMix and MixUp), ``weight``
        float32 ``(batch,)``, ``index`` int64 ``(batch,)``, the row in the manifest.

    Raises:
        LabError: If an argument is out of range, or an image cannot be read (`ImageError`).
    """
    rows = np.asarray(rows, np.int64)
    images = cache or ImageCache(manifest, contract, cache_megabytes, workers, rows)
    labels = np.asarray(manifest.label_ids)[rows]
    order = BatchRows(rows, labels, batch_size, seed, sampling)
    batches = _TrainingBatches(manifest, order, images, augment, class_weights)
    first_step = order.first_step(start_epoch)
    images.fill(rows)
    return _training_dataset(batches, first_step, augment)


def _training_dataset(
    batches: _TrainingBatches, first_step: int, augment: AugmentSettings
) -> tf.data.Dataset:
    import tensorflow as tf

    rand_augment = make_rand_augment(augment) if augment.rand_augment_operations else None
    mix = make_mix(augment) if augment.mixes else None

    def batch(step: tf.Tensor) -> dict[str, tf.Tensor]:
        values = tf.numpy_function(batches.make, [step], batches.types, stateful=False)
        image, label, weight, index, keys, choice, mix_key = [
            tf.ensure_shape(value, shape) for value, shape in zip(values, batches.shapes)
        ]
        if rand_augment is not None:
            image = rand_augment(image, keys)
        if mix is not None:
            image, label, weight = mix(image, label, weight, choice, mix_key)
        return {"image": image, "label": label, "weight": weight, "index": index}

    return batches_in_order(batch, first_step)


def make_for_eval(
    manifest: Manifest,
    rows: np.ndarray,
    contract: InputContract,
    batch_size: int,
    *,
    cache: ImageCache | None = None,
    cache_megabytes: float = 1024,
    workers: int | None = None,
) -> tf.data.Dataset:
    """Every row exactly once, in the order given, not augmented.

    Args:
        manifest: The table of images.
        rows: Row numbers, int64 ``(n,)``.
        contract: What the network takes.
        batch_size: Images per batch; the last one may be smaller.
        cache: Decoded images, to share between datasets; must hold `rows`. Made here if None and
            filled during the first pass.
        cache_megabytes: The most memory for decoded images if `cache` is None.
        workers: Threads that decode images; as many as there are processors if None.

    Returns:
        Dataset of known length of dicts: ``image`` uint8 ``(batch, height, width, 3)``,
        ``label`` int32 ``(batch,)``, ``weight`` float32 ``(batch,)``, all 1, ``index`` int64
        ``(batch,)``, the row in the manifest.

    Raises:
        LabError: If there are no rows or the batch size is below 1.
    """
    rows = np.asarray(rows, np.int64)
    if not len(rows) or batch_size < 1:
        raise LabError(
            f"Evaluation needs at least one image and a batch_size of at least 1, "
            f"got {len(rows)} images and batch_size {batch_size}."
        )
    images = cache or ImageCache(manifest, contract, cache_megabytes, workers, rows)
    return _evaluation_dataset(images, rows, np.asarray(manifest.label_ids, np.int32), batch_size)


def _evaluation_dataset(
    images: ImageCache, rows: np.ndarray, label_ids: np.ndarray, batch_size: int
) -> tf.data.Dataset:
    import tensorflow as tf

    def make(step: np.ndarray) -> tuple[np.ndarray, ...]:
        part = rows[int(step) * batch_size : (int(step) + 1) * batch_size]
        return images.get(part), label_ids[part], np.ones(len(part), np.float32), part

    def batch(step: tf.Tensor) -> dict[str, tf.Tensor]:
        types = (tf.uint8, tf.int32, tf.float32, tf.int64)
        image, label, weight, index = tf.numpy_function(make, [step], types, stateful=False)
        return {
            "image": tf.ensure_shape(image, (None, *images.contract.shape)),
            "label": tf.ensure_shape(label, (None,)),
            "weight": tf.ensure_shape(weight, (None,)),
            "index": tf.ensure_shape(index, (None,)),
        }

    return batches_in_order(batch, 0, -(-len(rows) // batch_size))


def for_fit(dataset: tf.data.Dataset, number_of_classes: int) -> tf.data.Dataset:
    """Batches as `keras.Model.fit` takes them, from either kind of dataset.

    Args:
        dataset: Of `make_for_train` or `make_for_eval`.
        number_of_classes: Classes of the manifest.

    Returns:
        Dataset of (image float32, label float32 ``(batch, classes)``, weight float32).
    """
    import tensorflow as tf

    def convert(element: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        label = element["label"]
        if label.shape.rank == 1:
            label = tf.one_hot(label, number_of_classes, dtype=tf.float32)
        return tf.cast(element["image"], tf.float32), label, element["weight"]

    return dataset.map(convert, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
