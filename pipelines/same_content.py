"""Finds files of identical content without reading more of them than needed."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

import numpy as np

_TAIL = 4096
_BLOCK = 256
_WORKERS = 8


def same_content(paths: Sequence[Path | str]) -> np.ndarray:
    """Numbers the groups of files that hold the same bytes.

    Sizes are compared first, then SHA-256 of the last 4 KiB among files of one size (two jpg
    files practically never end alike), then SHA-256 of the whole files that still look alike.
    Missing and empty files are equal to none.

    Args:
        paths: The files.

    Returns:
        int64 ``(len(paths),)``: -1 for a file like no other, else the number of its group, from
        0 in the order of first appearance.
    """
    names = [str(path) for path in paths]
    candidates = list(range(len(names)))
    alike: list[list[int]] = []
    for key in (_size, _tail_digest, _full_digest):
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


def _size(name: str) -> int | None:
    try:
        return os.stat(name).st_size or None  # noqa: PTH116 (100,000 files)
    except OSError:
        return None


def _tail_digest(name: str) -> tuple[int, bytes] | None:
    try:
        with open(name, "rb") as file:  # noqa: PTH123 (100,000 files)
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL))
            return size, hashlib.sha256(file.read(_TAIL)).digest()
    except OSError:
        return None


def _full_digest(name: str) -> bytes | None:
    try:
        with open(name, "rb") as file:  # noqa: PTH123
            return hashlib.file_digest(file, "sha256").digest()
    except OSError:
        return None
