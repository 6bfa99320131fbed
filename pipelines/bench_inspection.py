"""Speed of the inspection: measuring an image, and the search for near duplicates."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pipelines.hash_pairs import ImageHashes, find_pairs
from pipelines.inspection.measurements import measure_file
from pipelines.inspection.settings import MeasurementSettings
from pipelines.near_duplicates import NearDuplicateSettings, hash_image

_PLAIN = "near duplicates, every turn of every pair compared"
_BOUNDED = "near duplicates, turns bounded by two transforms"
_BLOCK, _WIDTH = 64, 1024


@dataclass(frozen=True)
class InspectionBenchSettings:
    """What is measured.

    Args:
        pixels: Heights, equal to widths, of the images that are measured.
        images: Images of each size.
        hashes: Images among which near duplicates are searched.
        rounds: Rounds; the two searches take turns in each, and the median counts.
    """

    pixels: tuple[int, ...] = (48, 360)
    images: int = 200
    hashes: int = 6000
    rounds: int = 5


def bench_inspection(settings: InspectionBenchSettings | None = None) -> list[dict[str, Any]]:
    """Images per second, in one process, of measuring JPEG files and of both searches.

    Returns:
        Rows as of `pipelines.bench.bench_augmentation`.
    """
    settings = settings or InspectionBenchSettings()
    measured = [
        _row(f"inspection, measuring, {pixels} px", pixels, _measuring_rate(pixels, settings))
        | {"runs": settings.rounds}
        for pixels in settings.pixels
    ]
    return measured + _searches(settings)


def _row(name: str, pixels: int, rate: float) -> dict[str, Any]:
    return {"name": name, "pixels": pixels, "images_per_second": rate, "ratio": 1.0, "against": ""}


def _picture(rng: np.random.Generator, pixels: int) -> Image.Image:
    """A smooth image like no other."""
    few = rng.integers(0, 256, (9, 9, 3), dtype=np.uint8)
    return Image.fromarray(few).resize((pixels, pixels), Image.Resampling.BICUBIC)


def _measuring_rate(pixels: int, settings: InspectionBenchSettings) -> float:
    rng, measurements = np.random.default_rng(0), MeasurementSettings()
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{number}.jpg" for number in range(settings.images)]
        for path in paths:
            _picture(rng, pixels).save(path)
        measure_file(paths[0], measurements)  # imports
        seconds = [
            _seconds(lambda: [measure_file(path, measurements) for path in paths])
            for _ in range(settings.rounds)
        ]
    return settings.images / statistics.median(seconds)


def _searches(settings: InspectionBenchSettings) -> list[dict[str, Any]]:
    near, rng = NearDuplicateSettings(), np.random.default_rng(0)
    side = 4 * near.hash_size
    found = [hash_image(_picture(rng, side), near) for _ in range(settings.hashes)]
    words = np.stack([hashes for hashes in found if hashes is not None])
    hashes = ImageHashes(words, np.ones(len(words), bool))
    ways: dict[str, Callable[[], object]] = {
        _PLAIN: lambda: _compare_all(words, near.distance),
        _BOUNDED: lambda: find_pairs(hashes, near.distance),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(settings.rounds):
        for name, way in ways.items():
            seconds[name].append(_seconds(way))
    rates = {name: len(words) / statistics.median(taken) for name, taken in seconds.items()}
    return [
        _row(name, side, rate)
        | {"ratio": rate / rates[_PLAIN], "against": _PLAIN, "runs": settings.rounds}
        for name, rate in rates.items()
    ]


def _compare_all(words: np.ndarray, distance: int) -> int:
    """Near pairs of uint64 ``(images, turns, words)``, some counted twice or with themselves."""
    turned = np.ascontiguousarray(words.transpose(1, 2, 0))

    def compare(start: int) -> int:
        number = 0
        for begin in range(start, len(words), _WIDTH):
            near: np.ndarray | np.bool_ = np.False_
            for turn in turned[:, :, begin : begin + _WIDTH]:
                upright = turned[0, :, start : start + _BLOCK]
                bits = np.zeros((upright.shape[1], turn.shape[1]), np.uint16)
                for one, other in zip(upright, turn):
                    bits += np.bitwise_count(one[:, None] ^ other)
                near = near | (bits <= distance)
            number += int(near.sum())
        return number

    with ThreadPoolExecutor(os.cpu_count()) as pool:  # as many threads as the other search
        return sum(pool.map(compare, range(0, len(words), _BLOCK)))


def _seconds(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started
