"""Decoded images of a manifest: kept in memory where they fit, decoded again where they don't."""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from tflite.runtime.contract import InputContract
from tflite.runtime.preprocess import prepare_image

if TYPE_CHECKING:
    from pipelines.manifest import Manifest

MEGABYTE = 2**20
_PART = 512


def default_workers() -> int:
    """As many threads as this process may use processors."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def load_images(
    manifest: Manifest,
    rows: np.ndarray,
    contract: InputContract,
    workers: int | None = None,
) -> np.ndarray:
    """Decodes images of a manifest in threads (Pillow lets go of the interpreter lock).

    Args:
        manifest: Gives the paths.
        rows: Row numbers in the manifest, int64 ``(n,)``; repeats are decoded again.
        contract: Size, crop, colour and interpolation.
        workers: Number of threads; as many as there are processors if None.

    Returns:
        uint8 array ``(n, height, width, 3)`` in the order of `rows`.

    Raises:
        ImageError: If an image cannot be read; the message names the file.
    """
    images = np.empty((len(rows), *contract.shape), np.uint8)
    paths = [manifest.path(int(row)) for row in rows]

    def load(position: int) -> None:
        images[position] = prepare_image(paths[position], contract)

    _run(load, range(len(paths)), default_workers() if workers is None else workers)
    return images


def _run(function, positions: Iterable[int], workers: int) -> None:  # type: ignore[no-untyped-def]
    if workers <= 1:
        for position in positions:
            function(position)
        return
    pool = ThreadPoolExecutor(workers)
    try:
        for _ in pool.map(function, positions):
            pass
    finally:
        # After an unreadable file the other ten thousand need not be decoded first.
        pool.shutdown(cancel_futures=True)


class ImageCache:
    """The images of a manifest, each decoded at most once where memory allows.

    Training and evaluation datasets may share one. Threads may use it together. Memory is taken
    as images are decoded, not before.

    Args:
        manifest: Gives the paths.
        contract: Size, crop, colour and interpolation.
        megabytes: The most memory that decoded images may take, in units of 2**20 bytes. The
            need is counted beforehand; if it is above, every image is decoded each time.
        workers: Number of threads that decode; as many as there are processors if None.
        rows: Row numbers that will be asked for, int64 ``(n,)``; all of the manifest if None.
    """

    def __init__(
        self,
        manifest: Manifest,
        contract: InputContract,
        megabytes: float = 4096,
        workers: int | None = None,
        rows: np.ndarray | None = None,
    ) -> None:
        self.contract = contract
        self._manifest = manifest
        self._workers = workers
        rows = np.arange(len(manifest)) if rows is None else rows
        self._rows = np.unique(np.asarray(rows, np.int64))
        self.keeps = self.bytes_needed <= megabytes * MEGABYTE
        if self.keeps:
            self._images = np.empty((len(self._rows), *contract.shape), np.uint8)
            self._ready = np.zeros(len(self._rows), bool)

    @property
    def bytes_needed(self) -> int:
        """Memory that all decoded images take."""
        return len(self._rows) * int(np.prod(self.contract.shape))

    def fill(self, rows: np.ndarray | None = None) -> ImageCache:
        """Decodes what is kept and not there yet, of some rows or all; gives itself.

        Raises:
            ImageError: If an image cannot be read; the message names the file.
            ValueError: If a row was not announced at construction.
        """
        if self.keeps:
            self._fill(self.positions(self._rows if rows is None else rows))
        return self

    def _fill(self, positions: np.ndarray) -> None:
        missing = np.unique(positions[~self._ready[positions]])
        # In parts, since what is decoded stands in memory twice for a moment.
        for part in np.array_split(missing, -(-len(missing) // _PART)) if len(missing) else ():
            # Two threads may decode the same image; they write the same bytes.
            self._images[part] = load_images(
                self._manifest, self._rows[part], self.contract, self._workers
            )
            self._ready[part] = True

    def get(self, rows: np.ndarray) -> np.ndarray:
        """The images of some of the rows, uint8 ``(len(rows), height, width, 3)``, a copy.

        Raises:
            ImageError: If an image cannot be read; the message names the file.
            ValueError: If a row was not announced at construction.
        """
        if not self.keeps:
            return load_images(self._manifest, rows, self.contract, self._workers)
        positions = self.positions(rows)
        self._fill(positions)
        return self._images[positions]

    def positions(self, rows: np.ndarray) -> np.ndarray:
        """Where the rows stand in the cache.

        Raises:
            ValueError: If a row was not announced at construction.
        """
        rows = np.asarray(rows, np.int64)
        positions = np.searchsorted(self._rows, rows)
        known = positions < len(self._rows)
        known[known] = self._rows[positions[known]] == rows[known]
        if not known.all():
            raise ValueError(f"The image cache does not hold the rows {rows[~known][:5].tolist()}.")
        return positions
