"""Training a network to answer as another one does (Hinton et al. 2015).

The teacher's logits say more of an image than its label: how sure the answer is, and what else it
might be. A student that is to replace the teacher is trained towards them, on the training batches
and for a few epochs; the epoch that does best on the validation images is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tflite.fine_tuning import Say, steps_of
from tflite.runtime.errors import LabError

if TYPE_CHECKING:
    import keras
    import tensorflow as tf


@dataclass(frozen=True)
class DistillationSettings:
    """How a student is trained.

    Args:
        epochs: Passes of ``steps`` batches.
        learning_rate: Of Adam at the first step; falls to 0 as a cosine. Well above that of
            quantisation-aware training, for the student starts far from its teacher's answers.
        temperature: Both networks' logits are divided by it before the softmax; above 1 the
            classes that were not the answer weigh more (Hinton et al. 2015, section 2).
        share: Share of the loss that the teacher makes up; the rest is the label's cross-entropy.
            1, the default, trains towards the answers that were validated.
        batch_norm_momentum: Share of the running statistics of batch normalisation that a step
            keeps, meanwhile. The 0.99 of most networks would carry statistics of the network
            as it was through a short training. None leaves each layer its own.

    Raises:
        LabError: If a value is out of range.
    """

    epochs: int = 4
    learning_rate: float = 5e-4
    temperature: float = 2.0
    share: float = 1.0
    batch_norm_momentum: float | None = 0.9

    def __post_init__(self) -> None:
        momentum = self.batch_norm_momentum
        wrong = [
            f"{name} must be {limits}, got {getattr(self, name)}"
            for name, limits, fits in (
                ("epochs", "1 or more", self.epochs >= 1),
                ("learning_rate", "above 0", self.learning_rate > 0),
                ("temperature", "above 0", self.temperature > 0),
                ("share", "in 0..1", 0 <= self.share <= 1),
                ("batch_norm_momentum", "in 0..1", momentum is None or 0 <= momentum < 1),
            )
            if not fits
        ]
        if wrong:
            raise LabError(f"{'; '.join(wrong)}.")


@dataclass(frozen=True)
class Distilled:
    """What a training did; the student holds the best epoch's weights.

    Args:
        history: One row an epoch: epoch, loss, accuracy, agreement (share of images with the
            teacher's class), the same with ``val_`` of the validation images, seconds. Row 0 is
            the state before training and has validation only.
        best: The row that was kept.
        settings: Of the training.
    """

    history: tuple[dict[str, float], ...]
    best: dict[str, float]
    settings: DistillationSettings


def distill(
    student: keras.Model,
    teacher: keras.Model,
    training: tf.data.Dataset,
    validation: tf.data.Dataset,
    steps: int | None = None,
    settings: DistillationSettings | None = None,
    say: Say = print,
) -> Distilled:
    """Trains a student in place.

    Args:
        student: Keras 3, pixel values float32 ``(batch, height, width, 3)`` in 0..255 to logits
            ``(batch, classes)``.
        teacher: The same; stays as it is.
        training: Batches of (images float32 ``(batch, height, width, 3)`` in 0..255, one-hot or
            soft labels float32 ``(batch, classes)``) or with weights ``(batch,)`` third. May be
            endless.
        validation: The same, finite, not augmented. The epoch is kept that most often names the
            teacher's class on it, of equals the one with the lowest loss, the state before
            training among them.
        steps: Batches an epoch; None takes all of a finite dataset.
        settings: None takes the defaults.
        say: Takes one line of progress at a time.

    Raises:
        LabError: If there are no batches, an endless dataset comes without `steps`, or the loss
            is no longer a number.
    """
    import keras

    from tflite.distilled_model import DistilledModel, KeepBestEpoch

    settings = settings or DistillationSettings()
    steps = steps_of(training, steps)
    for name, batches in (("training", training), ("validation", validation)):
        if int(batches.cardinality().numpy()) == 0:
            raise LabError(f"There are no {name} batches to distil on.")
    model = DistilledModel(student, teacher, settings.temperature, settings.share)
    course = keras.optimizers.schedules.CosineDecay(settings.learning_rate, steps * settings.epochs)
    accuracy = keras.metrics.CategoricalAccuracy("accuracy")
    model.compile(keras.optimizers.Adam(course), metrics=[accuracy])
    before = model.evaluate(validation, verbose=0, return_dict=True)
    first = {"epoch": 0.0, **{f"val_{name}": float(value) for name, value in before.items()}}
    keeper = KeepBestEpoch(first, settings.epochs, say)
    with _batch_norm_momentum(student, settings.batch_norm_momentum):
        model.fit(
            training.repeat(),
            steps_per_epoch=steps,
            epochs=settings.epochs,
            validation_data=validation,
            callbacks=[keeper],
            # The dataset has an order of its own.
            shuffle=False,
            verbose=0,
        )
    return Distilled(tuple(keeper.history), keeper.best, settings)


@contextmanager
def _batch_norm_momentum(model: keras.Model, momentum: float | None) -> Iterator[None]:
    import keras

    layers = [
        layer
        for layer in model._flatten_layers(include_self=False)
        if momentum is not None and isinstance(layer, keras.layers.BatchNormalization)
    ]
    own = [layer.momentum for layer in layers]
    try:
        for layer in layers:
            layer.momentum = momentum
        yield
    finally:
        for layer, value in zip(layers, own, strict=True):
            layer.momentum = value
