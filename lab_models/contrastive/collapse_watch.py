"""A callback that watches whether embeddings collapse, and ends a training that is lost."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from lab_models.contrastive.collapse import (
    CollapseFigures,
    CollapseSettings,
    collapse_figures,
    collapsed_epochs,
)
from lab_models.labelled_batches import label_numbers
from tflite.runtime.errors import LabError

ACTIONS = ("raise", "stop", "warn")

CURES = (
    "What helps, the surest first: train the projection head alone with the encoder frozen before "
    "both; lower the learning rate{rate} or warm it up over the first epochs; balanced batches of "
    "a fixed number of classes (class batches); a larger batch; another temperature."
)


class CollapsedError(LabError):
    """The embeddings of a training have collapsed."""


class CollapseWarning(UserWarning):
    """The embeddings of a training have collapsed."""


class CollapseWatch(keras.callbacks.Callback):
    """Measures embeddings after every epoch, and ends a training whose embeddings collapse.

    It adds ``mean_cosine``, ``effective_rank``, ``alignment`` and ``uniformity`` (see
    `lab_models.contrastive.collapse`) to the logs, so put it before callbacks that read them,
    such as ``CSVLogger``; Keras's own history comes last anyway::

        watch = CollapseWatch(images, labels)
        model.fit(batches, callbacks=[watch, keras.callbacks.CSVLogger("history.csv")])

    Nothing is judged before the first epoch: the cosines of an untrained network are near 1.
    A collapsed training is ended after its epoch is over and recorded: ``raise`` raises at the
    end of ``fit``.

    Args:
        images: Images to measure, ``(n, height, width, 3)``, pixel values 0..255, or whatever
            `embed` takes; integers are handed on as float32. A few dozen of each class will do
            (`pipelines.balanced_sampling.class_sample` chooses them). Not augmented.
        labels: Their classes: integers ``(n,)`` or one-hot ``(n, classes)``; at least two.
        embed: Gives embeddings ``(batch, units)`` of a batch of images; a model or any function.
            None takes the model that is trained.
        settings: When embeddings count as collapsed.
        action: ``raise`` ends the training with a `CollapsedError`, ``stop`` ends it with a
            warning, ``warn`` lets it go on.
        batch_size: Images at a time.
        earlier: Figures of the epochs before, of a training that goes on where it was stopped.

    Attributes:
        epochs: `CollapseFigures` after each epoch of the last fit, after `earlier`.

    Raises:
        CollapsedError: If `earlier` ends in a collapse for which this watch would raise.
        LabError: If there is no such action, or the images hold a single class.
    """

    def __init__(
        self,
        images: Any,
        labels: Any,
        embed: Callable[[Any], Any] | None = None,
        settings: CollapseSettings | None = None,
        action: str = "raise",
        batch_size: int = 64,
        earlier: Sequence[CollapseFigures] = (),
    ) -> None:
        super().__init__()
        if action not in ACTIONS:
            raise LabError(f"action must be one of {list(ACTIONS)}, got {action!r}.")
        if batch_size < 1:
            raise LabError(f"batch_size must be at least 1, got {batch_size}.")
        self.images, self.labels = images, _checked_labels(images, labels)
        self.embed, self.action, self.batch_size = embed, action, batch_size
        self.settings = settings or CollapseSettings()
        self.earlier = tuple(earlier)
        self.epochs = list(self.earlier)
        self._units = 0
        self._finding = ""
        # Here, since a training whose epochs are all done would never begin again.
        if action == "raise" and self._streak() >= self.settings.patience:
            raise CollapsedError(self._describe("the last one before this start"))

    def measure(self) -> CollapseFigures:
        """The figures at this moment.

        Raises:
            LabError: If the embeddings are no matrix, or are not finite.
        """
        parts = []
        for start in range(0, len(self.labels), self.batch_size):
            images = self.images[start : start + self.batch_size]
            if np.issubdtype(np.dtype(images.dtype), np.integer):
                images = np.asarray(images, np.float32)
            parts.append(_as_embeddings(self._embed(images)))
        embeddings = np.concatenate(parts)
        self._units = embeddings.shape[1]
        return collapse_figures(embeddings, self.labels)

    def _embed(self, images: Any) -> Any:
        embed = self.model if self.embed is None else self.embed
        # Called, not predicted: under tf.distribute every replica would predict the batch.
        return embed(images, training=False) if isinstance(embed, keras.Model) else embed(images)

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Forgets an earlier fit."""
        self.epochs, self._finding = list(self.earlier), ""

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Measures, adds the figures to `logs`, and judges."""
        figures = self.measure()
        self.epochs.append(figures)
        if logs is not None:
            logs.update(figures.to_dict())
        streak = self._streak()
        if streak < self.settings.patience:
            return
        self._finding = self._describe(f"epoch {epoch + 1}")
        if self.action != "warn":
            self.model.stop_training = True
        if self.action != "raise" and streak == self.settings.patience:
            warnings.warn(self._finding, CollapseWarning, stacklevel=2)

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Raises CollapsedError if the training was ended for a collapse."""
        if self._finding and self.action == "raise":
            raise CollapsedError(self._finding)

    def _streak(self) -> int:
        return collapsed_epochs(self.epochs, self.settings)

    def _describe(self, last: str) -> str:
        figures, settings, epochs = self.epochs[-1], self.settings, self._streak()
        units = f" of {self._units}" if self._units else ""
        limits = f"mean cosine {figures.mean_cosine:.6f} (limit {settings.largest_mean_cosine:g})"
        rank = f"effective rank {figures.effective_rank:.1f}{units}"
        if settings.smallest_effective_rank > 1:
            rank += f" (limit {settings.smallest_effective_rank:g})"
        rate = _learning_rate(self.model)
        return (
            f"The embeddings of {len(self.labels)} images have collapsed: {limits}, {rank}, "
            f"alignment {figures.alignment:.2g}, uniformity {figures.uniformity:.2g}; "
            f"{epochs} epochs in a row, up to {last}. "
            + CURES.format(rate="" if rate is None else f" (now {rate:.2g})")
        )


def _checked_labels(images: Any, labels: Any) -> np.ndarray:
    numbers = label_numbers(labels)
    if len(images) != len(numbers):
        raise LabError(
            f"Every image needs one label, got {len(images)} images and {len(numbers)} labels."
        )
    found = len(np.unique(numbers))
    if found < 2:
        raise LabError(
            f"The collapse watch needs images of at least 2 classes, got {found}: images of one "
            "class may well lie at one point."
        )
    return numbers


def _as_embeddings(outputs: Any) -> np.ndarray:
    shape = getattr(outputs, "shape", None)
    if shape is None or len(shape) != 2:
        found = f"{type(outputs).__name__}" if shape is None else f"the shape {tuple(shape)}"
        raise LabError(
            f"Embeddings must be one array (images, units), got {found}. Give the part of the "
            "model that embeds as `embed`."
        )
    return np.asarray(keras.ops.convert_to_numpy(outputs), np.float64)


def _learning_rate(model: Any) -> float | None:
    optimizer = getattr(model, "optimizer", None)
    if optimizer is None:
        return None
    return float(keras.ops.convert_to_numpy(optimizer.learning_rate))
