"""A folder for each class, at any depth."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from pipelines.errors import ManifestError, name_some
from pipelines.image_files import ImageFiles, find_images
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
    found = find_images(path)
    if not found.paths:
        return None
    return f"{len(found.paths):,} images, with sub-folders taken for classes"


def read(
    path: Path,
    *,
    class_level: int = -1,
    slide_level: int | None = None,
    patient_level: int | None = None,
    source_level: int | None = None,
    split_folders: bool = True,
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

    Returns:
        The manifest. Files that are no images by their ending are counted in its notes.

    Raises:
        ManifestError: If there are no images, images lie outside the class folders, or a class
            folder holds no image.
    """
    found = find_images(path)
    if not found.paths:
        raise ManifestError(f"There is no image below {path} (see SUFFIXES in image_files.py).")
    parts = [name.split("/")[:-1] for name in found.paths]
    columns = {"label": class_level, "slide": slide_level}
    columns |= {"patient": patient_level, "source": source_level}
    table = pd.DataFrame({"path": found.paths})
    for column, level in columns.items():
        if level is not None:
            table[column] = _names_at(path, found, parts, level)
    tops = {folders[0] for folders in parts}
    if split_folders and all(top.lower() in SPLIT_FOLDERS for top in tops) and len(tops) > 1:
        table["split"] = [SPLIT_FOLDERS[folders[0].lower()] for folders in parts]
    _refuse_empty(path, found, set(table["label"]), class_level)
    manifest = make_manifest(table, path)
    if found.others:
        manifest = manifest.with_notes(
            f"{len(found.others)} file(s) are no images by their ending: "
            f"{name_some(found.others, 3)}."
        )
    return manifest


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
