"""A projection head trained on stored features of views, with no encoder run at all."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from lab_models.contrastive.contrastive_model import ContrastiveModel
from lab_models.contrastive.projection_model import ProjectionModel
from lab_models.contrastive.view_batch import MakeView, ViewBatch


class StoredViewsModel(ContrastiveModel):
    """Trains the head of a projection model on features ``(batch, views, features)``.

    Args:
        projection: Its head is trained, not a copy of it.
        views: Stored views of each image that a step compares.
    """

    def __init__(self, projection: ProjectionModel, views: int) -> None:
        super().__init__(views, 0, "stored_views_model")
        self.head = projection.head
        self.sizes = projection.output_sizes
        self.built = True

    @property
    def output_sizes(self) -> tuple[int, ...]:
        """Length of the last axis of each output."""
        return self.sizes

    def call(self, features: Any, training: bool = False) -> Any:
        """Embeddings ``(batch, units)`` of features ``(batch, features)``."""
        return self.head(features, training=training)

    def view_maker(self, validation: bool) -> MakeView:
        """Takes the view that is there."""
        return lambda features, step, positions, view: tf.gather(features, view, axis=1)

    def batch_loss(self, outputs: list[Any], batch: ViewBatch) -> Any:
        """This replica's share of the mean contrastive loss."""
        return batch.mean_over_all(batch.contrastive_losses(self.loss, outputs[0]))
