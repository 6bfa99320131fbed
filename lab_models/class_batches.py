"""How a phase's batches are put together, and whether the images suffice for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from lab_models.suggest import unknown_name
from pipelines.balanced_sampling import ClassBatches
from pipelines.batch_rows import steps_of
from tflite.runtime.errors import LabError

if TYPE_CHECKING:
    from lab_models.recipes import Phase, Recipe
    from pipelines.manifest import Manifest


def class_batches(phase: Phase) -> ClassBatches | None:
    """P classes with K images each in every batch, if the phase says so."""
    settings = phase.contrastive
    if not phase.compares_views or not settings.classes_per_batch:
        return None
    return ClassBatches(settings.classes_per_batch, settings.images_per_class)


def minority_classes(phase: Phase, classes: Sequence[str], counts: np.ndarray) -> tuple[int, ...]:
    """Ids of the classes that ``supervised_minority`` takes for rare.

    Args:
        phase: Names them, or none, which takes those with no more images than the mean.
        classes: Class names in order.
        counts: Training images of each class, ``(classes,)``.

    Raises:
        LabError: If a name is no class of the data.
    """
    named = phase.contrastive.minority
    for name in named:
        if name not in classes:
            raise LabError(unknown_name("class", name, classes))
    if named:
        return tuple(list(classes).index(name) for name in named)
    return tuple(int(i) for i in np.flatnonzero(counts <= counts.mean()))


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
    try:
        steps_of(labels, recipe.batch_size_of(phase), batches)
    except LabError as error:
        fields = "contrastive.classes_per_batch and contrastive.images_per_class"
        told = f" (class_batches are {fields} of the phase)" if batches else ""
        raise LabError(f"Phase {phase.name!r}: {error}{told}") from None
    counts = np.bincount(labels, minlength=len(manifest.classes))
    minority_classes(phase, manifest.classes, counts)
    if batches is not None:
        note = batches.describe_repeats(counts.tolist(), manifest.classes)
        if note:
            say(f"{phase.name}: {note}")
