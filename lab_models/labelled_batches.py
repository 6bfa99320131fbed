"""Labelled images in any form that notebooks and pipelines have them, as one kind of batch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

Batch = tuple[Any, np.ndarray]


def labelled_batches(data: Any, batch_size: int = 32) -> Iterator[Batch]:
    """Batches of images and integer labels.

    Args:
        data: A pair of arrays ``(images, labels)``; or a finite ``tf.data.Dataset`` or other
            iterable of batches: ``(image, label)``, ``(image, label, weight)``, or a dict with
            ``image`` and ``label``. Labels are integers ``(batch,)`` or ``(batch, 1)``, or
            one-hot ``(batch, classes)``.
        batch_size: Images at a time, for arrays only.

    Yields:
        Images as they came, and int64 labels ``(batch,)``.

    Raises:
        TypeError: If `data` is nothing of the kind.
        ValueError: If images and labels differ in number, or a dataset never ends.
    """
    if _is_pair(data):
        images, labels = data[0], label_numbers(data[1])
        if len(images) != len(labels):
            raise ValueError(
                f"Every image needs one label, got {len(images)} images and {len(labels)} labels."
            )
        for start in range(0, len(labels), batch_size):
            yield images[start : start + batch_size], labels[start : start + batch_size]
        return
    _check_iterable(data)
    for batch in data:
        if isinstance(batch, Mapping):
            images, labels = batch["image"], batch["label"]
        else:
            images, labels, *_ = batch
        yield images, label_numbers(labels)


def _is_pair(data: Any) -> bool:
    return (
        isinstance(data, (tuple, list))
        and len(data) == 2
        and all(hasattr(part, "shape") and hasattr(part, "__getitem__") for part in data)
    )


def _check_iterable(data: Any) -> None:
    if not isinstance(data, Iterable) or isinstance(data, (str, bytes)):
        raise TypeError(
            "Labelled images are a pair of arrays (images, labels) or an iterable of batches, "
            f"got {type(data).__name__}."
        )
    if hasattr(data, "cardinality") and int(data.cardinality()) == -1:  # INFINITE_CARDINALITY
        raise ValueError("The dataset never ends; give data.take(batches), or one without repeat.")


def label_numbers(labels: Any) -> np.ndarray:
    """Labels as int64 ``(batch,)``, from integers ``(batch,)``, ``(batch, 1)`` or one-hot rows."""
    values = np.asarray(labels)
    if values.ndim == 2:
        values = values[:, 0] if values.shape[1] == 1 else values.argmax(axis=1)
    return values.astype(np.int64)


def predict_batches(model: Any, data: Any, batch_size: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """True labels and the outputs of a model for all labelled images.

    Args:
        model: Any Keras model with one output.
        data: See `labelled_batches`.
        batch_size: For arrays.

    Returns:
        int64 labels ``(images,)`` and outputs ``(images, ...)``.

    Raises:
        ValueError: If `data` holds no image.
    """
    truth, outputs = [], []
    for images, labels in labelled_batches(data, batch_size):
        truth.append(labels)
        outputs.append(np.asarray(model.predict_on_batch(images)))
    if not truth:
        raise ValueError("The data holds no image; a dataset made from a generator may be used up.")
    return np.concatenate(truth), np.concatenate(outputs)


def answers(outputs: np.ndarray) -> np.ndarray:
    """The class of the highest output, int64 ``(images,)``; one output means two classes."""
    if outputs.ndim == 1 or outputs.shape[-1] == 1:
        return (outputs.reshape(len(outputs)) > 0.5).astype(np.int64)
    return outputs.argmax(axis=-1)
