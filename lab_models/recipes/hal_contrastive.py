"""What the supervised contrastive recipes of study hairy (HAL-C) have in common.

Three phases: the projection head on the frozen encoder, both together, and a new classifier on
the frozen encoder. Training both parts from the start let all embeddings fall on one point in the
study; the three steps cure that.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from lab_models.recipes.contrastive import Contrastive, Projection
from lab_models.recipes.hal import DEMO_SMEARS, FULL_SMEARS
from lab_models.recipes.phase import Optimizer, Phase
from lab_models.recipes.recipe import Data, Input, Recipe
from pipelines.augment_settings import hal_projection, hal_transfer
from pipelines.split import SplitSettings

# The same with a smaller net and smaller images, for two cores and ten minutes. From random weights
# the contrastive loss has everything to learn, so its phase takes nearly all the time, in small
# batches, because it learns more from more steps; and the frozen last phase trains on stored
# features. Classes are balanced over the epoch, not in each batch, so that data of any number of
# classes will do.
SMALL: dict[str, Any] = {
    "backbone": "resnet10_half",
    "weights": "random",
    "input.height": 96,
    "input.width": 96,
    "data.smears.images": DEMO_SMEARS.images,
    "data.smears.size": DEMO_SMEARS.size,
    "data.sampling": "balanced",
    "augment.horizontal_flip": True,
    "augment.colour": 0.1,
    "augment.exposure": 0.1,
    "phases.0.epochs": 1,
    "phases.0.augment.horizontal_flip": True,
    "phases.1.batch_norm": "update",
    "phases.1.average_weights": 0.7,
    "phases.1.batch_size": 40,
    "phases.1.optimizer.name": "adamw",
    "phases.1.optimizer.learning_rate": 3e-3,
    "phases.1.optimizer.weight_decay": 0.02,
    "phases.1.optimizer.schedule": "cosine",
    "phases.1.optimizer.warmup_epochs": 1,
    "phases.1.augment.contrast": 0.1,
    "phases.1.augment.horizontal_flip": True,
    "phases.1.augment.colour": 0.1,
    "phases.1.augment.exposure": 0.1,
}
DEMO: dict[str, Any] = {
    **SMALL,
    "phases.1.epochs": 20,
    "phases.2.epochs": 40,
    # After so short a training features of augmented views still differ from those of the images
    # themselves, and a classifier that has to suit both suits neither: 2 to 5 points worse.
    "phases.2.augment": {},
    "phases.2.cached_views": 1,
    "phases.2.batch_size": 64,
    "phases.2.optimizer.learning_rate": 3e-2,
    "phases.2.optimizer.schedule": "cosine",
}
JOINT_DEMO: dict[str, Any] = {
    **SMALL,
    "phases.1.epochs": 12,
    "phases.1.contrastive.classes_per_batch": 20,
    "phases.1.contrastive.images_per_class": 2,
}


def contrastive_recipe(
    name: str,
    *,
    units: int,
    classifier_dropout: float,
    head_learning_rate: float = 1e-3,
    tuning_epochs: int = 10,
) -> Recipe:
    """HAL-C: Xception at 256 px, two projection phases, then the classifier; batch 16, tau 0.1.

    As in HAL-T, the statistics of batch normalisation stay those of ImageNet, and the validation
    part is cut by slide where there are slides.

    Args:
        name: The recipe's name.
        units: Of the projection head, 16 or 128 in the study.
        classifier_dropout: Of the classifier; the projection's is 0.2.
        head_learning_rate: Of the first phase.
        tuning_epochs: Of the second phase.
    """
    phases = (
        _view_phase("projection_head", "projection", "frozen", 7, head_learning_rate),
        _view_phase("projection", "projection", "full", tuning_epochs, 1e-5),
        Phase("classifier", "frozen", 20, optimizer=Optimizer("adam", 1e-3)),
    )
    return _recipe(name, units, classifier_dropout, phases, DEMO)


def joint_recipe(name: str) -> Recipe:
    """Both heads in one step: the heads alone as long as HAL-C's, then everything.

    Args:
        name: The recipe's name.
    """
    phases = (
        _view_phase("heads", "joint", "frozen", 7, 1e-3),
        _view_phase("joint", "joint", "full", 10, 1e-4),
    )
    recipe = _recipe(name, 128, 0.2, phases, JOINT_DEMO)
    # On features of length 1 the cross-entropy of 20 classes has little slope at first.
    return dataclasses.replace(recipe, normalize_features=False)


def _recipe(
    name: str, units: int, dropout: float, phases: tuple[Phase, ...], demo: dict[str, Any]
) -> Recipe:
    return Recipe(
        name=name,
        backbone="xception",
        weights="imagenet",
        input=Input(height=256, width=256),
        data=Data(split=SplitSettings(validation=0.2), smears=FULL_SMEARS),
        augment=hal_transfer(),
        dropout=dropout,
        normalize_features=True,
        projection=Projection(units=units, dropout=0.2),
        batch_size=16,
        seed=3001,
        phases=phases,
        scales={"demo": demo},
    )


def _view_phase(name: str, task: str, trainable: str, epochs: int, learning_rate: float) -> Phase:
    return Phase(
        name,
        trainable,
        epochs,
        task=task,
        batch_norm="frozen",
        optimizer=Optimizer("adam", learning_rate),
        augment=hal_projection(),
        contrastive=Contrastive("supcon_out", temperature=0.1),
    )
