"""The batches on which a finished run's classifier is trained on: those it was trained with.

Quantisation-aware training, pruning and clustering of a run use them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lab_models.runs import RunDirectory, read_json
from tflite.runtime.errors import LabError

if TYPE_CHECKING:
    import tensorflow as tf

    from lab_models.recipes import Phase, Recipe
    from pipelines.image_cache import ImageCache
    from pipelines.manifest import Manifest


@dataclass(frozen=True)
class FineTuningData:
    """Data of a short training.

    Args:
        training: Endless batches of (images float32 ``(batch, height, width, 3)`` in 0..255,
            labels float32 ``(batch, classes)``, weights float32 ``(batch,)``), augmented as in
            the run's last classifier phase.
        steps: Batches an epoch.
        validation: The validation images once, in the same form, not augmented.
    """

    training: tf.data.Dataset
    steps: int
    validation: tf.data.Dataset


def fine_tuning_data(run: RunDirectory, data_root: Path | None = None) -> FineTuningData:
    """The data of a finished run, as its last phase that trains the classifier had it.

    Args:
        run: Its recipe gives augmentation, batch size, class weights, sampling and seed, its
            manifest the images.
        data_root: Where the images are now; None takes the folder they were in.

    Raises:
        LabError: If the images are gone, or the run has no validation images.
    """
    from lab_models.train import load_recipe
    from pipelines.batch_rows import steps_of
    from pipelines.image_cache import ImageCache
    from pipelines.input_pipeline import for_fit, make_for_eval

    recipe = load_recipe(run)
    manifest = run_manifest(run, data_root)
    rows, held_back = manifest.rows("train"), manifest.rows("validation")
    if not len(held_back):
        raise LabError(f"{run.path} has no validation images, by which the best epoch is chosen.")
    cache = ImageCache(manifest, run.contract, rows=np.concatenate([rows, held_back]))
    size = _batch_size(recipe)
    validation = make_for_eval(manifest, held_back, run.contract, size, cache=cache)
    return FineTuningData(
        _training(recipe, manifest, cache, size),
        steps_of(np.asarray(manifest.label_ids)[rows], size),
        for_fit(validation, len(manifest.classes)),
    )


def run_manifest(run: RunDirectory, data_root: Path | None = None) -> Manifest:
    """The run's manifest, its images where they are now.

    Raises:
        LabError: If that folder does not exist.
    """
    from pipelines.manifest import read_manifest

    root = data_root or Path(read_json(run.require(run.environment))["data_root"])
    if not root.is_dir():
        raise LabError(
            f"The images of {run.path} are no longer in {root}. Put them back, or say where they "
            "are with --data-root."
        )
    return read_manifest(run.require(run.manifest), classes=run.classes, root=root)


def _batch_size(recipe: Recipe) -> int:
    return recipe.batch_size_of(_classifier_phase(recipe))


def _classifier_phase(recipe: Recipe) -> Phase:
    return [phase for phase in recipe.phases if not phase.compares_views][-1]


def _training(recipe: Recipe, manifest: Manifest, cache: ImageCache, size: int) -> tf.data.Dataset:
    from pipelines.class_weights import class_weights
    from pipelines.input_pipeline import for_fit, make_for_train

    rows = manifest.rows("train")
    labels = np.asarray(manifest.label_ids)[rows]
    counts = np.bincount(labels, minlength=len(manifest.classes))
    data = recipe.data
    batches = make_for_train(
        manifest,
        rows,
        cache.contract,
        recipe.augment_of(_classifier_phase(recipe)),
        size,
        recipe.seed,
        class_weights=class_weights(counts, data.class_weights, data.effective_beta),
        sampling=data.sampling,
        cache=cache,
    )
    return for_fit(batches, len(manifest.classes))
