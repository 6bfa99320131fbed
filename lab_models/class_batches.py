"""How a phase's batches are put together, and whether the images suffice for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from pipelines.balanced_sampling import ClassBatches
from pipelines.batch_rows import steps_of

if TYPE_CHECKING:
    from lab_models.recipes import Phase, Recipe
    from pipelines.manifest import Manifest


def class_batches(phase: Phase) -> ClassBatches | None:
    """P classes with K images each in every batch, if the phase says so."""
    settings = phase.contrastive
    if not phase.compares_views or not settings.classes_per_batch:
        return None
    return ClassBatches(settings.classes_per_batch, settings.images_per_class)


def check_batches(
    recipe: Recipe, phase: Phase, manifest: Manifest, say: Callable[[str], None]
) -> None:
    """Checks that the training images make a batch, and says which of them it must repeat.

    Args:
        recipe: Gives the batch size.
        phase: One of its phases.
        manifest: With its split.
        say: Takes a line.

    Raises:
        LabError: If images, classes and batch size do not fit each other; names the numbers.
    """
    labels = manifest.label_ids[manifest.rows("train")]
    batches = class_batches(phase)
    steps_of(labels, recipe.batch_size_of(phase), batches)
    if batches is not None:
        counts = np.bincount(labels, minlength=len(manifest.classes))
        note = batches.describe_repeats(counts.tolist(), manifest.classes)
        if note:
            say(f"{phase.name}: {note}")
