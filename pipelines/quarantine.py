"""Files that cannot be read: listed with a reason, never trained on, never deleted."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

from pipelines.errors import ManifestError, name_some
from pipelines.manifest import Manifest
from tflite.runtime.errors import ImageError
from tflite.runtime.files import whole_file
from tflite.runtime.preprocess import decode_image

COLUMNS = ("path", "reason")
"""``path`` as in the manifest, ``reason`` in words."""

Progress = Callable[[int, int], None]


def find_unreadable(
    manifest: Manifest, workers: int | None = None, progress: Progress | None = None
) -> pd.DataFrame:
    """Decodes every image and lists those that fail.

    Every byte is decoded: a truncated file has a sound beginning.

    Args:
        manifest: The data set.
        workers: Threads; by default the number of processors.
        progress: Called with the images done and their number, now and then.

    Returns:
        Columns `COLUMNS`, in the order of the manifest; index: the row numbers in it.
    """
    paths = manifest.paths()
    reasons: dict[int, str] = {}
    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        for row, reason in enumerate(pool.map(unreadable_reason, paths)):
            if reason:
                reasons[row] = reason
            if progress and (row % 50 == 49 or row + 1 == len(paths)):
                progress(row + 1, len(paths))
    rows = list(reasons)
    return pd.DataFrame(
        {"path": manifest.table["path"].iloc[rows].tolist(), "reason": list(reasons.values())},
        index=pd.Index(rows, dtype="int64"),
        columns=list(COLUMNS),
    )


def unreadable_reason(path: Path) -> str | None:
    """Why an image file cannot be used, or None if it can."""
    try:
        decode_image(path)
    except ImageError as error:
        return str(error)
    return None


def split_off_unreadable(
    manifest: Manifest, workers: int | None = None, progress: Progress | None = None
) -> tuple[Manifest, pd.DataFrame]:
    """Parts the data set into what can be used and what cannot.

    Args:
        manifest: The data set.
        workers: Threads, as in `find_unreadable`.
        progress: As in `find_unreadable`.

    Returns:
        The manifest of the readable images, its rows numbered anew, with a note on how many were
        left out; and the list of `find_unreadable`.

    Raises:
        ManifestError: If no image of a class can be read.
    """
    unreadable = find_unreadable(manifest, workers, progress)
    if unreadable.empty:
        return manifest, unreadable
    return leave_out(manifest, unreadable), unreadable


def leave_out(manifest: Manifest, unreadable: pd.DataFrame) -> Manifest:
    """The rows without those of a list of unreadable images.

    Args:
        manifest: The data set.
        unreadable: As `find_unreadable` gives it, with at least one row.

    Returns:
        The others, numbered anew, with a note on how many images were left out.

    Raises:
        ManifestError: If no image of a class is left.
    """
    keep = np.ones(len(manifest), bool)
    keep[unreadable.index] = False
    table = manifest.table[keep]
    lost = sorted(set(manifest.table["label"]) - set(table["label"]))
    if lost:
        raise ManifestError(
            f"No image of {name_some(lost)} can be read ({len(unreadable)} unreadable files in "
            f"all). The first: {unreadable['reason'].iloc[0]}"
        )
    note = f"{len(unreadable)} unreadable file(s) are in quarantine and were left out."
    return manifest.with_table(table).with_notes(note)


def write_quarantine(unreadable: pd.DataFrame, path: Path | str) -> None:
    """Writes the list as CSV, whole or not at all; a list without rows too."""
    with whole_file(path) as temporary:
        unreadable.to_csv(
            temporary, columns=list(COLUMNS), index=False, encoding="utf-8", lineterminator="\n"
        )
