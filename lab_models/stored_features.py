"""Features of augmented views, computed once, so that a head trains without its encoder.

A frozen encoder gives the same features for the same view, epoch after epoch. So K views of each
training image go through it once, and the head, be it a classifier or a projection, is trained on
the K features instead: in each epoch on another of them. What the encoder is spared is the ratio of
epochs to K.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipelines.augment import augment_images
from pipelines.augment_settings import AugmentSettings, no_augmentation
from pipelines.batch_rows import BatchRows, batches_in_order
from tflite.runtime.files import whole_file

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    from pipelines.image_cache import ImageCache


@dataclass(frozen=True)
class ViewSource:
    """Whose views are made, and how.

    Args:
        encoder: Pixel values ``(batch, height, width, 3)`` to features ``(batch, features)``.
        cache: Decoded images.
        augment: What is done to each view.
        seed: Of the augmentation.
        batch_size: Images that go through the encoder at a time.
    """

    encoder: keras.Model
    cache: ImageCache
    augment: AugmentSettings
    seed: int
    batch_size: int


def store_features(
    source: ViewSource,
    rows: np.ndarray,
    views: int,
    path: Path,
    say: Callable[[str], None] = print,
) -> np.ndarray:
    """Computes the features of `views` augmented views of each image, or finds them in the file.

    Args:
        source: See `ViewSource`.
        rows: Row numbers of the manifest, int64 ``(n,)``.
        views: Views of each image; 0 takes one of each image as it is.
        path: A ``.npy`` file, written whole or not at all. Whoever changes the encoder removes it.
        say: Takes one line of progress.

    Returns:
        float32 ``(n, max(views, 1), features)``, mapped from the file.
    """
    width = int(source.encoder.output.shape[-1])
    shape = (len(rows), max(views, 1), width)
    if path.exists():
        stored = np.load(path, mmap_mode="r")
        if stored.shape == shape:
            return stored
    say(f"features of {shape[0]:,} images, {shape[1]} view(s) each, are computed once")
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as temporary:
        file = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.float32, shape=shape)
        _encode(source, rows, views, file)
        file.flush()
        del file
    return np.load(path, mmap_mode="r")


def _encode(source: ViewSource, rows: np.ndarray, views: int, file: np.ndarray) -> None:
    import tensorflow as tf

    encode = tf.function(
        lambda images: source.encoder(images, training=False), reduce_retracing=True
    )
    augment = source.augment if views else no_augmentation()
    for first in range(0, len(rows), source.batch_size):
        part = slice(first, first + source.batch_size)
        images = source.cache.get(rows[part])
        for view in range(file.shape[1]):
            made = augment_images(images, augment, source.seed, view, rows[part])
            file[part, view] = encode(tf.constant(made)).numpy()


@dataclass(frozen=True)
class StoredViews:
    """Training batches of stored features.

    Args:
        features: ``(n, views, features)``, from `store_features`.
        rows: Their rows, int64 ``(n,)``.
        label_ids: Class of each row of the manifest, int32.
        weights: float32, one a class.
        order: Which rows a step shows.
    """

    features: np.ndarray
    rows: np.ndarray
    label_ids: np.ndarray
    weights: np.ndarray
    order: BatchRows

    def batches(self, first_step: int, views: int) -> tf.data.Dataset:
        """An endless stream, each image with the next `views` of its stored views.

        Args:
            first_step: Number of the first step.
            views: Different views of an image in a step.

        Returns:
            Dataset of (features float32 ``(batch, views, features)``, label int32 ``(batch,)``,
            weight float32 ``(batch,)``).
        """
        import tensorflow as tf

        place = np.full(int(self.rows.max()) + 1, -1)
        place[self.rows] = np.arange(len(self.rows))
        stored = self.features.shape[1]

        def make(step: np.ndarray) -> tuple[np.ndarray, ...]:
            shown = self.order.of(step)
            # The next views in each epoch, and yet others where a row comes again within one.
            start = (shown.epoch + shown.copies) * views
            chosen = (start[:, None] + np.arange(views)) % stored
            labels = self.label_ids[shown.rows]
            return self.features[place[shown.rows][:, None], chosen], labels, self.weights[labels]

        def batch(step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            types = (tf.float32, tf.int32, tf.float32)
            features, label, weight = tf.numpy_function(make, [step], types, stateful=False)
            count = self.order.batch_size
            return (
                tf.ensure_shape(features, (count, views, self.features.shape[-1])),
                tf.ensure_shape(label, (count,)),
                tf.ensure_shape(weight, (count,)),
            )

        return batches_in_order(batch, first_step)
