"""The images that a model got wrong, as thumbnails that travel inside the page."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lab_models.metrics import Metrics
from lab_models.predictions import Predictions
from tflite.runtime.errors import ImageError, LabError
from tflite.runtime.preprocess import decode_image

PREFERRED_CLASS = "hairy_cell"


@dataclass(frozen=True)
class GallerySettings:
    """Which mistakes are shown.

    Args:
        label: Class whose misses are shown; ``""`` for hairy cells if the data holds them, else
            the class with the lowest recall.
        most_images: Thumbnails a gallery at most; the surest mistakes come first.
        thumbnail: Longer side of a thumbnail, in pixels.
        quality: JPEG quality of a thumbnail, 1..95.
    """

    label: str = ""
    most_images: int = 24
    thumbnail: int = 112
    quality: int = 85


@dataclass(frozen=True)
class Mistake:
    """One image that was named wrongly.

    Args:
        path: As in the manifest.
        truth: Its label.
        answer: What the model named it.
        score: Score of the answer, 0..1.
        picture: Thumbnail as a data URI, ``""`` where the image cannot be read.
    """

    path: str
    truth: str
    answer: str
    score: float
    picture: str


@dataclass(frozen=True)
class Galleries:
    """The mistakes around one class.

    Args:
        label: The class.
        missed: False negatives that are shown: of the class, named otherwise.
        missed_count: How many there are in all.
        invented: False positives that are shown: of another class, named this one.
        invented_count: How many there are in all.
        without_picture: How many of those shown have no image to show.
    """

    label: str
    missed: tuple[Mistake, ...]
    missed_count: int
    invented: tuple[Mistake, ...]
    invented_count: int
    without_picture: int


def choose_class(metrics: Metrics, wanted: str = "") -> str:
    """The class whose mistakes are shown (see `GallerySettings.label`).

    Raises:
        LabError: If `wanted` is no class of the model.
    """
    if wanted:
        if wanted not in metrics.classes:
            raise LabError(
                f"The model has no class {wanted!r} to show mistakes of; it has: "
                f"{', '.join(metrics.classes)}."
            )
        return wanted
    present = metrics.present
    if PREFERRED_CLASS in set(present["label"]):
        return PREFERRED_CLASS
    return str(present.sort_values(["recall", "support"])["label"].iloc[0])


def find_mistakes(
    predictions: Predictions, label: str, root: Path | None, settings: GallerySettings
) -> Galleries:
    """False negatives and false positives of one class, the surest mistakes first.

    Args:
        predictions: Of one split.
        label: The class.
        root: Folder that the paths are relative to; None where it is not known.
        settings: How many, and how large.
    """
    place = predictions.classes.index(label)
    truth, answers = predictions.truth, predictions.answers
    missed = np.flatnonzero((truth == place) & (answers != place))
    invented = np.flatnonzero((truth != place) & (answers == place))
    shown_missed = _mistakes(predictions, missed, root, settings)
    shown_invented = _mistakes(predictions, invented, root, settings)
    blank = sum(not m.picture for m in (*shown_missed, *shown_invented))
    return Galleries(label, shown_missed, len(missed), shown_invented, len(invented), blank)


def _mistakes(
    predictions: Predictions, rows: np.ndarray, root: Path | None, settings: GallerySettings
) -> tuple[Mistake, ...]:
    best = predictions.scores.max(axis=1)
    order = rows[np.argsort(-best[rows], kind="stable")][: settings.most_images]
    table, answers = predictions.table, predictions.answers
    return tuple(
        Mistake(
            path=str(table["path"].iloc[row]),
            truth=str(table["label"].iloc[row]),
            answer=predictions.classes[answers[row]],
            score=float(best[row]),
            picture="" if root is None else thumbnail(root / table["path"].iloc[row], settings),
        )
        for row in order
    )


def thumbnail(path: Path, settings: GallerySettings) -> str:
    """A small JPEG of an image as a data URI; ``""`` if the image is gone or damaged."""
    try:
        image = decode_image(path)
    except ImageError:
        return ""
    image.thumbnail((settings.thumbnail, settings.thumbnail))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=settings.quality)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
