"""What is measured of every image, in one reading of its file."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from pipelines.hash_pairs import ImageHashes, Progress, group_images
from pipelines.inspection.features import LENGTH, cheap_features
from pipelines.inspection.nuclei import find_nuclei
from pipelines.inspection.settings import MeasurementSettings
from pipelines.near_duplicates import hash_image
from pipelines.stored_content import content_digest
from tflite.runtime.errors import ImageError
from tflite.runtime.preprocess import decode_image

VERSION = 2
"""Goes up whenever equal settings measure something else; kept measurements are then not used."""

_WORD = 64
_TURNS = 8


def row_type(settings: MeasurementSettings) -> np.dtype:
    """The fields of one image's measurements.

    ``readable``: bool. ``height``, ``width``: pixels. ``content``: SHA-256 of the file.
    ``sharpness``: variance of the Laplacian of the grey values. ``burnt``, ``black``: shares of
    the pixels. ``first``, ``second``, ``gap``: see `pipelines.inspection.nuclei.Nuclei`.
    ``hashed``: whether there is a perceptual hash. ``hash``: its words, for every turn.
    ``features``: `pipelines.inspection.features.cheap_features`.
    """
    hashes = settings.near_duplicates
    shape = (_TURNS if hashes.turns else 1, hashes.hash_size**2 // _WORD)
    return np.dtype(
        [
            ("readable", "?"),
            ("height", "<i4"),
            ("width", "<i4"),
            ("content", "V32"),
            ("sharpness", "<f4"),
            ("burnt", "<f4"),
            ("black", "<f4"),
            ("first", "<f4"),
            ("second", "<f4"),
            ("gap", "<f4"),
            ("hashed", "?"),
            ("hash", "<u8", shape),
            ("features", "<f2", (LENGTH,)),
        ]
    )


@dataclass(frozen=True, eq=False)
class Measurements:
    """Of all images of a manifest, in its order.

    Args:
        rows: Structured array ``(images,)`` of `row_type`; about 1 KB an image.
        reasons: Why a file cannot be read, by row.
        distance: Bits by which the perceptual hashes of one picture may differ.
        progress: Called with the parts of the comparison done and their number when `pictures` is
            asked for the first time.
    """

    rows: np.ndarray
    reasons: dict[int, str]
    distance: int
    progress: Progress | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, name: str) -> np.ndarray:
        return self.rows[name]

    @property
    def readable(self) -> np.ndarray:
        """Row numbers of the readable images, int64."""
        return np.flatnonzero(self.rows["readable"])

    def single(self, repeats: int) -> np.ndarray:
        """Row numbers of the readable images whose picture stands in fewer than `repeats` files.

        Pictures repeated more often are a finding of their own and would bury the others.
        """
        pictures = self.pictures[self.readable]
        return self.readable[np.bincount(pictures)[pictures] < repeats]

    @cached_property
    def contents(self) -> np.ndarray:
        """Number of each file's content, int64 ``(images,)``; -1 for unreadable files."""
        return pd.factorize(
            np.array([c if r else None for c, r in zip(self.content_digests(), self["readable"])])
        )[0].astype(np.int64)

    def content_digests(self) -> list[bytes]:
        """SHA-256 of each file, zeros where it cannot be read."""
        return [bytes(value) for value in self.rows["content"].tolist()]

    @cached_property
    def pictures(self) -> np.ndarray:
        """Number of each picture, int64 ``(images,)``; -1 for unreadable files.

        Files of equal content show the same picture, and so do near duplicates.
        """
        contents = self.contents
        firsts = np.flatnonzero(~pd.Series(contents).duplicated().to_numpy() & (contents >= 0))
        hashes = ImageHashes(self.rows["hash"][firsts], self.rows["hashed"][firsts])
        groups = group_images(hashes, self.distance, self.progress)
        alone = groups < 0
        groups[alone] = len(firsts) + np.arange(alone.sum())
        of_content = np.full(len(firsts), -1, np.int64)
        of_content[contents[firsts]] = groups
        numbered = np.full(len(self), -1, np.int64)
        inside = contents >= 0
        numbered[inside] = pd.factorize(of_content[contents[inside]])[0]
        return numbered


def measure_file(path: Path, settings: MeasurementSettings) -> tuple[np.ndarray, str]:
    """Measures one image.

    Args:
        path: The file, or a reference into one (see `tflite.runtime.references`).
        settings: How.

    Returns:
        A structured array ``()`` of `row_type`, and why the file cannot be read ("" if it can).
    """
    row = np.zeros((), row_type(settings))
    try:
        image = decode_image(path)
    except ImageError as error:
        return row, str(error)
    content = content_digest(str(path))
    if content is None:  # gone since it was decoded
        return row, f"{path} cannot be read."
    row["readable"] = True
    row["width"], row["height"] = image.size
    row["content"] = np.void(_as_digest(content))
    hashed = hash_image(image, settings.near_duplicates)
    if hashed is not None:
        row["hash"], row["hashed"] = hashed, True
    _measure_pixels(row, image, settings)
    return row, ""


def _as_digest(content: Hashable) -> bytes:
    """32 bytes: of a file its own SHA-256, of a part of one that of what says which part it is."""
    return (
        content if isinstance(content, bytes) else hashlib.sha256(repr(content).encode()).digest()
    )


def _measure_pixels(row: np.ndarray, image: Image.Image, settings: MeasurementSettings) -> None:
    import cv2

    pixels = np.asarray(image)
    scale = settings.side / max(pixels.shape[:2])
    if scale < 1:
        size = [max(1, round(length * scale)) for length in image.size]
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
    row["sharpness"] = cv2.Laplacian(grey, cv2.CV_32F).var()
    red, green, blue = cv2.split(pixels)
    least, most = (pick(pick(red, green), blue) for pick in (cv2.min, cv2.max))
    row["burnt"] = (least >= settings.saturated).mean()
    row["black"] = (most <= 255 - settings.saturated).mean()
    nuclei = find_nuclei(pixels, settings.purple, settings.darker, settings.joining)
    row["first"], row["second"], row["gap"] = nuclei.first, nuclei.second, nuclei.gap
    row["features"] = cheap_features(pixels)
