"""What the transfer-learning recipes of study hairy have in common."""

from __future__ import annotations

from typing import Any

from lab_models.recipes.phase import Optimizer, Phase
from lab_models.recipes.recipe import Data, Input, Recipe
from pipelines.augment_settings import hal_transfer
from pipelines.smear import SmearSettings
from pipelines.split import SplitSettings

# All of the study's images, drawn synthetically at its size, for want of the real ones.
FULL_SMEARS = SmearSettings(images=91_986, size=256, seed=3001)
DEMO_SMEARS = SmearSettings(images=6_000, size=96, seed=3001)

# The same code with a smaller net and smaller images, for two cores and ten minutes. From random
# weights a frozen backbone has nothing to offer, so the first phase is kept to a single epoch,
# and batch normalisation must learn its statistics.
DEMO: dict[str, Any] = {
    "backbone": "resnet10_half",
    "weights": "random",
    "input.height": 96,
    "input.width": 96,
    "batch_size": 32,
    "data.sampling": "balanced",
    "data.smears.images": DEMO_SMEARS.images,
    "data.smears.size": DEMO_SMEARS.size,
    "augment.horizontal_flip": True,
    "augment.colour": 0.1,
    "augment.exposure": 0.1,
    "phases.0.epochs": 1,
    "phases.1.epochs": 24,
    "phases.1.batch_norm": "update",
    "phases.1.average_weights": 0.8,
    "phases.1.optimizer.name": "adamw",
    "phases.1.optimizer.learning_rate": 2e-3,
    "phases.1.optimizer.weight_decay": 0.02,
    "phases.1.optimizer.schedule": "cosine",
    "phases.1.optimizer.warmup_epochs": 1,
}


def transfer_recipe(name: str, *, top_epochs: int, tuning_epochs: int, batch_size: int) -> Recipe:
    """HAL-T: Xception at 256 px, the dense layer first, then everything.

    Two things the study leaves open are set here: the statistics of batch normalisation stay
    those of ImageNet, as in Keras's own guide to fine-tuning; and the validation part (0.2) is
    cut by slide where there are slides.

    Args:
        name: The recipe's name.
        top_epochs: Epochs with the backbone frozen, at 1e-3.
        tuning_epochs: Epochs of everything, at 1e-4.
        batch_size: Images a step.
    """
    return Recipe(
        name=name,
        backbone="xception",
        weights="imagenet",
        input=Input(height=256, width=256),
        data=Data(split=SplitSettings(validation=0.2), smears=FULL_SMEARS),
        augment=hal_transfer(),
        dropout=0.2,
        batch_size=batch_size,
        seed=3001,
        phases=(
            Phase("top_layer", "frozen", top_epochs, optimizer=Optimizer("adam", 1e-3)),
            Phase(
                "fine_tuning",
                "full",
                tuning_epochs,
                batch_norm="frozen",
                optimizer=Optimizer("adam", 1e-4),
            ),
        ),
        scales={"demo": DEMO},
    )
