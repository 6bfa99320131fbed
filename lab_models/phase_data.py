"""The data of a phase: images for a classifier, views for a projection, or stored features."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lab_models.class_batches import class_batches, minority_classes
from lab_models.contrastive.collapse import FIGURES, CollapseFigures
from lab_models.networks import Networks, phase_seed
from lab_models.phases import TrainingData
from lab_models.recipes import Phase, Recipe
from lab_models.runs import RunDirectory
from lab_models.stored_features import StoredViews, ViewSource, store_features
from pipelines.balanced_sampling import class_sample
from pipelines.batch_rows import BatchRows, check_class_weights, steps_of
from pipelines.class_weights import class_weights
from pipelines.image_cache import ImageCache
from pipelines.input_pipeline import for_fit, make_for_eval, make_for_train
from pipelines.manifest import Manifest
from pipelines.view_pipeline import make_for_views

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

WATCHED_IMAGES = 512
"""Most images that the collapse watch looks at after each epoch."""


@dataclass(frozen=True)
class PhaseData:
    """Makes the data of any phase of a recipe; called with the phase when it begins.

    Args:
        recipe: What is trained.
        manifest: With its split.
        cache: Decoded images.
        networks: Their frozen encoder gives stored features.
        run: Where stored features are kept until the phase ends.
        say: Takes one line of progress at a time.
    """

    recipe: Recipe
    manifest: Manifest
    cache: ImageCache
    networks: Networks
    run: RunDirectory
    say: Callable[[str], None] = print

    def __call__(self, phase: Phase) -> TrainingData:
        """The data of a phase.

        Raises:
            LabError: If batches, classes and images do not fit each other.
        """
        if phase.cached_views:
            batches_from, validation = self._stored(phase)
        elif phase.compares_views:
            batches_from, validation = self._views(phase), self._validation_views(phase)
        else:
            batches_from, validation = self._images(phase), self._validation(phase)
        files = [stored_features_path(self.run, phase, s) for s in ("train", "validation")]
        leftovers = tuple(files) if phase.cached_views else ()
        steps = self._steps(phase)
        if not phase.compares_views:
            return TrainingData(batches_from, steps, validation, leftovers=leftovers)
        loss = build_contrastive_loss(phase, self.manifest.classes, self._counts)
        watch = (self._collapse_watch(phase),)
        return TrainingData(batches_from, steps, validation, loss, watch, leftovers)

    @property
    def _rows(self) -> np.ndarray:
        return self.manifest.rows("train")

    @property
    def _counts(self) -> np.ndarray:
        labels = self.manifest.label_ids[self._rows]
        return np.bincount(labels, minlength=len(self.manifest.classes))

    @property
    def _weights(self) -> np.ndarray:
        data = self.recipe.data
        return class_weights(self._counts, data.class_weights, data.effective_beta)

    def _steps(self, phase: Phase) -> int:
        labels = self.manifest.label_ids[self._rows]
        return steps_of(labels, self.recipe.batch_size_of(phase), class_batches(phase))

    def _sampling(self, phase: Phase) -> str:
        return "natural" if class_batches(phase) else self.recipe.data.sampling

    def _images(self, phase: Phase) -> Callable[[int], tf.data.Dataset]:
        def batches_from(epoch: int) -> tf.data.Dataset:
            batches = make_for_train(
                self.manifest,
                self._rows,
                self.cache.contract,
                self.recipe.augment_of(phase),
                self.recipe.batch_size_of(phase),
                self.recipe.seed,
                start_epoch=epoch,
                class_weights=self._weights,
                sampling=self.recipe.data.sampling,
                cache=self.cache,
            )
            return for_fit(batches, len(self.manifest.classes))

        return batches_from

    def _validation(self, phase: Phase) -> tf.data.Dataset | None:
        held_back = self.manifest.rows("validation")
        if not len(held_back):
            return None
        size = self.recipe.batch_size_of(phase)
        batches = make_for_eval(
            self.manifest, held_back, self.cache.contract, size, cache=self.cache
        )
        return for_fit(batches, len(self.manifest.classes))

    def _views(self, phase: Phase) -> Callable[[int], tf.data.Dataset]:
        return lambda epoch: make_for_views(
            self.manifest,
            self._rows,
            self.cache.contract,
            self.recipe.batch_size_of(phase),
            self.recipe.seed,
            start_epoch=epoch,
            class_weights=self._weights,
            sampling=self._sampling(phase),
            class_batches=class_batches(phase),
            cache=self.cache,
        )

    def _validation_views(self, phase: Phase) -> tf.data.Dataset | None:
        held_back = self.manifest.rows("validation")
        size = self.recipe.batch_size_of(phase)
        # A contrastive loss depends on the size of its batch, so a last, smaller one is left out.
        if len(held_back) < size:
            return None
        # Mixed, because rows stand sorted by class, and a batch of one class has no negatives.
        mixed = np.random.default_rng(self.recipe.seed).permutation(held_back)
        whole = mixed[: len(mixed) // size * size]
        batches = make_for_eval(self.manifest, whole, self.cache.contract, size, cache=self.cache)
        return batches.map(lambda batch: (batch["image"], batch["label"]))

    def _stored(self, phase: Phase) -> tuple[Callable[[int], Any], tf.data.Dataset | None]:
        views = phase.contrastive.views if phase.compares_views else 1
        size = self.recipe.batch_size_of(phase)
        source = ViewSource(
            self.networks.classifier.encoder,
            self.cache,
            self.recipe.augment_of(phase),
            phase_seed(self.recipe, phase),
            size,
        )
        labels = np.asarray(self.manifest.label_ids, np.int32)
        order = BatchRows(
            self._rows,
            labels[self._rows],
            size,
            self.recipe.seed,
            self._sampling(phase),
            class_batches(phase),
        )
        path = stored_features_path(self.run, phase, "train")
        features = store_features(source, self._rows, phase.cached_views, path, self.say)
        weights = check_class_weights(self._weights, self.manifest)
        stored = StoredViews(features, self._rows, labels, weights, order)
        finish = (lambda b: b) if phase.compares_views else self._for_classifier

        def batches_from(epoch: int) -> tf.data.Dataset:
            return finish(stored.batches(order.first_step(epoch), views))

        return batches_from, self._stored_validation(phase, source)

    def _stored_validation(self, phase: Phase, source: ViewSource) -> tf.data.Dataset | None:
        import tensorflow as tf

        held_back = self.manifest.rows("validation")
        size = self.recipe.batch_size_of(phase)
        if not len(held_back) or (phase.compares_views and len(held_back) < size):
            return None
        views = phase.contrastive.views if phase.compares_views else 0
        path = stored_features_path(self.run, phase, "validation")
        features = np.array(store_features(source, held_back, views, path, self.say))
        labels = np.asarray(self.manifest.label_ids, np.int32)[held_back]
        order = np.random.default_rng(self.recipe.seed).permutation(len(labels))
        weights = np.ones(len(labels), np.float32)
        batches = tf.data.Dataset.from_tensor_slices((features[order], labels[order], weights))
        if phase.compares_views:
            return batches.batch(size, drop_remainder=True)
        return self._for_classifier(batches.batch(size))

    def _for_classifier(self, batches: tf.data.Dataset) -> tf.data.Dataset:
        import tensorflow as tf

        count = len(self.manifest.classes)
        return batches.map(lambda f, label, w: (f[:, 0], tf.one_hot(label, count), w))

    def _collapse_watch(self, phase: Phase) -> keras.callbacks.Callback:
        from lab_models.contrastive.collapse_watch import CollapseWatch

        rows = self._watched_rows()
        projection = self.networks.require_projection(phase)
        images, embed = self.cache.get(rows), projection
        if phase.cached_views:
            images = self.networks.classifier.encoder.predict(images, verbose=0)
            embed = projection.head
        return CollapseWatch(
            images,
            np.asarray(self.manifest.label_ids)[rows],
            embed,
            self.recipe.collapse,
            batch_size=self.recipe.batch_size_of(phase),
            earlier=_earlier_figures(self.run, phase),
        )

    def _watched_rows(self) -> np.ndarray:
        """Some of every class, of the validation part where it holds two classes or more."""
        labels = np.asarray(self.manifest.label_ids)
        rows = self.manifest.rows("validation")
        if len(np.unique(labels[rows])) < 2:
            rows = self._rows
        each = max(2, WATCHED_IMAGES // len(self.manifest.classes))
        return rows[class_sample(labels[rows], each, self.recipe.seed)]


def _earlier_figures(run: RunDirectory, phase: Phase) -> tuple[CollapseFigures, ...]:
    """What the watch saw of this phase before the run was stopped."""
    if not run.history.exists():
        return ()
    history = pd.read_csv(run.history)
    if not set(FIGURES) <= set(history.columns):
        return ()
    rows = history.loc[history["phase"] == phase.name, list(FIGURES)]
    return tuple(CollapseFigures(*values) for values in rows.itertuples(index=False))


def stored_features_path(run: RunDirectory, phase: Phase, split: str) -> Path:
    """The file of a phase's stored features."""
    return run.checkpoints / f"features_{phase.name}_{split}.npy"


def build_contrastive_loss(
    phase: Phase, classes: tuple[str, ...], counts: np.ndarray
) -> keras.losses.Loss:
    """The contrastive loss of a phase.

    Args:
        phase: See `lab_models.recipes.contrastive.Contrastive`.
        classes: Class names in order.
        counts: Training images of each class, ``(classes,)``.

    Raises:
        LabError: If a minority class is no class of the data.
    """
    from lab_models.contrastive.losses import contrastive_loss

    settings = phase.contrastive
    options: dict[str, Any] = {}
    if settings.loss == "supervised_minority":
        options["minority_classes"] = minority_classes(phase, classes, counts)
    if settings.loss == "supervised_prototypes":
        options["classes"] = len(classes)
    return contrastive_loss(settings.loss, temperature=settings.temperature, **options)
