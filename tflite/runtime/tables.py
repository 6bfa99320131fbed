"""Tables of results, CSV or JSON lines, written whole or not at all."""

from __future__ import annotations

import csv
import json
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Dict, Optional, TextIO, Tuple, Type

from tflite.runtime.errors import LabError
from tflite.runtime.files import whole_file

FORMATS = ("csv", "jsonl")


def table_format(path: Path, format: Optional[str] = None) -> str:
    """The format of a table: the one named, or the one that the path's suffix names.

    Args:
        path: Where the table goes.
        format: One of `FORMATS`, or None.

    Raises:
        LabError: If neither says one of `FORMATS`.
    """
    found = format if format is not None else path.suffix.lstrip(".").lower()
    if found not in FORMATS:
        raise LabError(
            f"The format of {path} must be one of {FORMATS}, got {found!r}. "
            "Name the file .csv or .jsonl, or give the format."
        )
    return found


class TableWriter:
    """Writes one row an image; the table appears when the `with` block ends without an error.

    CSV columns: ``path, predicted, score, error``, then ``score:<class>`` for every class, as in
    the ``predictions.csv`` of a run. JSON lines hold ``path, predicted, score, scores`` or
    ``path, error``.

    Args:
        path: The table.
        labels: Class names in the order of the score columns.
        format: One of `FORMATS`.
    """

    def __init__(self, path: Path, labels: Tuple[str, ...], format: str) -> None:
        self._path, self._labels, self._format = path, labels, format
        self._stack = ExitStack()
        self._file: Optional[TextIO] = None
        self._csv: Any = None

    def __enter__(self) -> TableWriter:
        temporary = self._stack.enter_context(whole_file(self._path))
        file = temporary.open("w", newline="", encoding="utf-8")
        # Entered after whole_file, so closed before the file takes its place.
        self._file = self._stack.enter_context(file)
        if self._format == "csv":
            self._csv = csv.writer(self._file)
            scores = [f"score:{label}" for label in self._labels]
            self._csv.writerow(["path", "predicted", "score", "error", *scores])
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def write(
        self,
        path: str,
        scores: Optional[Dict[str, float]],
        error: str = "",
    ) -> None:
        """Writes one row; the class with the highest score stands as predicted.

        Args:
            path: The image.
            scores: Class to score, or None where it could not be read.
            error: Why it could not be read, else empty.
        """
        if self._file is None:
            raise LabError("A TableWriter is used in a with block.")
        if self._csv:
            self._csv.writerow(self._csv_row(path, scores, error))
        else:
            self._file.write(self._json_row(path, scores, error) + "\n")

    def _csv_row(self, path: str, scores: Optional[Dict[str, float]], error: str) -> list:
        if scores is None:
            return [path, "", "", error, *[""] * len(self._labels)]
        predicted = _best(scores)
        numbers = [f"{scores[label]:.6g}" for label in (predicted, *self._labels)]
        return [path, predicted, numbers[0], error, *numbers[1:]]

    @staticmethod
    def _json_row(path: str, scores: Optional[Dict[str, float]], error: str) -> str:
        if scores is None:
            row: Dict[str, Any] = {"path": path, "error": error}
        else:
            predicted = _best(scores)
            rounded = {label: float(f"{score:.6g}") for label, score in scores.items()}
            row = {
                "path": path,
                "predicted": predicted,
                "score": rounded[predicted],
                "scores": rounded,
            }
        return json.dumps(row, ensure_ascii=False)


def _best(scores: Dict[str, float]) -> str:
    return max(scores, key=lambda label: scores[label])  # of equal ones the first
