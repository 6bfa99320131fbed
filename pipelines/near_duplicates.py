"""Finds images that show the same picture in other files: rescaled, compressed anew, turned."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from pipelines.errors import ManifestError
from pipelines.hash_pairs import TURNS, ImageHashes, Progress, group_images
from pipelines.leaks import NEAR_DUPLICATES as COLUMN
from pipelines.manifest import Manifest
from tflite.runtime.errors import ImageError
from tflite.runtime.preprocess import decode_image

_PIXELS_PER_BIT = 4
_WORD = 64
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


def hash_image(image: Image.Image, settings: NearDuplicateSettings) -> np.ndarray | None:
    """Perceptual hash: which low frequencies of the cosine transform are above their median.

    Args:
        image: Any size and mode; compared in grey, at ``4 * hash_size`` pixels a side.
        settings: ``hash_size``, ``turns`` and ``minimum_contrast`` are used.

    Returns:
        uint64 ``(turns, words)``, in the order of `pipelines.hash_pairs.TURNS`, or None for an
        image that is too empty.
    """
    import imagehash

    side = _PIXELS_PER_BIT * settings.hash_size
    small = image.convert("L").resize((side, side), Image.Resampling.LANCZOS)
    if np.asarray(small).std() < max(settings.minimum_contrast, 1e-9):
        return None
    turned = [small, *(small.transpose(turn) for turn in Image.Transpose if settings.turns)]
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

    turns = len(TURNS) if settings.turns else 1
    words = np.zeros((len(paths), turns, settings.hash_size**2 // _WORD), np.uint64)
    usable = np.zeros(len(paths), bool)
    with ThreadPoolExecutor(settings.workers or os.cpu_count()) as pool:
        for row, found in enumerate(pool.map(hash_file, paths)):
            if found is not None:
                words[row], usable[row] = found, True
            if progress and (row % _SHOWN_EVERY == _SHOWN_EVERY - 1 or row + 1 == len(paths)):
                progress(row + 1, len(paths))
    return ImageHashes(words, usable)


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
    groups = group_images(hashes, settings.distance)
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
