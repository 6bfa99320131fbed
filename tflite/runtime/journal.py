"""The journal of a folder run: what is done so far, so that a stopped run can go on.

It stands beside the table as ``<table>.journal`` while the run lasts, and goes when the table has
appeared. Lines of JSON: first whose results these are, then one line an image. A line that a
power failure cut off is dropped, and its image classified again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Dict, Optional, Tuple, Type

from tflite.runtime.errors import LabError

JOURNAL_VERSION = 1


@dataclass(frozen=True)
class FileStamp:
    """By which a file is known again: changed content comes with another size or time.

    Args:
        size: In bytes.
        modified: Time of the last change, nanoseconds since 1970.
    """

    size: int
    modified: int

    @classmethod
    def of(cls, path: Path) -> FileStamp:
        """The stamp of a file.

        Raises:
            OSError: If there is none.
        """
        found = path.stat()
        return cls(found.st_size, found.st_mtime_ns)


@dataclass(frozen=True)
class Entry:
    """One image's line.

    Args:
        stamp: Of the file when it was read.
        scores: Calibrated scores in the model's order.
    """

    stamp: FileStamp
    scores: Tuple[float, ...]


def journal_path(table: Path) -> Path:
    """Where the journal of a table stands: ``cells.csv.journal``."""
    return table.with_name(table.name + ".journal")


class Journal:
    """Results of a run, appended and flushed one by one; used in a ``with`` block.

    One process at a time may have it open, where the system has file locks.

    Args:
        path: The file; made when it is missing, else gone on with.
        bundle: By which the bundle is known, such as its SHA-256; results of another are refused.
        classes: Number of scores of an entry.
        anew: Throw away what the file holds, whosever it is.

    Raises:
        LabError: If the file is of another bundle, is no journal, or is open elsewhere; the
            message says how to go on.
    """

    def __init__(self, path: Path, bundle: str, classes: int, anew: bool = False) -> None:
        self.path = path
        self._anew = anew
        self._head: Dict[str, Any] = {
            "journal": JOURNAL_VERSION,
            "bundle": bundle,
            "classes": classes,
        }
        self._file: Optional[BinaryIO] = None
        self.entries: Dict[str, Entry] = {}
        """Absolute path to its entry: what an earlier run had left."""

    def __enter__(self) -> Journal:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = self.path.open("a+b")
        try:
            self._lock(file)
            self._go_on(file)
        except BaseException:
            file.close()
            raise
        self._file = file
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def add(self, path: str, entry: Entry) -> None:
        """Appends one image's line and hands it to the system at once.

        Args:
            path: Absolute.
            entry: Its stamp and scores.
        """
        if self._file is None:
            raise LabError("A Journal is used in a with block.")
        stamp = [entry.stamp.size, entry.stamp.modified]
        self._file.write(_line({"path": path, "stamp": stamp, "scores": list(entry.scores)}))
        self._file.flush()

    def remove(self) -> None:
        """Takes the file away; the run has its table."""
        self.path.unlink(missing_ok=True)

    def _lock(self, file: BinaryIO) -> None:
        try:
            import fcntl
        except ImportError:  # Windows
            return
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise LabError(
                f"{self.path} is in use: another run writes the same table. Wait for it, or give "
                "this one another table."
            ) from None

    def _go_on(self, file: BinaryIO) -> None:
        head = _line(self._head)
        file.seek(0)
        first = b"" if self._anew else file.readline()
        if head.startswith(first) and first != head:  # empty, or cut off in its first line
            file.truncate(0)
            file.write(head)
            file.flush()
            return
        self._check_head(first)
        end = len(first)
        for line in file:
            if not self._take(line):
                break
            end += len(line)
        file.truncate(end)

    def _check_head(self, line: bytes) -> None:
        found = _values(line)
        if found is None or found.get("journal") != JOURNAL_VERSION:
            raise LabError(
                f"{self.path} is not the journal of a stopped run that this version can go on "
                "with. Move it away, or begin anew (--restart)."
            )
        if found != self._head:
            raise LabError(
                f"{self.path} holds results of another bundle; a table is made by one. Finish it "
                "with that bundle, name another table, or begin anew (--restart)."
            )

    def _take(self, line: bytes) -> bool:
        values = _values(line) or {}
        try:
            size, modified = values["stamp"]
            scores = tuple(float(score) for score in values["scores"])
            path = str(values["path"])
        except (KeyError, TypeError, ValueError):
            return False
        if len(scores) != self._head["classes"]:
            return False
        self.entries[path] = Entry(FileStamp(size, modified), scores)
        return True


def _line(values: Dict[str, Any]) -> bytes:
    # ASCII with escapes: no path can break a line or the encoding.
    return json.dumps(values, separators=(",", ":")).encode() + b"\n"


def _values(line: bytes) -> Optional[Dict[str, Any]]:
    """The object of a whole line; None for anything else."""
    if not line.endswith(b"\n"):
        return None
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return values if isinstance(values, dict) else None
