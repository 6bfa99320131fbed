"""MedMNIST (Yang et al. 2023): an archive of six arrays, or a folder with several.

On disk, ``bloodmnist.npz`` (28 pixels), ``bloodmnist_64.npz``, ``_128`` and ``_224``, and alike
for the other sets: ``train_images``, ``train_labels``, ``val_images``, ``val_labels``,
``test_images``, ``test_labels``. Source: J. Yang and others, "MedMNIST v2 - A large-scale
lightweight benchmark for 2D and 3D biomedical image classification", Scientific Data 10:41, 2023.
BloodMNIST is PBC, 17,092 images, split 7:1:2 without regard to slides, which nobody knows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.class_table import DATASET_WORDS
from pipelines.datasets import npz
from pipelines.errors import ManifestError
from pipelines.image_arrays import (
    Header,
    LabelledArray,
    image_note,
    parse_names,
    read_headers,
    read_rows,
)
from pipelines.manifest import Manifest, make_manifest

ORDER = 60  # behind csv_table: a manifest beside the archive goes before it

SIDES = {"train": "train", "val": "validation", "test": "test"}
"""Beginnings of the arrays' names, and sides of the manifest."""

ARRAYS = tuple(
    LabelledArray(f"{side}_images", f"{side}_labels", split) for side, split in SIDES.items()
)

_NAMES = {name for pair in ARRAYS for name in (pair.images, pair.labels)}
_FILE = re.compile(r"([a-z0-9]*mnist(?:3d)?)", re.IGNORECASE)


@dataclass(frozen=True)
class Archive:
    """One file of MedMNIST.

    Args:
        file: Where it is.
        headers: Its arrays.
    """

    file: Path
    headers: dict[str, Header]

    @property
    def dataset(self) -> str:
        """Such as ``bloodmnist``, as the file is called; "" where it is called otherwise."""
        found = _FILE.match(self.file.name)
        return found.group(1).lower() if found else ""

    @property
    def size(self) -> int:
        """Rows of its training images; 0 where they are no images."""
        shape, _ = self.headers.get(ARRAYS[0].images, ((), None))
        return shape[1] if len(shape) > 1 else 0


def recognise(path: Path) -> str | None:
    """Archives with the six arrays, in a folder those that are called like ``*mnist*.npz``."""
    found = _find(path)
    if not found:
        return None
    return f"{', '.join(one.file.name for one in found)} hold(s) the six arrays of MedMNIST"


def read(
    path: Path,
    *,
    dataset: str | None = None,
    size: int | None = None,
    names: str | None = None,
) -> Manifest:
    """Reads one data set in one size.

    Args:
        path: An archive, or a folder with several.
        dataset: Which set, such as bloodmnist; for a single archive what it is, if it is called
            otherwise.
        size: Which size in pixels, where a folder holds several.
        names: Classes of the labels 0, 1, ..., with commas between them; by default those of
            BloodMNIST for it, and the numbers for every other set.

    Returns:
        The manifest on MedMNIST's own split.

    Raises:
        ManifestError: If there is no such archive or more than one, it is damaged, or its arrays
            cannot be used (see `pipelines.image_arrays.read_rows`), as where images have several
            labels or three dimensions.
    """
    found = [Archive(path, read_headers(path))] if path.is_file() else _find(path)
    chosen = _choose(path, found, dataset, size)
    given = parse_names(names) or _own_names(dataset or chosen.dataset)
    table, classes = read_rows(chosen.file, chosen.headers, ARRAYS, given, one_hot=False)
    manifest = make_manifest(table, chosen.file.parent, classes)
    return manifest.with_notes(*image_note(chosen.headers, ARRAYS))


def _find(path: Path) -> list[Archive]:
    files = [path] if path.is_file() else npz.find_archives(path)
    found = []
    for file in files:
        if file.suffix.lower() != ".npz" or (path.is_dir() and not _FILE.match(file.name)):
            continue
        try:
            headers = read_headers(file)
        except ManifestError:  # the kind npz tells what is wrong
            continue
        if set(headers) >= _NAMES:
            found.append(Archive(file, headers))
    return found


def _choose(path: Path, found: Sequence[Archive], dataset: str | None, size: int | None) -> Archive:
    fitting = [
        one
        for one in found
        if (dataset is None or one.dataset == str(dataset).lower() or path.is_file())
        and (size is None or one.size == size)
    ]
    if len(fitting) == 1:
        return fitting[0]
    listed = ", ".join(f"{one.file.name} ({one.dataset}, {one.size} px)" for one in found)
    wanted = [f"dataset={dataset}"] * (dataset is not None) + [f"size={size}"] * (size is not None)
    asked = f" of {' '.join(wanted)}" if wanted else ""
    raise ManifestError(
        f"One archive of MedMNIST{asked} was expected in {path}; found {listed or 'none'}. "
        "Choose one with the options dataset and size."
    )


def _own_names(dataset: str) -> tuple[str, ...] | None:
    words = DATASET_WORDS.get(dataset.lower())
    return tuple(words[str(number)] for number in range(len(words))) if words else None
