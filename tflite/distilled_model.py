"""The Keras model that `tflite.distillation` fits: a student with its teacher at its side."""

from __future__ import annotations

import math
import time
from typing import Any

import keras
from keras import ops

from tflite.fine_tuning import Say, describe_epoch
from tflite.runtime.errors import LabError


def distillation_loss(taught: Any, answered: Any, temperature: float) -> Any:
    """How far the student's scores are from the teacher's, 0 where they are equal.

    The Kullback-Leibler divergence of the scores at a temperature, times its square, which keeps
    the gradients' size at every temperature (Hinton et al. 2015, section 2.1).

    Args:
        taught: Teacher's logits ``(batch, classes)``.
        answered: Student's.
        temperature: Above 0.

    Returns:
        ``(batch,)``, 0 or above.
    """
    target = ops.log_softmax(taught / temperature)
    answer = ops.log_softmax(answered / temperature)
    return temperature**2 * ops.sum(ops.exp(target) * (target - answer), axis=-1)


class DistilledModel(keras.Model):
    """Fits a student's logits to its teacher's; only the student has weights to train.

    Args:
        student: Images to logits ``(batch, classes)``; its weights are used, not copied.
        teacher: The same; never changed.
        temperature: See `distillation_loss`.
        share: Share of the loss that the teacher makes up, 0..1; the rest is the label's
            cross-entropy.
    """

    def __init__(
        self, student: keras.Model, teacher: keras.Model, temperature: float, share: float
    ) -> None:
        super().__init__(name="distilled")
        self.student, self.temperature, self.share = student, temperature, share
        self.agreement = keras.metrics.CategoricalAccuracy("agreement")
        # A function, not the model: Keras would count the teacher's weights as ours.
        self._teach = lambda images: teacher(images, training=False)
        self.built = True

    def call(self, images: Any, training: bool = False) -> Any:
        """The student's logits."""
        return self.student(images, training=training)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """The weighed mean over the batch of both parts of the loss."""
        taught = self._teach(x)
        self.agreement.update_state(taught, y_pred)
        losses = self.share * distillation_loss(taught, y_pred, self.temperature)
        if self.share < 1:
            entropy = ops.categorical_crossentropy(y, y_pred, from_logits=True)
            losses = losses + (1 - self.share) * entropy
        return ops.mean(losses if sample_weight is None else losses * sample_weight)


class KeepBestEpoch(keras.callbacks.Callback):
    """Keeps the history, tells of each epoch, and leaves the best one's weights at the end.

    Best is the highest agreement with the teacher on the validation images, and of equals the
    lowest loss on them: accuracy above the teacher's own is mostly chance.

    Args:
        first: The history's row of the state before training; that may stay the best.
        epochs: How many there will be.
        say: Takes one line of progress at a time.

    Attributes:
        history: The rows so far, `first` among them.
        best: The row that is kept.
    """

    def __init__(self, first: dict[str, float], epochs: int, say: Say) -> None:
        super().__init__()
        self.history, self.best = [first], first
        self._epochs, self._say = epochs, say
        self._weights: list[Any] = []
        self._started = 0.0

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Keeps the state before training."""
        self._weights = self.model.get_weights()

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Starts the clock."""
        self._started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Adds a row; keeps the weights if they are the best so far.

        Raises:
            LabError: If the loss is no longer a number.
        """
        figures = {name: float(value) for name, value in (logs or {}).items()}
        if not math.isfinite(figures["loss"]):
            raise LabError(
                f"The loss is no longer a number in epoch {epoch + 1}: train with a lower learning "
                "rate."
            )
        seconds = round(time.perf_counter() - self._started, 2)
        row = {"epoch": epoch + 1.0, **figures, "seconds": seconds}
        self.history.append(row)
        self._say(describe_epoch(row, self._epochs))
        if _rank(row) > _rank(self.best):
            self.best, self._weights = row, self.model.get_weights()

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Gives the best epoch's weights back."""
        self.model.set_weights(self._weights)


def _rank(row: dict[str, float]) -> tuple[float, float]:
    return row["val_agreement"], 0.0 - row["val_loss"]
