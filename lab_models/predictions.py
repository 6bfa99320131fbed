"""The predictions of a run: one row an image, read back and checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from lab_models.runs import RunError

TEXT_COLUMNS = ("path", "split", "source", "slide", "label", "predicted")
SCORE_PREFIX = "score:"

# Scores are written as decimal numbers, so an exact comparison would be too strict.
SCORE_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Predictions:
    """What a model answered for a set of labelled images.

    Args:
        table: Columns ``index, path, split, source, slide, label, predicted``; RangeIndex.
            Missing text is ``""``.
        scores: float64 ``(images, classes)``, softmax values in 0..1.
        classes: Class names in the order of the scores.
    """

    table: pd.DataFrame
    scores: np.ndarray
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.table)

    @property
    def truth(self) -> np.ndarray:
        """int64 ``(images,)``, position of the true label in `classes`."""
        numbers = {name: number for number, name in enumerate(self.classes)}
        return self.table["label"].map(numbers).to_numpy(np.int64)

    @property
    def answers(self) -> np.ndarray:
        """int64 ``(images,)``, position of the class with the highest score in `classes`."""
        return self.scores.argmax(axis=1)

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that have images, ``test`` first, then ``validation``, then others."""
        present = list(dict.fromkeys(self.table["split"]))
        first = [name for name in ("test", "validation") if name in present]
        return tuple(first + [name for name in present if name not in first])

    def part(self, split: str) -> Predictions:
        """The rows of one split.

        Raises:
            RunError: If no image belongs to it.
        """
        chosen = (self.table["split"] == split).to_numpy()
        if not chosen.any():
            raise RunError(
                f"The predictions hold no image of the split {split!r}; "
                f"they hold: {', '.join(self.splits) or 'none'}."
            )
        return Predictions(
            self.table[chosen].reset_index(drop=True), self.scores[chosen], self.classes
        )


def make_predictions(table: pd.DataFrame, classes: tuple[str, ...], name: str) -> Predictions:
    """Checks a table of predictions and takes it apart.

    Args:
        table: Columns as in `Predictions.table`, and one ``score:<class>`` for every class.
        classes: Class names in the order of the model's scores.
        name: What the table is called in error messages, usually its file.

    Raises:
        RunError: If columns are missing, labels are unknown, or scores are no probabilities.
    """
    columns = [SCORE_PREFIX + label for label in classes]
    missing = [c for c in ("index", *TEXT_COLUMNS, *columns) if c not in table.columns]
    if missing:
        raise RunError(f"{name} lacks the columns {missing}; evaluate the run again from images.")
    if table.empty:
        raise RunError(f"{name} holds no prediction. The run has no validation or test images.")
    table = table.reset_index(drop=True)
    for column in ("label", "predicted"):
        unknown = sorted(set(table[column]) - set(classes))
        if unknown:
            raise RunError(
                f"{name} has labels in column {column!r} that the model does not know: "
                f"{', '.join(map(repr, unknown))}. It knows: {', '.join(classes)}."
            )
    scores = table[columns].to_numpy(np.float64)
    _check_scores(table, scores, classes, name)
    kept = [c for c in table.columns if not c.startswith(SCORE_PREFIX)]
    return Predictions(table[kept], scores, tuple(classes))


def _check_scores(
    table: pd.DataFrame, scores: np.ndarray, classes: tuple[str, ...], name: str
) -> None:
    bad = (
        ~np.isfinite(scores).all(axis=1) | (scores < 0).any(axis=1) | (scores > 1.0001).any(axis=1)
    )
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise RunError(
            f"{name}: {int(bad.sum())} rows have scores outside 0..1, the first is "
            f"{table['path'].iloc[row]!r}. The model is broken (not a number), or the file was "
            "altered."
        )
    numbers = {label: number for number, label in enumerate(classes)}
    chosen = scores[np.arange(len(scores)), table["predicted"].map(numbers).to_numpy(np.int64)]
    odd = chosen < scores.max(axis=1) - SCORE_TOLERANCE
    if odd.any():
        row = int(np.flatnonzero(odd)[0])
        raise RunError(
            f"{name}: {int(odd.sum())} rows predict a class that has not the highest score, the "
            f"first is {table['path'].iloc[row]!r}. The file was altered, or the order of the "
            "classes is another one."
        )


def read_predictions(path: Path, classes: tuple[str, ...]) -> Predictions:
    """Reads ``predictions.csv``.

    Args:
        path: The file.
        classes: Class names in the order of the model's scores.

    Raises:
        RunError: If the file is no such table (see `make_predictions`).
    """
    try:
        table = pd.read_csv(
            path, dtype=dict.fromkeys(TEXT_COLUMNS, str), keep_default_na=False, na_values=[]
        )
    except (ValueError, OSError) as error:
        raise RunError(f"{path} cannot be read as a table of predictions: {error}") from None
    for column in [c for c in table.columns if c.startswith(SCORE_PREFIX)]:
        table[column] = pd.to_numeric(table[column], errors="coerce")
    return make_predictions(table, classes, str(path))


def read_features(path: Path, predictions: Predictions) -> np.ndarray | None:
    """The features of the predicted images, in the order of `predictions`.

    Args:
        path: ``features.npz`` with ``index`` int64 ``(n,)`` and ``features`` float32 ``(n, d)``.
        predictions: Gives the rows that are wanted.

    Returns:
        float32 ``(images, d)``; None if the file is not there.

    Raises:
        RunError: If the file is damaged or lacks a predicted image.
    """
    if not path.exists():
        return None
    try:
        with np.load(path) as arrays:
            index, features = arrays["index"], arrays["features"]
    # numpy raises zip, key, value and end-of-file errors for damaged archives.
    except Exception as error:
        raise RunError(f"{path} cannot be read as saved features: {error}") from None
    places = pd.Index(index).get_indexer(predictions.table["index"])
    if (places < 0).any() or len(index) != len(features):
        raise RunError(
            f"{path} lacks {int((places < 0).sum())} of {len(predictions)} predicted images; "
            "predictions and features are not from the same run."
        )
    return np.asarray(features[places], np.float32)
