"""The projection model: an encoder and a projection head, trained by a contrastive loss."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras

from lab_models.contrastive.contrastive_model import ContrastiveModel
from lab_models.contrastive.projection_head import build_projection_head
from lab_models.contrastive.view_batch import MakeView, ViewBatch
from lab_models.recipes.contrastive import Projection
from pipelines.augment_settings import AugmentSettings, hal_projection
from pipelines.views import ViewMaker


@keras.saving.register_keras_serializable(package="lab_models")
class ProjectionModel(ContrastiveModel):
    """Encoder and projection head of study hairy (HAL-C); ``fit`` makes the views itself.

    A training step takes M images, makes ``views`` copies of each, every copy augmented on its
    own, and compares the embeddings of all copies by the loss it was compiled with (Khosla et al.
    2020). Called on images, the model gives their embeddings and augments nothing.

    Args:
        encoder: Functional, pixel values ``(batch, height, width, 3)`` in 0..255 to features
            ``(batch, features)``.
        projection: The head; see `Projection`.
        augment: What is done to each view; defaults to the study's.
        views: Copies of each image in a step.
        seed: Of the augmentation, 0..2**63-1.
        micro_batch: See `ContrastiveModel`.
        name: Of the model.

    Raises:
        ValueError: If the encoder does not give one vector an image, or a number is out of range.
        LabError: If `augment` would mix images.
    """

    def __init__(
        self,
        encoder: keras.Model,
        projection: Projection | None = None,
        augment: AugmentSettings | None = None,
        views: int = 2,
        seed: int = 0,
        micro_batch: int = 0,
        name: str = "projection_model",
    ) -> None:
        super().__init__(views, micro_batch, name)
        check_encoder(encoder)
        self.encoder = encoder
        self.projection = projection or Projection()
        self.head = build_projection_head(encoder.output.shape[-1], self.projection)
        self.augment = hal_projection() if augment is None else augment
        self.seed = seed
        ViewMaker(self.augment, seed)  # refuses what cannot be, here rather than in the step
        self.built = True

    @property
    def output_sizes(self) -> tuple[int, ...]:
        """Length of the last axis of each output."""
        return (self.projection.units,)

    def call(self, images: Any, training: bool = False) -> Any:
        """Embeddings, float32 ``(batch, units)``, of length 1 unless the head leaves that out."""
        return self.head(self.encoder(images, training=training), training=training)

    def view_maker(self, validation: bool) -> MakeView:
        """The augmentation; a validation has another seed than training."""
        return ViewMaker(self.augment, self.seed ^ 1 if validation else self.seed)

    def batch_loss(self, outputs: list[Any], batch: ViewBatch) -> Any:
        """This replica's share of the mean contrastive loss."""
        return batch.mean_over_all(batch.contrastive_losses(self.loss, outputs[0]))

    def get_config(self) -> dict[str, Any]:
        """What `from_config` builds an equal model from."""
        return {
            "encoder": keras.saving.serialize_keras_object(self.encoder),
            "projection": dataclasses.asdict(self.projection),
            "augment": self.augment.to_dict(),
            "views": self.views,
            "seed": self.seed,
            "micro_batch": self.micro_batch,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> ProjectionModel:
        """The model that `get_config` described, with new weights."""
        parts = {
            "encoder": keras.saving.deserialize_keras_object(config["encoder"], custom_objects),
            "projection": Projection(**config["projection"]),
            "augment": AugmentSettings.from_dict(config["augment"]),
        }
        return cls(**{**config, **parts})


def check_encoder(encoder: keras.Model) -> None:
    """Raises ValueError unless the encoder gives one vector an image."""
    outputs = encoder.outputs
    if len(outputs) != 1 or len(outputs[0].shape) != 2 or outputs[0].shape[-1] is None:
        shapes = [tuple(output.shape) for output in outputs]
        raise ValueError(
            f"An encoder gives features of shape (batch, features), one vector an image; "
            f"{encoder.name!r} gives {shapes}. Does it lack its global pooling?"
        )
