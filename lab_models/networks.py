"""The networks of a run, which share their weights, and which of them a phase trains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lab_models.classifier import Classifier, build_classifier

if TYPE_CHECKING:
    import keras

    from lab_models.contrastive.projection_model import ProjectionModel
    from lab_models.recipes import Phase, Recipe
    from tflite.runtime.contract import InputContract


@dataclass(frozen=True)
class Networks:
    """A classifier and, in contrastive recipes, the projection model on the same encoder.

    Args:
        classifier: See `Classifier`.
        projection: None in recipes that compare no views.
    """

    classifier: Classifier
    projection: ProjectionModel | None = None

    @property
    def variables(self) -> list[Any]:
        """Every variable once, seeds of random generators included, in a fixed order."""
        models = [self.classifier.model, *([self.projection] if self.projection else [])]
        return list({id(v): v for model in models for v in model.variables}.values())

    @property
    def weights(self) -> list[Any]:
        """Every weight once, in a fixed order."""
        seeds = {id(v) for v in self.seeds}
        return [v for v in self.variables if id(v) not in seeds]

    @property
    def seeds(self) -> list[Any]:
        """The states of the random generators (dropout)."""
        return [v for v in self.variables if v.name == "seed_generator_state"]

    def model_for(self, phase: Phase, recipe: Recipe) -> keras.Model:
        """The model that is fitted in a phase, set as the phase says and not yet compiled.

        Args:
            phase: One of the recipe's.
            recipe: Gives seed and augmentation.
        """
        if phase.task == "classifier":
            return self.classifier.head if phase.cached_views else self.classifier.model
        projection = self.require_projection(phase)
        projection.views = phase.contrastive.views
        projection.micro_batch = phase.contrastive.micro_batch
        projection.augment = recipe.augment_of(phase)
        projection.seed = phase_seed(recipe, phase)
        if phase.cached_views:
            from lab_models.contrastive.stored_views import StoredViewsModel

            return StoredViewsModel(projection, phase.contrastive.views)
        if phase.task == "joint":
            from lab_models.contrastive.joint_model import JointModel

            share, smoothing = phase.contrastive.share, phase.loss.label_smoothing
            return JointModel(projection, self.classifier.head, share, smoothing)
        return projection

    def require_projection(self, phase: Phase) -> ProjectionModel:
        """The projection model.

        Raises:
            ValueError: If there is none.
        """
        if self.projection is None:
            raise ValueError(f"Phase {phase.name!r} compares views; give a projection model.")
        return self.projection


def build_networks(recipe: Recipe, contract: InputContract, classes: tuple[str, ...]) -> Networks:
    """Builds what the recipe trains.

    Raises:
        LabError: If the backbone or its weights cannot be had.
    """
    classifier = build_classifier(
        recipe.backbone,
        contract,
        classes,
        recipe.dropout,
        recipe.weights,
        recipe.normalize_features,
    )
    if not recipe.compares_views:
        return Networks(classifier)
    from lab_models.contrastive.projection_model import ProjectionModel

    first = next(phase for phase in recipe.phases if phase.compares_views)
    return Networks(
        classifier,
        ProjectionModel(
            classifier.encoder,
            recipe.projection,
            recipe.augment_of(first),
            first.contrastive.views,
            recipe.seed,
        ),
    )


def without_optimizer(projection: ProjectionModel) -> ProjectionModel:
    """An equal projection model that carries no optimiser of the phase it was trained in."""
    fresh = type(projection).from_config(projection.get_config())
    fresh.set_weights(projection.get_weights())
    return fresh


def phase_seed(recipe: Recipe, phase: Phase) -> int:
    """Seed of a phase's views: another in each phase, the same in every run of the recipe."""
    position = [p.name for p in recipe.phases].index(phase.name)
    words = np.random.SeedSequence([recipe.seed, position]).generate_state(1, np.uint64)
    return int(words[0] >> np.uint64(1))
