"""Projection head and classifier trained in one step."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from lab_models.contrastive.contrastive_model import ContrastiveModel
from lab_models.contrastive.projection_model import ProjectionModel
from lab_models.contrastive.view_batch import MakeView, ViewBatch


@keras.saving.register_keras_serializable(package="lab_models")
class JointModel(ContrastiveModel):
    """A projection model whose encoder also feeds a classifier; both losses in one step.

    The loss is ``share`` times the contrastive loss of the embeddings plus ``1 - share`` times the
    cross-entropy of the class scores, each a mean over all views. So the encoder neither has to be
    found in steps of its own, nor can collapse to one point, which would not classify.

    Args:
        projection: Gives encoder, projection head, views and augmentation; its weights are used,
            not copied.
        class_head: Functional, features ``(batch, features)`` to scores ``(batch, classes)``.
        share: Weight of the contrastive loss, 0..1.
        label_smoothing: Of the cross-entropy.
        name: Of the model.

    Raises:
        ValueError: If the class head does not take the encoder's features, or `share` is out of
            range.
    """

    def __init__(
        self,
        projection: ProjectionModel,
        class_head: keras.Model,
        share: float = 0.5,
        label_smoothing: float = 0.0,
        name: str = "joint_model",
    ) -> None:
        super().__init__(projection.views, projection.micro_batch, name)
        if not 0 <= share <= 1:
            raise ValueError(f"share must be a number in 0..1, got {share!r}.")
        given, taken = projection.encoder.output.shape[-1], class_head.input.shape[-1]
        if given != taken:
            raise ValueError(
                f"The class head takes {taken} features, but the encoder gives {given}."
            )
        self.projection, self.class_head = projection, class_head
        self.share, self.label_smoothing = share, label_smoothing
        self.accuracy = keras.metrics.Mean(name="accuracy")
        self.built = True

    @property
    def output_sizes(self) -> tuple[int, ...]:
        """Length of the last axis of each output."""
        return (*self.projection.output_sizes, self.class_head.output.shape[-1])

    def call(self, images: Any, training: bool = False) -> list[Any]:
        """Embeddings ``(batch, units)`` and class scores ``(batch, classes)``."""
        features = self.projection.encoder(images, training=training)
        return [
            self.projection.head(features, training=training),
            self.class_head(features, training=training),
        ]

    def view_maker(self, validation: bool) -> MakeView:
        """That of the projection model."""
        return self.projection.view_maker(validation)

    def batch_loss(self, outputs: list[Any], batch: ViewBatch) -> Any:
        """This replica's share of the two losses, weighed."""
        embeddings, scores = outputs
        contrastive = batch.contrastive_losses(self.loss, embeddings)
        labels = batch.per_row(batch.labels)
        targets = tf.one_hot(labels, scores.shape[-1])
        entropy = keras.losses.categorical_crossentropy(
            targets, scores, label_smoothing=self.label_smoothing
        )
        hits = tf.equal(tf.argmax(scores, axis=-1, output_type=tf.int32), labels)
        self.accuracy.update_state(tf.cast(hits, tf.float32))
        return batch.mean_over_all(self.share * contrastive + (1 - self.share) * entropy)

    def get_config(self) -> dict[str, Any]:
        """What `from_config` builds an equal model from."""
        return {
            "projection": keras.saving.serialize_keras_object(self.projection),
            "class_head": keras.saving.serialize_keras_object(self.class_head),
            "share": self.share,
            "label_smoothing": self.label_smoothing,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> JointModel:
        """The model that `get_config` described, with new weights."""
        parts = {
            key: keras.saving.deserialize_keras_object(config[key], custom_objects)
            for key in ("projection", "class_head")
        }
        return cls(**{**config, **parts})
