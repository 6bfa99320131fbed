"""What the recipes of study pbc have in common: trained from scratch on few images.

Not the study's own method (luminance, plain SGD, no augmentation, 0.71 to 0.95 by subset), but
one that learns more from the same images: colour; the middle of the image, where the cell is;
every rotation, flips, small changes of size, exposure and colour, and CutMix; AdamW with a cosine
course; label smoothing; and an average of the weights over epochs. Half the channels of ResNet18
leave time for 128 px, where chromatin and granules show better than at 96.
"""

from __future__ import annotations

from lab_models.recipes.phase import Loss, Optimizer, Phase
from lab_models.recipes.recipe import Data, Input, Recipe
from pipelines.augment_settings import AugmentSettings
from pipelines.split import SplitSettings


def scratch_recipe(subset: str, *, epochs: int, batch_size: int, learning_rate: float) -> Recipe:
    """ResNet18 of half width at 128 px from random weights on a nested subset of PBC.

    Args:
        subset: tiny, small or medium.
        epochs: Length of the only phase.
        batch_size: Images a step.
        learning_rate: Peak of the cosine course.
    """
    return Recipe(
        name=f"pbc_{subset}",
        backbone="resnet18_half",
        weights="random",
        input=Input(height=128, width=128, crop=0.8),
        data=Data(subset=subset, split=SplitSettings(by="given")),
        augment=AugmentSettings(
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
        ),
        dropout=0.2,
        batch_size=batch_size,
        seed=0,
        phases=(
            Phase(
                "from_scratch",
                "full",
                epochs,
                optimizer=Optimizer(
                    "adamw", learning_rate, "cosine", warmup_epochs=3, weight_decay=0.05
                ),
                loss=Loss(label_smoothing=0.1),
                average_weights=0.9,
            ),
        ),
        scales={
            "demo": {
                "backbone": "resnet10_half",
                "input.height": 96,
                "input.width": 96,
                "phases.0.epochs": max(8, epochs // 4),
            }
        },
    )
