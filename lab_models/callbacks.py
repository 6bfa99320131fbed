"""Keras callbacks that watch a training the way the report judges it.

They work on any Keras model with one classification output, in notebooks as in our commands::

    model.fit(x, y, callbacks=[MacroF1((x_val, y_val)), ConfusionMatrix((x_val, y_val))])
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from lab_models.labelled_batches import answers, predict_batches
from lab_models.learning_rate_range import LearningRateRangeTest
from lab_models.metrics import confusion_matrix, scores_of_confusion
from lab_models.report.figures import save_figure
from lab_models.report.plots import plot_confusion, plot_scatter
from lab_models.report.projection import ProjectionSettings, choose_points, project

__all__ = ["ConfusionMatrix", "FeatureScatter", "LearningRateRangeTest", "MacroF1"]


class MacroF1(keras.callbacks.Callback):
    """Adds the mean F1 of the classes to the logs of every epoch.

    Put it before callbacks that watch the value: ``EarlyStopping("val_macro_f1", mode="max")``.

    Args:
        data: Labelled images, see `lab_models.labelled_batches.labelled_batches`.
        name: Key in the logs and in the history.
        batch_size: Images at a time, where `data` are arrays.
    """

    def __init__(self, data: Any, name: str = "val_macro_f1", batch_size: int = 32) -> None:
        super().__init__()
        self.data = data
        self.name = name
        self.batch_size = batch_size

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Computes the value; classes that the data does not hold are left out of the mean."""
        confusion = _confusion(self.model, self.data, self.batch_size)
        if logs is not None:
            logs[self.name] = float(np.nanmean(scores_of_confusion(confusion)[2]))


class ConfusionMatrix(keras.callbacks.Callback):
    """Keeps the confusion matrix of every epoch, and draws it if wished.

    Args:
        data: Labelled images, see `lab_models.labelled_batches.labelled_batches`.
        classes: Class names; numbers by default.
        plot: PNG file to draw, with ``{epoch}`` for one a epoch (``"epoch_{epoch:03d}.png"``),
            without it always the newest. None draws nothing.
        normalised: Draw per cent of the true class instead of counts.
        batch_size: Images at a time, where `data` are arrays.

    Attributes:
        matrices: int64 ``(classes, classes)`` for every epoch, rows true, columns predicted.
    """

    def __init__(
        self,
        data: Any,
        classes: Sequence[str] = (),
        plot: str | Path | None = None,
        normalised: bool = True,
        batch_size: int = 32,
    ) -> None:
        super().__init__()
        self.data = data
        self.classes = tuple(classes)
        self.plot = None if plot is None else str(plot)
        self.normalised = normalised
        self.batch_size = batch_size
        self.matrices: list[np.ndarray] = []

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Forgets the matrices of an earlier fit."""
        self.matrices = []

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Computes and draws the matrix.

        Raises:
            ValueError: If the number of `classes` is not that of the model.
        """
        matrix = _confusion(self.model, self.data, self.batch_size)
        self.matrices.append(matrix)
        if self.plot is not None:
            names = _names(self.classes, len(matrix))
            figure = plot_confusion(matrix, names, self.normalised)
            save_figure(figure, Path(self.plot.format(epoch=epoch + 1)))


class FeatureScatter(keras.callbacks.Callback):
    """Lays out a layer's output in the plane every few epochs.

    Args:
        data: Labelled images, see `lab_models.labelled_batches.labelled_batches`.
        layer: Name of the layer; outputs with rows and columns are averaged over them, and
            features are L2-normalised.
        every: Epochs from one scatter to the next, at least 1.
        plot: As in `ConfusionMatrix`.
        classes: Class names; numbers by default.
        settings: Method (t-SNE, PCA, UMAP), number of points, seed.
        batch_size: Images at a time, where `data` are arrays.

    Attributes:
        places: For every epoch drawn (counted from 1): float32 ``(points, 2)``.
        labels: int64 ``(points,)``, the same for all.
    """

    def __init__(
        self,
        data: Any,
        layer: str,
        every: int = 1,
        plot: str | Path | None = None,
        classes: Sequence[str] = (),
        settings: ProjectionSettings | None = None,
        batch_size: int = 32,
    ) -> None:
        super().__init__()
        if every < 1:
            raise ValueError(f"every must be at least 1 epoch, got {every}.")
        self.data = data
        self.layer = layer
        self.every = every
        self.plot = None if plot is None else str(plot)
        self.classes = tuple(classes)
        self.settings = settings or ProjectionSettings()
        self.batch_size = batch_size
        self.places: dict[int, np.ndarray] = {}
        self.labels = np.zeros(0, np.int64)

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Finds the layer, so that a wrong name fails before the training.

        Raises:
            ValueError: If the model has no such layer, or is not functional or Sequential.
        """
        self.places = {}
        known = [layer.name for layer in self.model.layers]
        if self.layer not in known:
            raise ValueError(f"The model has no layer {self.layer!r}; it has: {', '.join(known)}.")

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Computes and draws the scatter."""
        if (epoch + 1) % self.every:
            return
        truth, outputs = predict_batches(self._features(), self.data, self.batch_size)
        features = outputs.astype(np.float32)
        if features.ndim > 2:
            features = features.mean(axis=tuple(range(1, features.ndim - 1)))
        features /= np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
        chosen = choose_points(len(features), self.settings)
        places = project(features[chosen], self.settings)
        if places is None:
            return  # all features are equal, as they can be before anything is learned
        self.places[epoch + 1], self.labels = places, truth[chosen]
        if self.plot is not None:
            names = _names(self.classes, int(truth.max()) + 1)
            title = f"{self.layer}, epoch {epoch + 1}, {len(places)} images"
            figure = plot_scatter(places, self.labels, names, title)
            save_figure(figure, Path(self.plot.format(epoch=epoch + 1)))

    def _features(self) -> keras.Model:
        try:
            inputs = self.model.inputs
            return keras.Model(inputs, self.model.get_layer(self.layer).output)
        except AttributeError:
            raise ValueError(
                "The output of a layer can only be had from functional and Sequential models, "
                f"got {type(self.model).__name__}."
            ) from None


def _confusion(model: Any, data: Any, batch_size: int) -> np.ndarray:
    truth, outputs = predict_batches(model, data, batch_size)
    classes = 2 if outputs.ndim == 1 or outputs.shape[-1] == 1 else outputs.shape[-1]
    if truth.min() < 0 or truth.max() >= classes:
        raise ValueError(
            f"The model has {classes} outputs, so labels must lie in 0..{classes - 1}; got "
            f"{int(truth.min())} to {int(truth.max())}."
        )
    return confusion_matrix(truth, answers(outputs), classes)


def _names(classes: tuple[str, ...], count: int) -> tuple[str, ...]:
    if classes and len(classes) < count:
        raise ValueError(f"{count} class names are needed, got {len(classes)}: {classes}.")
    return classes or tuple(map(str, range(count)))
