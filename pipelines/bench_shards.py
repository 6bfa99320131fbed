"""Throughput of images out of a folder and out of shards."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from pipelines.draws import SAMPLE, generator
from pipelines.image_cache import default_workers, load_images
from pipelines.manifest import Manifest, make_manifest
from tflite.runtime.contract import InputContract
from tflite.runtime.references import parse_reference
from tflite.runtime.stored_images import read_stored


@dataclass(frozen=True)
class StoredImagesSettings:
    """What is measured.

    Args:
        images: Number of images; synthetic JPEG files, about as large as those of PBC.
        size: Their height and width in pixels.
        pixels: Height and width that they are decoded to.
        shard_megabytes: Size of a shard, in units of 2**20 bytes.
        workers: Threads that decode; as many as there are processors if None. Bytes alone are
            read in one thread.
        repeats: Timed runs of each row, in turn; the median is given.
    """

    images: int = 500
    size: int = 360
    pixels: int = 96
    shard_megabytes: float = 4
    workers: int | None = None
    repeats: int = 5


@dataclass(frozen=True)
class _Store:
    """A data set with the rows in the order in which they lie there."""

    name: str
    manifest: Manifest
    in_order: np.ndarray


def bench_stored_images(settings: StoredImagesSettings | None = None) -> list[dict[str, Any]]:
    """Images and megabytes a second, from a folder and from shards, in order and at random.

    The files have just been written, so they come out of the system's cache and not off a disk.
    In order means in that of names for the folder, and in that of records for the shards.

    Returns:
        Rows with the columns of `lab_models.bench.run_bench`, and ``megabytes_per_second``:
        10**6 bytes of image files; ``ratio`` is against the folder in the same order.
    """
    settings = settings or StoredImagesSettings()
    with tempfile.TemporaryDirectory() as home:
        folder = _draw(Path(home) / "cells", settings)
        stores = (folder, _pack(folder.manifest, Path(home) / "pack", settings))
        return [row for what in _actions(settings) for row in _compare(what, stores, settings)]


_Action = Callable[[Manifest, np.ndarray], Callable[[], object]]
"""Gives what is timed, for some rows of a data set in their order."""


def _actions(settings: StoredImagesSettings) -> list[tuple[str, _Action]]:
    contract = InputContract(settings.pixels, settings.pixels)
    workers = settings.workers or default_workers()

    def read(manifest: Manifest, rows: np.ndarray) -> Callable[[], object]:
        paths = [manifest.path(int(row)) for row in rows]
        return lambda: sum(len(_bytes(path)) for path in paths)

    def decode(manifest: Manifest, rows: np.ndarray) -> Callable[[], object]:
        return lambda: load_images(manifest, rows, contract, workers)

    return [("bytes", read), (f"decoded to {settings.pixels} px", decode)]


def _bytes(path: Path) -> bytes:
    stored = read_stored(parse_reference(path))
    return stored if isinstance(stored, bytes) else Path(str(stored)).read_bytes()


def _compare(
    what: tuple[str, _Action], stores: tuple[_Store, ...], settings: StoredImagesSettings
) -> list[dict[str, Any]]:
    """One action on all stores in both orders, in turns."""
    name, action = what
    runs: dict[str, tuple[str, Callable[[], object]]] = {}
    for order in ("in order", "at random"):
        against = f"images, {name}, {stores[0].name}, {order}"
        for store in stores:
            at_random = generator(0, SAMPLE).permutation(store.in_order)
            rows = store.in_order if order == "in order" else at_random
            title = f"images, {name}, {store.name}, {order}"
            runs[title] = (against, action(store.manifest, rows))
    seconds: dict[str, list[float]] = {title: [] for title in runs}
    for _ in range(settings.repeats):
        for title, (_, run) in runs.items():
            seconds[title].append(_seconds(run))
    rates = {title: settings.images / statistics.median(taken) for title, taken in seconds.items()}
    megabytes = sum(path.stat().st_size for path in stores[0].manifest.paths()) / 1e6
    return [
        {
            "name": title,
            "pixels": settings.size,
            "images_per_second": rate,
            "ratio": rate / rates[runs[title][0]],
            "against": "" if title == runs[title][0] else runs[title][0],
            "runs": settings.repeats,
            "megabytes_per_second": rate * megabytes / settings.images,
        }
        for title, rate in rates.items()
    ]


def _seconds(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def _draw(folder: Path, settings: StoredImagesSettings) -> _Store:
    """JPEG files of soft shapes with a little noise."""
    names = [f"{'ab'[i % 2]}/{i:06d}.jpg" for i in range(settings.images)]
    for number, name in enumerate(names):
        random = generator(0, SAMPLE, index=number)
        soft = Image.fromarray(random.integers(0, 256, (6, 6, 3), np.uint8))
        soft = soft.resize((settings.size, settings.size), Image.Resampling.BICUBIC)
        noise = random.normal(0, 6, (settings.size, settings.size, 3))
        pixels = np.clip(np.asarray(soft) + noise, 0, 255).astype(np.uint8)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / name, quality=80)
    table = pd.DataFrame({"path": sorted(names), "label": [name[0] for name in sorted(names)]})
    return _Store("folder", make_manifest(table, folder), np.arange(len(names)))


def _pack(manifest: Manifest, folder: Path, settings: StoredImagesSettings) -> _Store:
    from pipelines.datasets import open_dataset
    from pipelines.shards.pack import pack_dataset
    from pipelines.shards.settings import PackSettings

    pack_dataset(manifest, folder, PackSettings(settings.shard_megabytes, workers=settings.workers))
    packed = open_dataset(folder)
    return _Store("shards", packed, rows_as_stored(packed))


def rows_as_stored(manifest: Manifest) -> np.ndarray:
    """Row numbers of a pack in the order in which its records lie, int64 ``(images,)``."""
    parts = [parse_reference(str(path)) for path in manifest.table["path"]]
    places = [(part.file, part.span[0] if part.span else 0) for part in parts]
    return np.array(sorted(range(len(places)), key=places.__getitem__), np.int64)
