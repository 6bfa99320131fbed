"""Tables of results, CSV or JSON lines, written whole or not at all."""

from __future__ import annotations

import csv
import json
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Dict, List, Optional, TextIO, Tuple, Type

from tflite.runtime.errors import LabError
from tflite.runtime.files import whole_file
from tflite.runtime.results import FileResult

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


class RowWriter:
    """Writes one row an image into an open file.

    CSV columns: ``path, label, predicted, score, error``, then ``score:<class>`` for every class.
    ``label`` is the answer, which may be ``unknown``; ``predicted`` the class with the highest
    score in any case. JSON lines hold ``path, label, predicted, score, scores`` or ``path,
    error``.

    Args:
        file: Text; CSV begins with its header at once.
        labels: Class names in the order of the score columns.
        format: One of `FORMATS`.
    """

    def __init__(self, file: TextIO, labels: Tuple[str, ...], format: str) -> None:
        self._file, self._labels = file, labels
        self._csv: Any = None
        if format == "csv":
            self._csv = csv.writer(file)
            scores = [f"score:{label}" for label in labels]
            self._csv.writerow(["path", "label", "predicted", "score", "error", *scores])

    def write(self, item: FileResult) -> None:
        """Writes one row.

        Args:
            item: A file with its result, or with the reason why there is none.
        """
        if self._csv:
            self._csv.writerow(self._csv_row(item))
        else:
            self._file.write(json.dumps(_json_row(item), ensure_ascii=False) + "\n")

    def _csv_row(self, item: FileResult) -> List[str]:
        if item.result is None:
            return [str(item.path), "", "", "", item.error, *[""] * len(self._labels)]
        found = item.result
        scores = [f"{found.scores[label]:.6g}" for label in self._labels]
        return [str(item.path), found.label, found.predicted, f"{found.score:.6g}", "", *scores]


class TableWriter:
    """A table of rows (see `RowWriter`) that appears when its `with` block ends without an error.

    Args:
        path: The table.
        labels: Class names in the order of the score columns.
        format: One of `FORMATS`.
    """

    def __init__(self, path: Path, labels: Tuple[str, ...], format: str) -> None:
        self._path, self._labels, self._format = path, labels, format
        self._stack = ExitStack()
        self._rows: Optional[RowWriter] = None

    def __enter__(self) -> TableWriter:
        temporary = self._stack.enter_context(whole_file(self._path))
        file = temporary.open(
            "w", newline="", encoding="utf-8", errors=encoding_errors(self._format)
        )
        # Entered after whole_file, so closed before the file takes its place.
        self._stack.enter_context(file)
        self._rows = RowWriter(file, self._labels, self._format)
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def write(self, item: FileResult) -> None:
        """Writes one row; see `RowWriter.write`."""
        if self._rows is None:
            raise LabError("A TableWriter is used in a with block.")
        self._rows.write(item)


def encoding_errors(format: Optional[str]) -> str:
    """What becomes of file names that are no text: CSV gets their bytes, JSON has escapes."""
    return "backslashreplace" if format == "jsonl" else "surrogateescape"


def _json_row(item: FileResult) -> Dict[str, Any]:
    if item.result is None:
        return {"path": str(item.path), "error": item.error}
    return {
        "path": str(item.path),
        "label": item.result.label,
        "predicted": item.result.predicted,
        "score": _rounded(item.result.score),
        "scores": {label: _rounded(score) for label, score in item.result.scores.items()},
    }


def _rounded(score: float) -> float:
    return float(f"{score:.6g}")
