"""What the recipes of study pbc have in common: trained from scratch on few images.

Not the study's own method (luminance, plain SGD, no augmentation, 0.71 to 0.95 by subset), but
one that learns more from the same images: colour; the middle of the image, where the cell is;
every rotation, flips, small changes of size, exposure and colour, and CutMix; AdamW with a cosine
course; label smoothing; and an average of the weights over epochs. Half the channels of ResNet18
leave time for 128 px, where chromatin and granules show better than at 96.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from lab_models.recipes.contrastive import Contrastive
from lab_models.recipes.phase import Loss, Optimizer, Phase
from lab_models.recipes.recipe import Data, Input, Recipe
from pipelines.augment_settings import AugmentSettings
from pipelines.split import SplitSettings

AUGMENT = AugmentSettings(
    rotation=0.5,
    translation=0.06,
    zoom=0.15,
    aspect=0.15,
    horizontal_flip=True,
    vertical_flip=True,
    contrast=0.15,
    exposure=0.1,
    colour=0.05,
    cutmix_probability=0.5,
)
# Views that are compared must keep their labels whole.
VIEWS = dataclasses.replace(AUGMENT, cutmix_probability=0.0)


def scratch_recipe(subset: str, *, epochs: int, batch_size: int, learning_rate: float) -> Recipe:
    """ResNet18 of half width at 128 px from random weights on a nested subset of PBC.

    Args:
        subset: tiny, small or medium.
        epochs: Length of the only phase.
        batch_size: Images a step.
        learning_rate: Peak of the cosine course.
    """
    phase = Phase(
        "from_scratch",
        "full",
        epochs,
        optimizer=_optimizer(learning_rate),
        loss=Loss(label_smoothing=0.1),
        average_weights=0.9,
    )
    demo = {"phases.0.epochs": max(8, epochs // 4)}
    return _recipe(f"pbc_{subset}", subset, (phase,), demo, batch_size)


def joint_recipe(
    subset: str, *, epochs: int, images_per_class: int, learning_rate: float
) -> Recipe:
    """The same network, trained with cross-entropy and SupCon in one step.

    An epoch makes two views of each image, so it takes twice the time of `scratch_recipe`'s.

    Args:
        subset: tiny, small or medium.
        epochs: Length of the only phase.
        images_per_class: Of each of the eight classes in a batch.
        learning_rate: Peak of the cosine course.
    """
    size, comparison = _balanced(images_per_class)
    phase = Phase(
        "joint",
        "full",
        epochs,
        task="joint",
        optimizer=_optimizer(learning_rate),
        loss=Loss(label_smoothing=0.1),
        average_weights=0.8,
        batch_size=size,
        augment=VIEWS,
        contrastive=comparison,
    )
    demo = {"phases.0.epochs": max(8, epochs // 4)}
    return _recipe(f"pbc_{subset}_joint", subset, (phase,), demo, size)


def contrastive_recipe(
    subset: str, *, epochs: int, images_per_class: int, learning_rate: float
) -> Recipe:
    """The same network in the three steps of HAL-C.

    Args:
        subset: tiny, small or medium.
        epochs: Length of the second phase, which takes nearly all the time.
        images_per_class: Of each of the eight classes in a batch of the first two phases.
        learning_rate: Peak of its cosine course.
    """
    size, comparison = _balanced(images_per_class)
    phases = (
        Phase(
            "projection_head",
            "frozen",
            1,
            task="projection",
            batch_size=size,
            augment=VIEWS,
            contrastive=comparison,
        ),
        Phase(
            "projection",
            "full",
            epochs,
            task="projection",
            optimizer=_optimizer(learning_rate),
            average_weights=0.8,
            batch_size=size,
            augment=VIEWS,
            contrastive=comparison,
        ),
        Phase(
            "classifier",
            "frozen",
            40,
            optimizer=Optimizer("adam", 0.03, "cosine"),
            # Not augmented: see `lab_models.recipes.hal_contrastive`.
            augment=AugmentSettings(),
            cached_views=1,
        ),
    )
    demo = {"phases.1.epochs": max(8, epochs // 4)}
    recipe = _recipe(f"pbc_{subset}_contrastive", subset, phases, demo, 32)
    return dataclasses.replace(recipe, normalize_features=True)


def _balanced(images_per_class: int) -> tuple[int, Contrastive]:
    """Batch size, and batches that show each image its own class and all the others."""
    return 8 * images_per_class, Contrastive(
        classes_per_batch=8, images_per_class=images_per_class, share=0.5
    )


def _optimizer(learning_rate: float) -> Optimizer:
    return Optimizer("adamw", learning_rate, "cosine", warmup_epochs=3, weight_decay=0.05)


def _recipe(
    name: str, subset: str, phases: tuple[Phase, ...], demo: dict[str, Any], batch_size: int
) -> Recipe:
    return Recipe(
        name=name,
        backbone="resnet18_half",
        weights="random",
        input=Input(height=128, width=128, crop=0.8),
        data=Data(subset=subset, split=SplitSettings(by="given")),
        augment=AUGMENT,
        dropout=0.2,
        batch_size=batch_size,
        seed=0,
        phases=phases,
        scales={
            "demo": {"backbone": "resnet10_half", "input.height": 96, "input.width": 96, **demo}
        },
    )
