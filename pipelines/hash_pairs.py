"""Compares perceptual hashes: which images differ from one another by few bits.

Turning or mirroring a picture changes only signs and places of its cosine transform: mirrored
across, the odd columns change sign; turned by a quarter, rows and columns change places. Of hashes
that are signs of the transform, all eight turns are therefore nearly known from two, and one count
of bits in each of the four parities (even or odd row, even or odd column) bounds the distances of
four turns from below. Only pairs that the bound lets through are compared turn by turn, so the
result is that of comparing all, whatever the hashes are.
"""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd

Progress = Callable[[int, int], None]

TURNS = (
    (False, False, False), (False, False, True), (False, True, False), (True, True, False),
    (False, True, True), (True, False, True), (True, False, False), (True, True, True),
)  # fmt: skip
"""The eight ways to lay a square down: as it is, then in the order of `PIL.Image.Transpose`.

Each as: whether rows and columns change places, and whether after that the rows, and the columns,
are in reverse order.
"""

_WORD = 64
_BLOCK, _WIDTH, _BAND = 64, 1024, 16_384
"""Images compared at once (what is in hand for them stays in the processor's cache), and those
that one task compares a block with."""

_UNPACKED = 4096
_LINKS = 1_000_000


@dataclass(frozen=True, eq=False)
class ImageHashes:
    """Perceptual hashes of images.

    Args:
        words: uint64 ``(images, turns, words)``: for each image the bits of its hash as it lies,
            a square row by row, then (with turns) of its seven turned and mirrored forms, in the
            order of `TURNS`.
        usable: bool ``(images,)``: False for images that cannot be read or are too empty.
    """

    words: np.ndarray
    usable: np.ndarray

    def __len__(self) -> int:
        return len(self.words)


def find_pairs(
    hashes: ImageHashes, distance: int, progress: Progress | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """All pairs of images whose hashes differ by few bits, however they lie.

    Args:
        hashes: Of `pipelines.near_duplicates.hash_files`.
        distance: Bits by which two hashes may differ at most.
        progress: Called with the tasks done and their number.

    Returns:
        Rows int64 ``(pairs, 2)``, the smaller first, ascending; and the bits int64 ``(pairs,)``
        by which they differ, in the way they fit best.
    """
    rows = np.flatnonzero(hashes.usable)
    parts = _Search(hashes.words[rows], distance).run(progress)
    found = np.concatenate([np.zeros((0, 3), np.int64), *parts])
    found = found[np.lexsort((found[:, 1], found[:, 0]))]
    return rows[found[:, :2]], found[:, 2]


def group_images(
    hashes: ImageHashes, distance: int, progress: Progress | None = None
) -> np.ndarray:
    """Groups of images that hang together by pairs of `find_pairs`, if only through others.

    The pairs themselves are not kept, and images that are known to hang together are not compared
    any more: thousands of copies of one picture have millions of pairs.

    Args:
        hashes: As of `find_pairs`.
        distance: As there.
        progress: As there.

    Returns:
        As `join_pairs`.
    """
    rows = np.flatnonzero(hashes.usable)
    search = _Search(hashes.words[rows], distance)
    most = max(_LINKS, 4 * len(rows))
    links = np.zeros((0, 2), np.int64)
    for pairs in search.run(progress):
        links = np.concatenate([links, pairs[:, :2]])
        if len(links) > most:
            search.groups = join_pairs(links, len(rows))
            links = _fewest_pairs(search.groups)
    groups = np.full(len(hashes), -1, np.int64)
    groups[rows] = join_pairs(links, len(rows))
    return groups


def join_pairs(pairs: np.ndarray, number: int) -> np.ndarray:
    """Groups of images that hang together by pairs, if only through others.

    Args:
        pairs: Rows, int ``(pairs, 2)``.
        number: How many images there are.

    Returns:
        int64 ``(number,)``: -1 for an image in no pair, else the number of its group, from 0 in
        the order of first appearance (as `pipelines.same_content.same_content` numbers).
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    groups = np.full(number, -1, np.int64)
    if len(pairs):
        ones = np.ones(len(pairs), np.int8)
        graph = coo_array((ones, (pairs[:, 0], pairs[:, 1])), shape=(number, number))
        _, parts = connected_components(graph, directed=False)
        rows = np.unique(pairs)
        groups[rows] = pd.factorize(parts[rows])[0]
    return groups


def _fewest_pairs(groups: np.ndarray) -> np.ndarray:
    """Pairs that hold the same groups together: the first of each with each of the others."""
    rows = np.flatnonzero(groups >= 0)
    _, firsts, numbers = np.unique(groups[rows], return_index=True, return_inverse=True)
    pairs = np.stack([rows[firsts][numbers], rows], axis=1)
    return pairs[pairs[:, 0] < pairs[:, 1]]


def _few_at_a_time(
    work: Callable[[int, int], np.ndarray], tasks: Iterable[tuple[int, int]]
) -> Iterator[np.ndarray]:
    """Results in order, of threads: numpy counts bits outside the interpreter's lock."""
    threads = os.cpu_count() or 1
    waiting: deque[Future[np.ndarray]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for task in tasks:
            waiting.append(pool.submit(work, *task))
            if len(waiting) > 2 * threads:  # results that nobody takes must not pile up
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


class _Search:
    """Finds pairs among images.

    Args:
        words: uint64 ``(images, turns, words)``.
        distance: Bits by which two hashes may differ at most.

    ``groups``: int64 ``(images,)``; pairs within a group (-1 is none) are passed over.
    """

    def __init__(self, words: np.ndarray, distance: int) -> None:
        self.words, self.distance = words, distance
        self.groups = np.full(len(words), -1, np.int64)
        self.upright = _FourTurns(words, transposed=False)
        turned = [_FourTurns(words, transposed=True)] if words.shape[1] > 1 else []
        self.forms = [self.upright, *turned]

    def run(self, progress: Progress | None) -> Iterator[np.ndarray]:
        """All pairs (first, second, bits), each once, a task at a time."""
        starts = range(0, len(self.words), _BLOCK)
        tasks = [(start, band) for start in starts for band in range(start, len(self.words), _BAND)]
        for done, pairs in enumerate(_few_at_a_time(self._pairs, tasks), 1):
            yield pairs
            if progress:
                progress(done, len(tasks))

    def _pairs(self, start: int, band: int) -> np.ndarray:
        """Those with the first image in the block at `start` and the second in that band.

        Returns:
            First, second, bits: int64 ``(pairs, 3)``.
        """
        rows, last = slice(start, start + _BLOCK), min(band + _BAND, len(self.words))
        parts = [np.zeros((0, 3), np.int64)]
        for begin in range(band, last, _WIDTH):
            columns = slice(begin, min(begin + _WIDTH, last))
            maybe = [form.may_be_near(self.upright, rows, columns, self.distance)
                     for form in self.forms]  # fmt: skip
            first, second = np.nonzero(np.logical_or.reduce(maybe))
            parts.append(self._compare(start + first, begin + second))
        return np.concatenate(parts)

    def _compare(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Those of these pairs that are near, compared turn by turn."""
        groups = self.groups  # may be replaced meanwhile
        asked = (first < second) & ((groups[first] < 0) | (groups[first] != groups[second]))
        first, second = first[asked], second[asked]
        bits = np.bitwise_count(self.words[first, :1] ^ self.words[second])
        least = bits.sum(axis=2, dtype=np.int64).min(axis=1)
        return np.stack([first, second, least], axis=1)[least <= self.distance]


class _FourTurns:
    """The hashes of images as they lie, or with rows and columns in each other's place, from which
    those of the mirrored forms follow nearly.

    Args:
        words: uint64 ``(images, turns, words)``.
        transposed: Which four of the eight turns.
    """

    def __init__(self, words: np.ndarray, transposed: bool) -> None:
        self.mirrored = words.shape[1] > 1
        self.bits = words.shape[2] * _WORD // 4  # of each parity
        # Sums go to four times the bits, with mirrored forms to 2.5 times.
        self.counts = np.uint8 if self.mirrored and self.bits <= 64 else np.uint16
        self.parities = np.zeros((4, -(-self.bits // _WORD), len(words)), np.uint64)
        self.slack = np.zeros(len(words), np.int64)
        for start in range(0, len(words), _UNPACKED):
            part = slice(start, start + _UNPACKED)
            self._fill(part, words[part], transposed)

    def _fill(self, part: slice, words: np.ndarray, transposed: bool) -> None:
        basis = _square(words[:, TURNS.index((transposed, False, False))])
        for number, (row, column) in enumerate(product((0, 1), repeat=2)):
            bits = basis[:, row::2, column::2].reshape(len(words), -1)
            packed = np.packbits(bits, axis=1)
            padded = np.pad(packed, ((0, 0), (0, -packed.shape[1] % 8)))
            self.parities[number, :, part] = padded.view(np.uint64).T
        if self.mirrored:
            odd = np.arange(basis.shape[1], dtype=np.uint8) % 2
            for turn, (this, rows, columns) in enumerate(TURNS):
                if this == transposed:
                    signs = (odd[:, None] * rows) ^ (odd * columns)
                    wrong = (basis ^ signs ^ _square(words[:, turn])).sum((1, 2), np.int64)
                    self.slack[part] = np.maximum(self.slack[part], wrong)

    def may_be_near(
        self, upright: _FourTurns, rows: slice, columns: slice, distance: int
    ) -> np.ndarray:
        """Whether images as they lie and these may differ by few bits, bool ``(rows, columns)``."""
        limits = np.minimum(distance + self.slack[columns], np.iinfo(self.counts).max)
        ours, theirs = upright.parities[..., rows], self.parities[..., columns]
        least = np.zeros((ours.shape[-1], theirs.shape[-1]), self.counts)
        for parity, (one, other) in enumerate(zip(ours, theirs)):
            count = np.zeros_like(least)
            for word, others in zip(one, other):
                count += np.bitwise_count(word[:, None] ^ others)
            if self.mirrored and parity:  # even rows and columns keep their signs
                np.minimum(count, self.counts(self.bits) - count, out=count)
            least += count
        return least <= limits.astype(self.counts)


def _square(words: np.ndarray) -> np.ndarray:
    """Bits uint8 ``(images, side, side)`` of uint64 ``(images, words)``."""
    bits = np.unpackbits(np.ascontiguousarray(words).view(np.uint8), axis=1)
    side = math.isqrt(bits.shape[1])
    return bits.reshape(len(words), side, side)
