"""Finds images that show the same picture in other files: rescaled, compressed anew, turned."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from pipelines.errors import ManifestError
from pipelines.leaks import NEAR_DUPLICATES as COLUMN
from pipelines.manifest import Manifest
from tflite.runtime.errors import ImageError
from tflite.runtime.preprocess import decode_image

Progress = Callable[[int, int], None]

_TURNS = (None, *Image.Transpose)
"""The eight ways to lay a square down: as it is, and Pillow's seven turns and mirror images."""

_PIXELS_PER_BIT = 4
_WORD = 64
_BLOCK, _WIDTH = 64, 1024
"""Images compared at once: what is in hand for them stays in the processor's cache."""

_SHOWN_EVERY = 50


@dataclass(frozen=True)
class NearDuplicateSettings:
    """When two images count as near duplicates.

    With the defaults, 150 images of PBC that were compressed anew (JPEG quality 50), halved,
    made 20 % brighter, given 30 % more contrast or cropped by 4 pixels all round differed from
    themselves by at most 28 of the 256 bits, and the 5,950 different images at hand from one
    another by at least 66, whatever way they were turned. Of 240 images of PBC that were
    turned, compressed, halved, cropped by 4 pixels or altered in brightness, contrast or colour,
    and mixed with 1,500 others, all were found, and no false ones; of 40 that were cut out 10
    pixels beside the first, 21.

    Args:
        hash_size: Side of the square of bits, a multiple of 8; the hash has its square of bits.
        distance: Bits by which near duplicates may differ at most.
        turns: Whether an image turned by quarters or mirrored is a near duplicate, too.
        minimum_contrast: Standard deviation of the grey values (0 to 255) below which an image
            is too empty to be recognised; it is like no other.
        workers: Threads that decode; by default the number of processors.

    Raises:
        ManifestError: If a field is out of range; all bad fields are named.
    """

    hash_size: int = 16
    distance: int = 48
    turns: bool = True
    minimum_contrast: float = 1.0
    workers: int | None = None

    def __post_init__(self) -> None:
        faults = []
        if self.hash_size not in (8, 16, 24, 32):
            faults.append(f"hash_size must be 8, 16, 24 or 32, got {self.hash_size!r}")
        elif not 0 <= self.distance < self.hash_size**2 / 2:
            faults.append(
                f"distance must be from 0 to below half of the {self.hash_size**2} bits, got "
                f"{self.distance!r}"
            )
        if not self.minimum_contrast >= 0:
            faults.append(f"minimum_contrast must be at least 0, got {self.minimum_contrast!r}")
        if self.workers is not None and self.workers < 1:
            faults.append(f"workers must be at least 1, got {self.workers!r}")
        if faults:
            raise ManifestError("Near duplicates: " + "; ".join(faults) + ".")


@dataclass(frozen=True, eq=False)
class ImageHashes:
    """Perceptual hashes of images.

    Args:
        words: uint64 ``(images, turns, words)``: for each image the bits of its hash as it lies,
            then (with turns) of its seven turned and mirrored forms.
        usable: bool ``(images,)``: False for images that cannot be read or are too empty.
    """

    words: np.ndarray
    usable: np.ndarray

    def __len__(self) -> int:
        return len(self.words)


def hash_image(image: Image.Image, settings: NearDuplicateSettings) -> np.ndarray | None:
    """Perceptual hash (`imagehash.phash`: signs of the lowest frequencies of the cosine transform).

    Args:
        image: Any size and mode; compared in grey, at ``4 * hash_size`` pixels a side.
        settings: ``hash_size``, ``turns`` and ``minimum_contrast`` are used.

    Returns:
        uint64 ``(turns, words)``, or None for an image that is too empty.
    """
    import imagehash

    side = _PIXELS_PER_BIT * settings.hash_size
    small = image.convert("L").resize((side, side), Image.Resampling.LANCZOS)
    if np.asarray(small).std() < max(settings.minimum_contrast, 1e-9):
        return None
    turned = [
        small if turn is None else small.transpose(turn)
        for turn in (_TURNS if settings.turns else _TURNS[:1])
    ]
    bits = [imagehash.phash(form, settings.hash_size, _PIXELS_PER_BIT).hash for form in turned]
    return np.packbits(np.reshape(bits, (len(turned), -1)), axis=1).view(np.uint64)


def hash_files(
    paths: Sequence[Path | str],
    settings: NearDuplicateSettings | None = None,
    progress: Progress | None = None,
) -> ImageHashes:
    """Hashes image files in threads.

    Args:
        paths: The files. One that cannot be read is marked, not refused.
        settings: By default ``NearDuplicateSettings()``.
        progress: Called with the images done and their number, now and then.
    """
    settings = settings or NearDuplicateSettings()

    def hash_file(path: Path | str) -> np.ndarray | None:
        try:
            return hash_image(decode_image(Path(path)), settings)
        except ImageError:
            return None

    turns = len(_TURNS) if settings.turns else 1
    words = np.zeros((len(paths), turns, settings.hash_size**2 // _WORD), np.uint64)
    usable = np.zeros(len(paths), bool)
    with ThreadPoolExecutor(settings.workers or os.cpu_count()) as pool:
        for row, found in enumerate(pool.map(hash_file, paths)):
            if found is not None:
                words[row], usable[row] = found, True
            if progress and (row % _SHOWN_EVERY == _SHOWN_EVERY - 1 or row + 1 == len(paths)):
                progress(row + 1, len(paths))
    return ImageHashes(words, usable)


def find_pairs(hashes: ImageHashes, distance: int) -> tuple[np.ndarray, np.ndarray]:
    """All pairs of images whose hashes differ by few bits, however they lie.

    Every pair is compared: pictures of cells on the same pale ground share so many bits that
    trees over Hamming distances prune next to nothing, while blocks that stay in the processor's
    cache take about 4 ns a pair of images and turn.

    Args:
        hashes: Of `hash_files`.
        distance: Bits by which two hashes may differ at most.

    Returns:
        Rows int64 ``(pairs, 2)``, the smaller first, ascending; and the bits int64 ``(pairs,)``
        by which they differ, in the way they fit best.
    """
    rows = np.flatnonzero(hashes.usable)
    # One long row of words for each turn and each word of the hash.
    words = np.ascontiguousarray(hashes.words[rows].transpose(1, 2, 0))
    starts = range(0, len(rows), _BLOCK)
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # numpy counts bits outside the lock
        parts = list(pool.map(lambda start: _pairs_of_block(words, start, distance), starts))
    found = np.concatenate([np.zeros((0, 3), np.int64), *parts])
    best = (
        pd.DataFrame(found, columns=["first", "second", "bits"])
        .groupby(["first", "second"], as_index=False)
        .min()
        .to_numpy()
    )
    return rows[best[:, :2]].reshape(-1, 2), best[:, 2]


def _pairs_of_block(words: np.ndarray, start: int, distance: int) -> np.ndarray:
    """Pairs (first, second, bits) whose first image is in the block; one may come several times."""
    upright = words[0, :, start : start + _BLOCK]
    found = [np.zeros((0, 3), np.int64)]
    for begin in range(start, words.shape[2], _WIDTH):
        for turn in words[:, :, begin : begin + _WIDTH]:
            bits = np.zeros((upright.shape[1], turn.shape[1]), np.uint16)
            for one, other in zip(upright, turn):
                bits += np.bitwise_count(one[:, None] ^ other)
            first, second = np.nonzero(bits <= distance)
            pairs = np.stack([start + first, begin + second, bits[first, second]], 1)
            found.append(pairs[pairs[:, 0] < pairs[:, 1]].astype(np.int64))
    return np.concatenate(found)


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


def mark_near_duplicates(
    manifest: Manifest,
    settings: NearDuplicateSettings | None = None,
    progress: Progress | None = None,
) -> Manifest:
    """Adds the column `COLUMN`, by which `pipelines.split` keeps near duplicates together.

    Args:
        manifest: The data set; the column is made anew if it is there.
        settings: By default ``NearDuplicateSettings()``.
        progress: As in `hash_files`.

    Returns:
        The manifest with the column, and a note on how many images were found.
    """
    settings = settings or NearDuplicateSettings()
    hashes = hash_files(manifest.paths(), settings, progress)
    groups = join_pairs(find_pairs(hashes, settings.distance)[0], len(manifest))
    paths = manifest.table["path"].reset_index(drop=True)
    names = np.full(len(manifest), "", object)
    inside = groups >= 0
    names[inside] = paths[inside].groupby(groups[inside]).transform("min")
    marked = manifest.with_table(manifest.table.assign(**{COLUMN: names}))
    return marked.with_notes(_note(groups, hashes, settings))


def _note(groups: np.ndarray, hashes: ImageHashes, settings: NearDuplicateSettings) -> str:
    sizes = np.bincount(groups[groups >= 0])
    turned = " turned and mirrored images included," if settings.turns else ""
    found = (
        f"{sizes.sum():,} images in {len(sizes):,} groups, the largest of {sizes.max():,}"
        if len(sizes)
        else "none"
    )
    empty = int((~hashes.usable).sum())
    rest = f"; {empty:,} images are unreadable or too empty to be compared" if empty else ""
    return (
        f"Near duplicates (perceptual hash,{turned} at most {settings.distance} of "
        f"{settings.hash_size**2} bits apart): {found}{rest}."
    )
