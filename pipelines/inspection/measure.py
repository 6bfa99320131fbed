"""Measures all images of a data set in worker processes; what was measured is kept."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import signal
import threading
import zipfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path

import numpy as np

from pipelines.errors import ManifestError
from pipelines.inspection.measurements import VERSION, Measurements, measure_file, row_type
from pipelines.inspection.settings import MeasurementSettings
from pipelines.manifest import Manifest
from tflite.runtime.files import whole_file
from tflite.runtime.references import file_of

Progress = Callable[[int, int], None]
_Part = tuple[np.ndarray, list[str]]

_CHUNK = 100
_FEW = 200
_ENDING = ".measured.npz"


def measure_images(
    manifest: Manifest,
    settings: MeasurementSettings | None = None,
    cache: Path | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
    comparing: Progress | None = None,
) -> Measurements:
    """Measures every image once.

    Images are decoded a few at a time; what stays in memory is about 1 KB an image.

    Args:
        manifest: The data set. Files that cannot be read are marked, not refused.
        settings: By default ``MeasurementSettings()``.
        cache: Folder in which measurements are kept, every 100 images, so that an interrupted run
            goes on where it stopped and a later one measures only files that are new or were
            changed (by path, size and time). None keeps nothing.
        workers: Worker processes; by default one a processor. They are started afresh (spawn), so
            a script that calls this needs the usual ``if __name__ == "__main__"``. Fewer than 200
            images are measured in this process.
        progress: Called with the images done and their number.
        comparing: Called as the ``progress`` of the `Measurements`.

    Raises:
        ManifestError: If `workers` is no positive number or `cache` is no folder.
    """
    settings = settings or MeasurementSettings()
    workers = (os.cpu_count() or 1) if workers is None else workers
    if workers < 1:
        raise ManifestError(f"workers must be at least 1 process, got {workers}.")
    paths = manifest.paths()
    keys = _keys(paths, settings)
    rows = np.zeros(len(paths), row_type(settings))
    reasons: dict[int, str] = {}
    missing = _recall(keys, rows, reasons, cache)
    done = len(paths) - len(missing)
    for places, part in _measure(paths, missing, settings, workers):
        rows[places] = part[0]
        reasons |= {place: text for place, text in zip(places, part[1]) if text}
        if cache is not None:
            _keep(cache, [keys[place] for place in places], part)
        done += len(places)
        if progress:
            progress(done, len(paths))
    distance = settings.near_duplicates.distance
    return Measurements(rows, dict(sorted(reasons.items())), distance, comparing)


def _keys(paths: Sequence[Path], settings: MeasurementSettings) -> list[str]:
    """One a file: another path, size, time of change, setting or version is another key."""
    described = asdict(settings)
    for unimportant in ("distance", "workers"):  # of near duplicates: not of the measurement
        described["near_duplicates"].pop(unimportant)
    base = hashlib.sha256(json.dumps([VERSION, described], sort_keys=True).encode())
    keys = []
    for path in paths:
        name = str(path.absolute())
        try:
            state = os.stat(file_of(name))  # noqa: PTH116 (100,000 files)
            size, time = state.st_size, state.st_mtime_ns
        except OSError:
            size = time = -1
        key = base.copy()
        key.update(f"{name}\0{size}\0{time}".encode())
        keys.append(key.hexdigest())
    return keys


def _recall(
    keys: list[str], rows: np.ndarray, reasons: dict[int, str], cache: Path | None
) -> list[int]:
    """Fills in what is kept; returns the row numbers that are not."""
    if cache is None:
        return list(range(len(keys)))
    if cache.exists() and not cache.is_dir():
        raise ManifestError(f"{cache} is a file; a folder for measurements was expected.")
    places = {key: place for place, key in enumerate(keys)}
    for path in sorted(cache.glob(f"*{_ENDING}")):
        kept = _load(path, rows.dtype)
        if kept is None:
            continue
        for key, row, reason in zip(*kept):
            place = places.pop(str(key), None)
            if place is not None:
                rows[place] = row
                if reason:
                    reasons[place] = str(reason)
    return sorted(places.values())


def _load(path: Path, expected: np.dtype) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """A part that is damaged or of other settings is as good as none: it is measured anew."""
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            keys, rows, reasons = file["keys"], file["rows"], file["reasons"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    return (keys, rows, reasons) if rows.dtype == expected else None


def _keep(cache: Path, keys: list[str], part: _Part) -> None:
    name = hashlib.sha256("".join(keys).encode()).hexdigest()[:32]
    with whole_file(cache / f"{name}{_ENDING}") as temporary, temporary.open("wb") as file:
        np.savez(file, keys=np.array(keys), rows=part[0], reasons=np.array(part[1]))


def _measure(
    paths: Sequence[Path], missing: list[int], settings: MeasurementSettings, workers: int
) -> Iterator[tuple[list[int], _Part]]:
    chunks = [missing[start : start + _CHUNK] for start in range(0, len(missing), _CHUNK)]
    if workers == 1 or len(missing) < _FEW:
        for chunk in chunks:
            yield chunk, _measure_chunk([paths[place] for place in chunk], settings)
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_prepare_worker)
    try:
        tasks = [pool.submit(_measure_chunk, [paths[p] for p in c], settings) for c in chunks]
        for chunk in chunks:
            yield chunk, tasks.pop(0).result()  # popped: results must not pile up in memory
    finally:
        # After an error or an interruption nothing more is begun.
        pool.shutdown(cancel_futures=True)


def _prepare_worker() -> None:
    """In a worker process: no threads of OpenCV's own, which would only get in the others' way;
    Ctrl-C is for the parent to heed; and without a parent there is no work to wait for.
    """
    import cv2

    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _measure_chunk(paths: Sequence[Path], settings: MeasurementSettings) -> _Part:
    measured = [measure_file(path, settings) for path in paths]
    return np.stack([row for row, _ in measured]), [reason for _, reason in measured]
