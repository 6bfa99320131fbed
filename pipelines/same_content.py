"""Finds images of identical stored content without reading more of them than needed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np

from pipelines.stored_content import content_digest, content_size

_BLOCK = 256
_WORKERS = 8


def same_content(paths: Sequence[Path | str]) -> np.ndarray:
    """Numbers the groups of files that hold the same bytes.

    Sizes are compared first, then SHA-256 of the last 4 KiB among files of one size (two jpg
    files practically never end alike), then SHA-256 of the whole files that still look alike.
    Missing and empty files are equal to none. An image file in a shard equals the same file
    outside; items of NumPy archives equal items of the same bytes, type and shape; cut-outs equal
    cut-outs by the same box of equal images.

    Args:
        paths: The files, or references (see `tflite.runtime.references`).

    Returns:
        int64 ``(len(paths),)``: -1 for a file like no other, else the number of its group, from
        0 in the order of first appearance.
    """
    names = [str(path) for path in paths]
    candidates = list(range(len(names)))
    alike: list[list[int]] = []
    for key in (content_size, partial(content_digest, tail=True), content_digest):
        alike = _alike(candidates, names, key)
        candidates = sorted(chain.from_iterable(alike))
    groups = np.full(len(names), -1, np.int64)
    for number, rows in enumerate(sorted(alike)):
        groups[rows] = number
    return groups


def _alike(
    rows: list[int], names: list[str], key: Callable[[str], Hashable | None]
) -> list[list[int]]:
    """The rows that share their key with others, together."""
    found: dict[Hashable, list[int]] = defaultdict(list)
    for row, value in zip(rows, _keys([names[row] for row in rows], key)):
        if value is not None:
            found[value].append(row)
    return [group for group in found.values() if len(group) > 1]


def _keys(names: list[str], key: Callable[[str], Hashable | None]) -> list[Hashable | None]:
    blocks = [names[start : start + _BLOCK] for start in range(0, len(names), _BLOCK)]
    with ThreadPoolExecutor(_WORKERS) as pool:  # hides the latency of network drives
        return list(chain.from_iterable(pool.map(lambda block: [key(n) for n in block], blocks)))
