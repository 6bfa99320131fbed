"""Classifies many files: decoded ahead of the interpreter, written to a table, resumable."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Iterable, Iterator, Optional, Sequence, Tuple

import numpy as np

from tflite.runtime.ahead import work_ahead
from tflite.runtime.errors import ImageError, LabError
from tflite.runtime.journal import Entry, FileStamp, Journal, journal_path
from tflite.runtime.preprocess import prepare_image
from tflite.runtime.results import FileResult, FolderSummary
from tflite.runtime.sidecar import UNKNOWN, sha256
from tflite.runtime.tables import TableWriter, table_format

if TYPE_CHECKING:
    from tflite.runtime.classifier import Classifier

Progress = Callable[[int, int], None]
"""Called with the number of images done and the number of all."""


@dataclass(frozen=True)
class FolderSettings:
    """How many files are worked through.

    Args:
        decode_threads: Threads that read, decode and resize the next images while the
            interpreter is busy; 0 does one after the other.
        decoded_ahead: At most so many images are decoded or waiting; bounds the memory.
        resume: Go on where a stopped run of the same table stopped. False begins anew.
    """

    decode_threads: int = 2
    decoded_ahead: int = 16
    resume: bool = True


@dataclass(frozen=True)
class _Read:
    """A file as the decoding threads leave it: pixels, or earlier scores, or an error."""

    path: Path
    stamp: Optional[FileStamp] = None
    pixels: Optional[np.ndarray] = None
    scores: Optional[Tuple[float, ...]] = None
    error: str = ""


class FolderRun:
    """One pass over files, counted and timed.

    Args:
        classifier: Classifies; may be in use by other threads as well.
        settings: How the files are worked through.
        journal: An open journal to take results from and to add to, or None.
    """

    def __init__(
        self, classifier: Classifier, settings: FolderSettings, journal: Optional[Journal] = None
    ) -> None:
        self._classifier, self._settings, self._journal = classifier, settings, journal
        self.taken_over = 0
        self.inference_seconds = 0.0

    def results(self, paths: Iterable[Path]) -> Iterator[FileResult]:
        """A result for every file, in order, as they are asked for.

        Args:
            paths: Image files; one that is missing or damaged says so, and the rest goes on.
        """
        settings = self._settings
        reading = work_ahead(self._read, paths, settings.decode_threads, settings.decoded_ahead)
        for read in reading:
            yield self._result(read)

    def _read(self, path: Path) -> _Read:
        try:
            stamp = FileStamp.of(path)
            earlier = self._journal.entries.get(_key(path)) if self._journal else None
            if earlier is not None and earlier.stamp == stamp:
                return _Read(path, stamp, scores=earlier.scores)
            return _Read(path, stamp, prepare_image(path, self._classifier.contract))
        except FileNotFoundError:
            return _Read(path, error=f"No such image file: {path}.")
        except (OSError, ImageError) as error:
            return _Read(path, error=str(error))

    def _result(self, read: _Read) -> FileResult:
        if read.scores is not None:
            self.taken_over += 1
            return FileResult(read.path, self._classifier.decide(read.scores))
        if read.pixels is None:
            return FileResult(read.path, None, read.error)
        start = time.perf_counter()
        scores = self._classifier.scores(read.pixels)
        self.inference_seconds += time.perf_counter() - start
        if self._journal and read.stamp:
            entry = Entry(read.stamp, tuple(float(score) for score in scores))
            self._journal.add(_key(read.path), entry)
        return FileResult(read.path, self._classifier.decide(scores))


def classify_to_table(
    classifier: Classifier,
    paths: Sequence[Path],
    out: Optional[Path],
    format: Optional[str],
    progress: Optional[Progress],
    settings: FolderSettings,
) -> FolderSummary:
    """Classifies files and writes a table, which appears whole at the end.

    Until then every result stands in a journal beside it. A stopped run leaves the journal, and
    the same call goes on from it: results of the same bundle and of unchanged files are taken
    over, new, changed and unreadable files are classified, files that went are left out. So
    the table is what an unbroken run would have written.

    Args:
        classifier: Classifies.
        paths: Image files.
        out: The table, or None for the summary alone.
        format: See `tflite.runtime.tables.table_format`.
        progress: Called after every image.
        settings: How the files are worked through.

    Raises:
        LabError: If a journal is there that is not of this bundle or not of these files, or
            that another process is writing.
    """
    if out is None:
        return _summarise(FolderRun(classifier, settings), classifier, paths, None, progress)
    format = table_format(out, format)
    bundle = sha256(classifier.bundle.sidecar.to_json().encode())
    with Journal(
        journal_path(out), bundle, len(classifier.labels), anew=not settings.resume
    ) as journal:
        _check_files(journal, paths)
        run = FolderRun(classifier, settings, journal)
        with TableWriter(out, classifier.labels, format) as writer:
            summary = _summarise(run, classifier, paths, writer, progress)
        journal.remove()
    return summary


def _key(path: Path) -> str:
    return str(path.absolute())


def _check_files(journal: Journal, paths: Sequence[Path]) -> None:
    if journal.entries and not any(_key(path) in journal.entries for path in paths):
        raise LabError(
            f"{journal.path} holds results of other images, such as {next(iter(journal.entries))}. "
            "Finish that run, name another table, or begin anew (--restart)."
        )


def _summarise(
    run: FolderRun,
    classifier: Classifier,
    paths: Sequence[Path],
    writer: Optional[TableWriter],
    progress: Optional[Progress],
) -> FolderSummary:
    counts = dict.fromkeys((*classifier.labels, UNKNOWN), 0)
    unreadable = []
    start = time.perf_counter()
    for done, item in enumerate(run.results(paths), start=1):
        if item.result is None:
            unreadable.append(item)
        else:
            counts[item.result.label] += 1
        if writer:
            writer.write(item)
        if progress:
            progress(done, len(paths))
    return FolderSummary(
        classified=sum(counts.values()),
        unreadable=tuple(unreadable),
        counts=counts,
        taken_over=run.taken_over,
        seconds=time.perf_counter() - start,
        inference_seconds=run.inference_seconds,
    )
