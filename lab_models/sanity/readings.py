"""What a trained network answers, for whole images and for images with something blotted out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lab_models.metrics import Metrics, MetricSettings, compute_metrics
from tflite.runtime.contract import InputContract
from tflite.runtime.preprocess import prepare_image

if TYPE_CHECKING:
    import keras

    from pipelines.manifest import Manifest

CHUNK = 512
"""Images decoded at a time: 100 MB at 256 pixels."""


@dataclass(frozen=True)
class Answers:
    """Scores of a network for some images.

    Args:
        rows: int64 ``(images,)``, row numbers of the manifest they were read from.
        labels: str ``(images,)``, true classes; they may be unknown to the network.
        scores: float32 ``(images, classes)``, softmax values.
        features: float32 ``(images, d)``, pooled, of length 1 each.
        classes: The network's, in the order of the scores.
    """

    rows: np.ndarray
    labels: np.ndarray
    scores: np.ndarray
    features: np.ndarray
    classes: tuple[str, ...]

    def part(self, rows: np.ndarray) -> Answers:
        """Those of some row numbers that were answered and whose class the network knows."""
        chosen = np.isin(self.rows, rows) & np.isin(self.labels, self.classes)
        return Answers(
            self.rows[chosen], self.labels[chosen], self.scores[chosen],
            self.features[chosen], self.classes,
        )  # fmt: skip

    @property
    def answered(self) -> np.ndarray:
        """Names of the classes with the highest scores, str ``(images,)``."""
        return np.array(self.classes)[self.scores.argmax(axis=1)]

    def metrics(self, confidence: float) -> Metrics | None:
        """The figures of these images; None if there are none."""
        if not len(self.rows):
            return None
        places = {name: place for place, name in enumerate(self.classes)}
        truth = np.array([places[label] for label in self.labels], np.int64)
        return compute_metrics(
            truth, self.scores, self.classes, MetricSettings(confidence=confidence)
        )


def join(model: keras.Model, encoder: keras.Model) -> keras.Model:
    """A classifier and its part up to the pooled features as one network with both outputs."""
    import keras

    return keras.Model(model.input, [model.output, encoder.output])


def read_answers(
    network: keras.Model,
    manifest: Manifest,
    rows: np.ndarray,
    contract: InputContract,
    classes: tuple[str, ...],
    change: Callable[[np.ndarray, int], np.ndarray] | None = None,
    batch_size: int = 32,
) -> Answers:
    """Runs a network over images, each changed first where that is asked for.

    Args:
        network: Pixel values to scores and pooled features (see `join`).
        manifest: The images.
        rows: int64 row numbers.
        contract: The network's input contract.
        classes: Class names in the order of the scores.
        change: From uint8 ``(height, width, 3)`` and row number to the image that is answered.
        batch_size: Images at a time.

    Raises:
        ImageError: If an image cannot be read.
    """
    scores, features = (
        [np.zeros((0, int(shape[-1])), np.float32)] for shape in network.output_shape
    )
    for start in range(0, len(rows), CHUNK):
        images = read_images(manifest, rows[start : start + CHUNK], contract)
        if change is not None:
            places = rows[start : start + CHUNK]
            images = np.stack([change(image, int(row)) for image, row in zip(images, places)])
        # Whole batches only: every other size would be traced anew.
        spare = np.zeros((-len(images) % batch_size, *images.shape[1:]), np.float32)
        filled = np.concatenate([images.astype(np.float32), spare])
        answer = network.predict(filled, batch_size=batch_size, verbose=0)
        scores.append(np.asarray(answer[0][: len(images)], np.float32))
        features.append(np.asarray(answer[1][: len(images)], np.float32))
    pooled = np.concatenate(features)
    pooled /= np.maximum(np.linalg.norm(pooled, axis=1, keepdims=True), 1e-12)
    labels = manifest.table["label"].to_numpy(str)[rows]
    return Answers(rows, labels, np.concatenate(scores), pooled, classes)


def read_images(manifest: Manifest, rows: np.ndarray, contract: InputContract) -> np.ndarray:
    """Images as the network gets them: uint8 ``(rows, height, width, 3)``."""
    return np.stack([prepare_image(manifest.path(int(row)), contract) for row in rows])
