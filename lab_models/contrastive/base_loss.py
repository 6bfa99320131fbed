"""What all contrastive losses share: the comparison of every view with all others."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
from keras import ops

from tflite.runtime.errors import LabError


class Views(NamedTuple):
    """Embeddings of the views of one comparison, a view a row.

    Args:
        embeddings: Floats ``(n, units)``, L2-normalised (float16 and bfloat16 are compared in
            float32).
        labels: int32 ``(n,)``, the class of each row.
        images: int32 ``(n,)``, the number of the image that each row is a view of.
    """

    embeddings: keras.KerasTensor
    labels: keras.KerasTensor
    images: keras.KerasTensor


class Comparison(NamedTuple):
    """The anchors' rows against all rows.

    Args:
        anchors: The anchors' own rows, m of them.
        logits: Float ``(m, n)``, inner products over the temperature.
        others: bool ``(m, n)``, what an anchor is compared with: every row but its own.
        positives: bool ``(m, n)``, the others that an anchor is to come near to.
    """

    anchors: Views
    logits: keras.KerasTensor
    others: keras.KerasTensor
    positives: keras.KerasTensor


class ContrastiveLoss(keras.losses.Loss):
    """Base of the contrastive losses, of one loss value for each anchor and each image.

    An anchor without positives contributes 0, and still counts in the mean over its image and
    the batch. Value and gradient are finite for any finite embeddings: nothing is divided by
    their length, and the row itself is taken out of the comparison by a mask before the
    exponential, not by an infinite logit.

    Args:
        temperature: Divides the inner products; finite and above 0. The smaller, the more the
            nearest rows decide.
        base_temperature: If given, losses are multiplied by ``temperature / base_temperature``,
            which keeps gradients alike over temperatures; so does the reference implementation
            of Khosla et al. 2020 (with 0.07). None multiplies by nothing: their equations.
        class_weights: One number of at least 0 a class, by which an anchor's loss is multiplied
            according to its class; None for equal weights.
        reduction: Keras's own, over images; ``sum_over_batch_size`` gives their mean.
        name: Keras's own.
        dtype: Keras's own: what embeddings are cast to when the loss is called.

    Raises:
        LabError: If a number is out of range.
    """

    needs_views = False
    """Whether a single view of each image leaves the loss nothing to work on."""

    def __init__(
        self,
        temperature: float = 0.1,
        base_temperature: float | None = None,
        class_weights: Sequence[float] | None = None,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.temperature = _positive("temperature", temperature)
        self.base_temperature = (
            None if base_temperature is None else _positive("base_temperature", base_temperature)
        )
        self.class_weights = None if class_weights is None else _weights(class_weights)

    def positive_pairs(self, anchors: Views, views: Views) -> keras.KerasTensor:
        """Which rows each anchor is to come near to.

        Args:
            anchors: m rows.
            views: n rows.

        Returns:
            bool ``(m, n)``; what it says of a row and itself does not matter.
        """
        raise NotImplementedError

    def compared(self, comparison: Comparison) -> keras.KerasTensor:
        """The loss of each anchor, before weights: float ``(m,)``, 0 without positives.

        The "out" form, Khosla et al. 2020, equation 2: the mean over the positives of the
        negative log-probability to pick that positive among all others.
        """
        positives = ops.cast(comparison.positives, comparison.logits.dtype)
        counts = ops.sum(positives, axis=1)
        attraction = ops.sum(positives * comparison.logits, axis=1) / ops.maximum(counts, 1.0)
        repulsion = masked_logsumexp(comparison.logits, comparison.others)
        return ops.where(counts > 0, repulsion - attraction, 0.0)

    def anchor_losses(
        self, views: Views, anchors: keras.KerasTensor | None = None
    ) -> keras.KerasTensor:
        """The loss of each anchor against all views.

        Args:
            views: The n rows of the comparison.
            anchors: int32 row numbers ``(m,)``; None takes every row.

        Returns:
            float32 ``(m,)``; float64 if the embeddings are float64. A class outside
            `class_weights` gives NaN: nothing can be raised within a compiled step.

        Raises:
            LabError: If the shapes do not fit.
        """
        views = _checked_views(views)
        rows = ops.arange(ops.shape(views.embeddings)[0], dtype="int32")
        chosen = views
        if anchors is not None:
            anchors = ops.cast(anchors, "int32")
            chosen = Views(*(ops.take(part, anchors, axis=0) for part in views))
        others = ops.not_equal((rows if anchors is None else anchors)[:, None], rows[None, :])
        logits = ops.matmul(chosen.embeddings, ops.transpose(views.embeddings)) / self.temperature
        positives = ops.logical_and(others, self.positive_pairs(chosen, views))
        losses = self.compared(Comparison(chosen, logits, others, positives))
        return self._weighted(losses, chosen.labels)

    def call(self, y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
        """The loss of each image, the mean over its views; all images are one comparison.

        Args:
            y_true: Class ids ``(batch,)`` or ``(batch, 1)``, or one-hot labels
                ``(batch, classes)``; of soft labels the largest counts.
            y_pred: Embeddings ``(batch, views, units)``, or ``(batch, units)`` for one view.

        Returns:
            float32 ``(batch,)``.

        Raises:
            LabError: If shapes do not fit each other or the loss's settings.
        """
        embeddings = ops.convert_to_tensor(y_pred)
        labels = ops.convert_to_tensor(y_true)
        self._check_shapes(tuple(labels.shape), tuple(embeddings.shape))
        if len(embeddings.shape) == 2:
            embeddings = embeddings[:, None, :]
        batch, count, units = ops.shape(embeddings)
        views = Views(
            ops.reshape(embeddings, (-1, units)),
            ops.repeat(class_ids(labels), count),
            ops.repeat(ops.arange(batch, dtype="int32"), count),
        )
        return ops.mean(ops.reshape(self.anchor_losses(views), (-1, count)), axis=1)

    def get_config(self) -> dict[str, Any]:
        """What `from_config` builds an equal loss from."""
        weights = None if self.class_weights is None else list(self.class_weights)
        return {
            **super().get_config(),
            "temperature": self.temperature,
            "base_temperature": self.base_temperature,
            "class_weights": weights,
            "dtype": self.dtype,
        }

    def check_classes(self, classes: int) -> None:
        """Complains if the settings do not fit this number of classes.

        `call` asks this itself of one-hot labels; who calls `anchor_losses` asks it before.

        Raises:
            LabError: If they do not.
        """
        if self.class_weights is not None and len(self.class_weights) != classes:
            raise LabError(
                f"Expected one weight for each of the {classes} classes of the labels, got "
                f"{len(self.class_weights)} weights."
            )

    def check_views(self, views: int) -> None:
        """Complains if this many views of each image leave the loss nothing to work on.

        `call` asks this itself; who calls `anchor_losses` asks it before.

        Raises:
            LabError: If they are too few.
        """
        if views < (2 if self.needs_views else 1):
            raise LabError(
                f"{type(self).__name__} compares views of the same image and needs at least "
                f"{2 if self.needs_views else 1} of each, got {views}. Make more views."
            )

    def _check_shapes(self, labels: tuple, embeddings: tuple) -> None:
        if len(embeddings) not in (2, 3) or None in embeddings[1:]:
            raise LabError(
                "Expected embeddings (batch, views, units) or (batch, units), views and units "
                f"known, got shape {embeddings}."
            )
        if len(labels) not in (1, 2) or None in labels[1:]:
            raise LabError(
                "Expected labels (batch,), (batch, 1) or one-hot (batch, classes), got shape "
                f"{labels}."
            )
        if None not in (labels[0], embeddings[0]) and labels[0] != embeddings[0]:
            raise LabError(
                "Expected as many labels as images, got labels of shape "
                f"{labels} and embeddings of shape {embeddings}."
            )
        self.check_views(1 if len(embeddings) == 2 else embeddings[1])
        if len(labels) == 2 and labels[1] > 1:
            self.check_classes(labels[1])

    def _weighted(self, losses: keras.KerasTensor, labels: keras.KerasTensor) -> keras.KerasTensor:
        if self.base_temperature is not None:
            losses = losses * (self.temperature / self.base_temperature)
        if self.class_weights is None:
            return losses
        members = ops.one_hot(labels, len(self.class_weights), dtype=losses.dtype)
        weights = ops.sum(members * ops.cast(self.class_weights, losses.dtype), axis=1)
        return losses * ops.where(ops.any(members > 0, axis=1), weights, float("nan"))


def class_ids(labels: keras.KerasTensor) -> keras.KerasTensor:
    """Class ids int32 ``(batch,)`` of ids ``(batch,)``, ``(batch, 1)`` or one-hot labels."""
    if len(labels.shape) == 2 and labels.shape[1] > 1:
        return ops.cast(ops.argmax(labels, axis=1), "int32")
    return ops.cast(ops.reshape(labels, (-1,)), "int32")


def same(first: keras.KerasTensor, second: keras.KerasTensor) -> keras.KerasTensor:
    """Which of m numbers equal which of n: bool ``(m, n)``."""
    return ops.equal(first[:, None], second[None, :])


def masked_logsumexp(logits: keras.KerasTensor, mask: keras.KerasTensor) -> keras.KerasTensor:
    """The logarithm of the sum of exp over the part of each row that a mask leaves.

    Args:
        logits: Float ``(m, n)``.
        mask: bool ``(m, n)``, what counts.

    Returns:
        Float ``(m,)``; 0 for a row of which nothing is left. Its gradient there is 0.
    """
    left = ops.any(mask, axis=1)
    largest = ops.max(ops.where(mask, logits, float("-inf")), axis=1)
    largest = ops.stop_gradient(ops.where(left, largest, 0.0))
    # Masked before the exponential as well: what overflows there would make its gradient NaN.
    exponents = ops.where(mask, logits - largest[:, None], 0.0)
    total = ops.sum(ops.where(mask, ops.exp(exponents), 0.0), axis=1)
    return largest + ops.log(ops.where(left, total, 1.0))


def _checked_views(views: Views) -> Views:
    embeddings, labels, images = (ops.convert_to_tensor(part) for part in views)
    shapes = [tuple(part.shape) for part in (embeddings, labels, images)]
    rows = {shape[0] for shape in shapes if shape and shape[0] is not None}
    if [len(shape) for shape in shapes] != [2, 1, 1] or len(rows) > 1:
        raise LabError(
            "Expected views with embeddings (n, units), labels (n,) and images (n,), got shapes "
            f"{shapes[0]}, {shapes[1]} and {shapes[2]}."
        )
    if keras.backend.standardize_dtype(embeddings.dtype) != "float64":
        embeddings = ops.cast(embeddings, "float32")
    return Views(embeddings, ops.cast(labels, "int32"), ops.cast(images, "int32"))


def _positive(what: str, value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise LabError(f"{what} must be a number above 0, got {value!r}.")
    if not (math.isfinite(value) and value > 0):
        raise LabError(f"{what} must be finite and above 0, got {value!r}.")
    return float(value)


def _weights(values: Sequence[float]) -> tuple[float, ...]:
    weights = tuple(float(value) for value in values)
    if not all(math.isfinite(value) and value >= 0 for value in weights) or not any(weights):
        raise LabError(
            "class_weights must be finite numbers of at least 0, one of them above 0, got "
            f"{list(weights)}."
        )
    return weights
