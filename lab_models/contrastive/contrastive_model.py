"""What all models have in common that train on views of their images."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from lab_models.contrastive.losses import ContrastiveLoss
from lab_models.contrastive.micro_batches import gradients_in_parts
from lab_models.contrastive.replicas import averaged_by_keras
from lab_models.contrastive.view_batch import MakeView, ViewBatch


class ContrastiveModel(keras.Model):
    """A model whose training step makes views, compares them, and may do so in parts.

    Under `tf.distribute` every replica compares its views with those of all replicas, and the
    gradient is that of the whole batch on one device.

    Subclasses give `call`, `output_sizes`, `view_maker` and `batch_loss`.

    Args:
        views: Copies of each image in a step.
        micro_batch: Images worked through at a time; 0 takes the whole batch at once. See
            `lab_models.contrastive.micro_batches` for what is exact then, and for the rule of
            batch normalisation.
        name: Of the model.

    Raises:
        ValueError: If a number is out of range.
    """

    def __init__(self, views: int, micro_batch: int, name: str) -> None:
        super().__init__(name=name)
        for field, value, least in (("views", views, 1), ("micro_batch", micro_batch, 0)):
            if not isinstance(value, int) or value < least:
                raise ValueError(f"{field} must be a whole number from {least} on, got {value!r}.")
        self.views, self.micro_batch = views, micro_batch
        # Views are augmented on the host, which XLA cannot do.
        self.supports_jit = False
        self._makers: dict[str, MakeView] = {}

    @property
    def output_sizes(self) -> tuple[int, ...]:
        """Length of the last axis of each output."""
        raise NotImplementedError

    def view_maker(self, validation: bool) -> MakeView:
        """What makes the views of a step, or of a validation, with draws of its own."""
        raise NotImplementedError

    def batch_loss(self, outputs: list[Any], batch: ViewBatch) -> Any:
        """This replica's share of the loss, from the outputs for all its views."""
        raise NotImplementedError

    def compile(self, optimizer: Any = "adam", loss: Any = None, **options: Any) -> None:
        """As `keras.Model.compile`, with a loss that compares views.

        Settings of the views count from here on.

        Args:
            optimizer: Any Keras optimiser.
            loss: A `ContrastiveLoss`.
            **options: Of `keras.Model.compile`, but for ``jit_compile=True`` and metrics.

        Raises:
            TypeError: If the loss does not compare views.
            ValueError: If ``jit_compile`` or metrics are asked for.
        """
        if not isinstance(loss, ContrastiveLoss):
            raise TypeError(
                "This model is compiled with a ContrastiveLoss, for instance "
                f"contrastive_loss('supcon_out'), got {loss!r}."
            )
        if options.get("jit_compile") is True:
            raise ValueError(
                "jit_compile must not be True: views are augmented on the host, outside XLA."
            )
        refused = [key for key in ("metrics", "weighted_metrics") if options.get(key)]
        if refused:
            raise ValueError(
                f"This model has no predictions for {refused} to judge; use callbacks such as "
                "CollapseWatch."
            )
        loss.check_views(self.views)
        super().compile(optimizer=optimizer, loss=loss, **{**options, "jit_compile": False})
        self._makers = {"train": self.view_maker(False), "validation": self.view_maker(True)}

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compiles a loaded model as it was when it was saved."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)

    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        """Builds the optimiser; the model is built already.

        Keras would take a first batch to build from, which is then missing from the training, and
        reduce it over the replicas, which fails with several workers (keras-team/keras, issue
        20585).
        """
        if self.optimizer is not None and not self.optimizer.built:
            with self.distribute_strategy.scope():
                self.optimizer.build(self.trainable_variables)

    def train_step(self, data: Any) -> dict[str, Any]:
        """One step on ``(images, labels)`` or ``(images, labels, weights)``."""
        step = tf.cast(self.optimizer.iterations, tf.int64)
        batch = ViewBatch.of(data, step, self.views, self._makers["train"])
        if self.micro_batch:
            gradients, loss = self._gradients_in_parts(batch)
        else:
            gradients, loss = self._gradients(batch)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables))
        return self._logs(loss, batch)

    def test_step(self, data: Any) -> dict[str, Any]:
        """The loss of a batch on views whose draws are the same every time."""
        batch = ViewBatch.of(data, tf.constant(0, tf.int64), self.views, self._makers["validation"])
        outputs = _as_list(self(batch.input_of(0, batch.count), training=False))
        return self._logs(self.batch_loss(outputs, batch), batch)

    def _gradients(self, batch: ViewBatch) -> tuple[list[Any], Any]:
        with tf.GradientTape() as tape:
            outputs = _as_list(self(batch.input_of(0, batch.count), training=True))
            loss = self.batch_loss(outputs, batch)
            scaled = self.optimizer.scale_loss(loss)
        return tape.gradient(scaled, self.trainable_variables), loss

    def _gradients_in_parts(self, batch: ViewBatch) -> tuple[list[Any], Any]:
        found = gradients_in_parts(
            self,
            batch.portions(self.micro_batch, self.output_sizes),
            lambda outputs: self.batch_loss(list(outputs), batch),
            self.optimizer.scale_loss,
        )
        for variable, value in zip(self.non_trainable_variables, found.state):
            variable.assign(value)
        return found.gradients, found.loss

    def _logs(self, share: Any, batch: ViewBatch) -> dict[str, Any]:
        """The mean loss so far; replicas count by their images."""
        count = tf.cast(batch.count, tf.float32)
        loss = share * batch.images_of_all() / tf.maximum(count, 1)
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss, sample_weight=count)
        return averaged_by_keras(self.get_metrics_result())


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]
