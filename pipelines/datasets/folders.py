"""A folder for each class, at any depth."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from pipelines.errors import ManifestError, name_some
from pipelines.image_files import SUFFIXES, ImageFiles, count_images, find_images, refuse_case_twins
from pipelines.manifest import Manifest, make_manifest

ORDER = 90

SPLIT_FOLDERS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}
"""Names of folders (in any capitals) that give a split when all folders of the root are such."""


def recognise(path: Path) -> str | None:
    """A folder that has images somewhere in its sub-folders."""
    if not path.is_dir():
        return None
    images, links = count_images(path)
    if not images and not links:
        return None
    out = f" and {links:,} link(s) that lead out of the folder" if links else ""
    return f"{images:,} images{out}, with sub-folders taken for classes"


def read(
    path: Path,
    *,
    class_level: int = -1,
    slide_level: int | None = None,
    patient_level: int | None = None,
    source_level: int | None = None,
    split_folders: bool = True,
    outside_links: bool = False,
) -> Manifest:
    """Reads a tree whose folder names are the classes.

    Args:
        path: The root.
        class_level: Which folder on the way from the root to an image is the class, counted from
            0 below the root, or from -1 for the last.
        slide_level: Which folder is the slide, counted alike; None if none is.
        patient_level: The same for the patient.
        source_level: The same for the source.
        split_folders: Whether folders directly below the root that are all called train, val,
            test or alike (`SPLIT_FOLDERS`) give the split.
        outside_links: Whether links may lead out of the folder, to where a laboratory keeps its
            images.

    Returns:
        The manifest. Files that are no images by their ending, and links to folders that are
        there already, are counted in its notes.

    Raises:
        ManifestError: If there are no images, images lie outside the class folders, a class
            folder holds no image, names differ by capitals only, or a link leads out.
    """
    found = find_images(path, outside_links)
    if not found.paths:
        raise ManifestError(
            f"There is no image below {path}; the endings of images are "
            f"{', '.join(sorted(SUFFIXES))}."
        )
    refuse_case_twins((*found.paths, *found.empty_folders), path)
    parts = [name.split("/")[:-1] for name in found.paths]
    columns = {"label": class_level, "slide": slide_level}
    columns |= {"patient": patient_level, "source": source_level}
    table = pd.DataFrame({"path": found.paths})
    for column, level in columns.items():
        if level is not None:
            table[column] = _names_at(path, found, parts, level)
            _refuse_twins(path, found, list(table[column]))
    tops = {folders[0] for folders in parts}
    if split_folders and all(top.lower() in SPLIT_FOLDERS for top in tops) and len(tops) > 1:
        table["split"] = [SPLIT_FOLDERS[folders[0].lower()] for folders in parts]
    _refuse_empty(path, found, set(table["label"]), class_level)
    manifest = make_manifest(table, path)
    return manifest.with_notes(*_notes(found))


def _notes(found: ImageFiles) -> Iterator[str]:
    if found.others:
        yield (
            f"{len(found.others)} file(s) are no images by their ending: "
            f"{name_some(found.others, 3)}."
        )
    if found.repeated_folders:
        yield (
            f"{len(found.repeated_folders)} link(s) to folders that are read under their own name "
            f"are passed over: {name_some(found.repeated_folders, 3)}."
        )


def _refuse_twins(root: Path, found: ImageFiles, names: list[str]) -> None:
    """Refuses names of one level that differ by capitals only, such as two spellings of a class."""
    known: dict[str, int] = {}
    for row, name in enumerate(names):
        first = known.setdefault(name.casefold(), row)
        if names[first] != name:
            raise ManifestError(
                f"Names below {root} differ by capitals only: {names[first]!r} and {name!r}, of "
                f"{found.paths[first]!r} and {found.paths[row]!r}; rename or merge them."
            )


def _names_at(root: Path, found: ImageFiles, parts: list[list[str]], level: int) -> list[str]:
    shallow = [p for p, f in zip(found.paths, parts) if not -len(f) <= level < len(f)]
    if shallow:
        where = "directly in the folder" if "/" not in shallow[0] else f"above level {level}"
        raise ManifestError(
            f"{len(shallow)} of {len(found.paths)} images below {root} lie {where}, outside any "
            f"class folder: {name_some(shallow, 3)}. Put every image into a folder that is named "
            "for its class."
        )
    return [folders[level] for folders in parts]


def _refuse_empty(root: Path, found: ImageFiles, labels: set[str], level: int) -> None:
    empty = []
    for folder in found.empty_folders:
        names = folder.split("/")
        if -len(names) <= level < len(names) and names[level] not in labels:
            empty.append(folder)
    if empty:
        raise ManifestError(
            f"Below {root} the class folder(s) {name_some(empty)} hold no image; add images or "
            "remove the folder."
        )
