"""Short trainings of a ``tf_keras`` twin, from a network that is trained already.

Quantisation-aware training, pruning and clustering all need one; they differ in what is wrapped
around the layers meanwhile.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tflite.runtime.errors import LabError

if TYPE_CHECKING:
    import keras
    import tensorflow as tf
    import tf_keras

Say = Callable[[str], None]


@dataclass(frozen=True)
class FineTuneSettings:
    """A short fine-tuning that starts from a trained network.

    Args:
        epochs: Passes of ``steps`` batches.
        learning_rate: Of Adam at the first step; falls to 0 as a cosine. Small: the network is
            trained already, and only has to move by some quantisation steps.
        freeze_batch_norm_after: Epochs after which batch normalisation keeps its statistics and
            computes as it will on the device (Krishnamoorthi 2018, section 4.2). 0, the default,
            keeps those of the trained network throughout, which small batches cannot spoil; None
            never does, for weights that change much.
        distillation: Share of the target that the untouched network's scores make up, the rest
            is the label (Hinton et al. 2015 at temperature 1). 1, the default, trains towards
            the answers that were validated; labels alone make it another network.
        keep_best: Whether the epoch with the highest validation accuracy wins, the state before
            the first among them; else, or without validation, the last.

    Raises:
        LabError: If a value is out of range.
    """

    epochs: int = 3
    learning_rate: float = 3e-5
    freeze_batch_norm_after: int | None = 0
    distillation: float = 1.0
    keep_best: bool = True

    def __post_init__(self) -> None:
        wrong = [
            f"{name} must be {limits}, got {getattr(self, name)}"
            for name, limits, fits in (
                ("epochs", "1 or more", self.epochs >= 1),
                ("learning_rate", "above 0", self.learning_rate > 0),
                ("freeze_batch_norm_after", "0 or more", (self.freeze_batch_norm_after or 0) >= 0),
                ("distillation", "in 0..1", 0 <= self.distillation <= 1),
            )
            if not fits
        ]
        if wrong:
            raise LabError(f"{'; '.join(wrong)}.")


def steps_of(training: tf.data.Dataset, steps: int | None) -> int:
    """Batches of an epoch: `steps`, or those of a finite dataset.

    Raises:
        LabError: If the dataset is endless or its length unknown, and `steps` is None.
    """
    if steps is not None:
        return steps
    count = int(training.cardinality().numpy())
    if count <= 0:
        raise LabError(
            "The training batches are endless or of unknown number: say how many make an epoch "
            "(steps=)."
        )
    return count


@dataclass
class Trainer:
    """The loop: epochs, validation, normalisation frozen in time, the best epoch kept.

    Args:
        model: ``tf_keras``, images to logits; trained in place.
        training: Batches of (images, labels[, weights]) as `tflite.qat` describes them.
        validation: See there.
        steps: Batches an epoch.
        settings: Of the training.
        teacher: Keras 3 classifier whose scores are distilled.
        say: Takes one line of progress at a time.
        callback: Of TFMOT: told of the training's beginning, of each step's, and of each
            epoch's end, before validation.
    """

    model: tf_keras.Model
    training: tf.data.Dataset
    validation: tf.data.Dataset | None
    steps: int
    settings: FineTuneSettings
    teacher: keras.Model | None
    say: Say
    callback: tf_keras.callbacks.Callback | None = None

    def run(self) -> tuple[dict[str, float], ...]:
        """Trains; gives the history, row 0 being the state before."""
        import tf_keras

        total = self.steps * self.settings.epochs
        schedule = tf_keras.optimizers.schedules.CosineDecay(self.settings.learning_rate, total)
        optimizer = tf_keras.optimizers.Adam(schedule)
        self._prepare(optimizer, 0)
        history = [{"epoch": 0.0, **self._validate()}]
        best, weights = history[0].get("val_accuracy", -1.0), self.model.get_weights()
        batches = self._endless()
        if self.callback is not None:
            self.callback.set_model(self.model)
            self.callback.on_train_begin()
        for epoch in range(1, self.settings.epochs + 1):
            if epoch > 1 and epoch - 1 == self.settings.freeze_batch_norm_after:
                self._prepare(optimizer, epoch - 1)
            row = self._epoch(epoch, batches)
            history.append(row)
            self.say(describe_epoch(row, self.settings.epochs))
            if not self.settings.keep_best or row.get("val_accuracy", 0.0) > best:
                best, weights = row.get("val_accuracy", 0.0), self.model.get_weights()
        self.model.set_weights(weights)
        return tuple(history)

    def _prepare(self, optimizer: Any, epochs_done: int) -> None:
        import tf_keras

        after = self.settings.freeze_batch_norm_after
        if after is not None and epochs_done >= after:
            freeze_batch_norm(self.model)
        loss = tf_keras.losses.CategoricalCrossentropy(from_logits=True)
        # Labels may be soft; the class with the largest share counts as the right one.
        self.model.compile(optimizer, loss, weighted_metrics=[], metrics=["categorical_accuracy"])

    def _endless(self) -> Iterator[Any]:
        while True:
            empty = True
            for batch in self.training:
                empty = False
                yield batch
            if empty:
                raise LabError("There are no training batches.")

    def _epoch(self, epoch: int, batches: Iterator[Any]) -> dict[str, float]:
        started = time.perf_counter()
        self.model.reset_metrics()
        figures: dict[str, float] = {}
        for step in range(self.steps):
            if self.callback is not None:
                self.callback.on_train_batch_begin((epoch - 1) * self.steps + step)
            images, labels, *weights = next(batches)
            figures = self.model.train_on_batch(
                images, self._targets(images, labels), *weights, reset_metrics=False,
                return_dict=True,
            )  # fmt: skip
            if not math.isfinite(figures["loss"]):
                raise LabError(
                    f"The loss is no longer a number in epoch {epoch}: train with a lower "
                    "learning rate."
                )
        if self.callback is not None:
            self.callback.on_epoch_end(epoch)
        row = {"epoch": float(epoch), **_renamed(figures), **self._validate()}
        return {**row, "seconds": round(time.perf_counter() - started, 2)}

    def _targets(self, images: Any, labels: Any) -> Any:
        share = self.settings.distillation
        if self.teacher is None or not share:
            return labels
        return (1 - share) * labels + share * self._teach(self.teacher, images)

    def _teach(self, teacher: keras.Model, images: Any) -> Any:
        import tensorflow as tf

        if not hasattr(self, "_teacher"):
            self._teacher = tf.function(lambda b: teacher(b, training=False), autograph=False)
        return self._teacher(images)

    def _validate(self) -> dict[str, float]:
        if self.validation is None:
            return {}
        figures = self.model.evaluate(self.validation, verbose=0, return_dict=True)
        return {f"val_{name}": value for name, value in _renamed(figures).items()}


def freeze_batch_norm(model: tf_keras.Model) -> None:
    """Makes batch normalisation compute with its statistics, in training too.

    The model must be compiled anew afterwards.

    Args:
        model: ``tf_keras``, its layers wrapped or not; changed in place.
    """
    import tf_keras

    from tflite.tf_keras_weights import unwrap

    for layer in map(unwrap, model.layers):
        if isinstance(layer, tf_keras.layers.BatchNormalization):
            layer.trainable = False


def _renamed(figures: dict[str, float]) -> dict[str, float]:
    return {
        {"categorical_accuracy": "accuracy"}.get(name, name): float(value)
        for name, value in figures.items()
    }


def describe_epoch(row: Mapping[str, float], epochs: int) -> str:
    """A line of progress.

    Args:
        row: Of a history.
        epochs: How many there will be.
    """
    names = ("loss", "val_loss", "val_accuracy", "val_agreement")
    shown = ", ".join(f"{name} {row[name]:.4f}" for name in names if name in row)
    return f"epoch {row['epoch']:.0f} of {epochs}: {shown}, {row['seconds']:.0f} s"
