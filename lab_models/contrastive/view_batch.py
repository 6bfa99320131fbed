"""One batch of a contrastive training step: images, and the views made of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from lab_models.contrastive.base_loss import class_ids
from lab_models.contrastive.losses import ContrastiveLoss, Views
from lab_models.contrastive.micro_batches import Portions
from lab_models.contrastive.replicas import first_position, gather

MakeView = Callable[[Any, Any, Any, int], Any]
"""From images, step, positions and the number of a view to that view; see `ViewMaker`."""


@dataclass(frozen=True)
class ViewBatch:
    """This replica's part of a batch. The views of an image are neighbouring rows.

    Args:
        images: ``(n, ...)``.
        labels: int32 class ids ``(n,)``.
        weights: float32 ``(n,)``.
        first: Position of the first image in the batch of all replicas, int32 scalar.
        step: Number of the training step, int64 scalar.
        views: Copies of each image.
        make_view: Makes one view of images.
    """

    images: Any
    labels: Any
    weights: Any
    first: Any
    step: Any
    views: int
    make_view: MakeView

    @classmethod
    def of(cls, data: Any, step: Any, views: int, make_view: MakeView) -> ViewBatch:
        """From what ``fit`` hands to a step: images, labels and maybe weights."""
        images, labels, weights = keras.utils.unpack_x_y_sample_weight(data)
        if labels is None:
            raise ValueError("A contrastive step takes (images, labels), got images alone.")
        count = tf.shape(images)[0]
        ids = class_ids(tf.convert_to_tensor(labels))
        weights = tf.ones_like(ids, tf.float32) if weights is None else weights
        weights = tf.cast(tf.reshape(weights, (-1,)), tf.float32)
        return cls(images, ids, weights, first_position(count), step, views, make_view)

    @property
    def count(self) -> Any:
        """Number of images of this replica, int32 scalar."""
        return tf.shape(self.images)[0]

    def images_of_all(self) -> Any:
        """Number of images of all replicas, float32 scalar."""
        return tf.cast(tf.shape(gather(self.labels))[0], tf.float32)

    def input_of(self, first: Any, last: Any) -> Any:
        """All views of the images from `first` up to `last`, ``((last - first) * views, ...)``."""
        images = self.images[first:last]
        positions = tf.cast(self.first + tf.range(first, last), tf.int64)
        made = [self.make_view(images, self.step, positions, v) for v in range(self.views)]
        stacked = tf.stack(made, axis=1)
        return tf.reshape(stacked, tf.concat([[-1], tf.shape(stacked)[2:]], 0))

    def portions(self, size: int, output_sizes: tuple[int, ...]) -> Portions:
        """The batch in parts of `size` images."""
        return Portions(self.count, size, self.views, output_sizes, self.input_of)

    def per_row(self, values: Any) -> Any:
        """A value of each image, for each of its views."""
        return tf.repeat(values, self.views)

    def mean_over_all(self, losses: Any) -> Any:
        """This replica's share of the weighted mean over all replicas' rows.

        The shares add up to the mean, and so do their gradients.

        Args:
            losses: float32, one a row of this replica.
        """
        rows = tf.cast(tf.shape(gather(losses))[0], tf.float32)
        return tf.reduce_sum(losses * self.per_row(self.weights)) / rows

    def contrastive_losses(self, loss: ContrastiveLoss, embeddings: Any) -> Any:
        """The loss of each of this replica's rows, compared with the rows of all replicas.

        Args:
            loss: Any contrastive loss.
            embeddings: ``(rows, units)`` of this replica.
        """
        images = self.per_row(self.first + tf.range(self.count))
        everywhere = Views(gather(embeddings), gather(self.per_row(self.labels)), gather(images))
        start = self.first * self.views
        return loss.anchor_losses(everywhere, start + tf.range(tf.shape(embeddings)[0]))
