"""Raabin-WBC (Kouzehkanan et al. 2022): the folders Train, TestA and TestB of cropped cells.

On disk, ``Train/<class>/<image>.jpg`` and alike for ``TestA`` and ``TestB``; classes Basophil,
Eosinophil, Lymphocyte, Monocyte, Neutrophil; a part may lack some. Source: Z. M. Kouzehkanan and
others, "A large dataset of white blood cells containing cell locations and types, along with
segmented nuclei and cytoplasm", Scientific Reports 12:1123, 2022. Smears were taken with two
microscopes and two cameras; the folders do not say which, so Train and TestA are taken for one
source and TestB, the set meant to test on foreign images, for another.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from pipelines.class_names import preferred_name
from pipelines.errors import ManifestError, name_some
from pipelines.image_files import (
    ImageFiles,
    find_images,
    images_elsewhere,
    note_elsewhere,
    refuse_case_twins,
    refuse_outside,
)
from pipelines.labels import RAABIN_CLASSES
from pipelines.manifest import Manifest, make_manifest

ORDER = 30

PARTS = {"train": "Train", "testa": "TestA", "testb": "TestB"}
"""Folders, written in lower case and without hyphens, underscores and spaces."""

SOURCES = {"Train": "raabin_a", "TestA": "raabin_a", "TestB": "raabin_b"}
"""What the manifest's ``source`` is taken to be."""

TESTS = ("A", "B", "AB")


def recognise(path: Path) -> str | None:
    """Folders called TestA or TestB (Test-A, Test_A) at the root, whose folders are the classes."""
    parts = _parts(path)
    tests = [folder.name for part, folder in parts if part != "Train"]
    if not tests or not any(_class_of(f.name) for _, p in parts for f in p.iterdir()):
        return None
    return f"it holds the folder(s) {', '.join(folder.name for _, folder in parts)}"


def read(path: Path, *, test: str = "AB") -> Manifest:
    """Reads Raabin-WBC.

    Args:
        path: The folder that holds Train, TestA and TestB (one or two may be missing).
        test: Which of the two test sets are read, A, B or AB.

    Returns:
        The manifest; TestA and TestB are test, Train is train (validation is for
        `pipelines.split.split_manifest`); ``source`` is that of `SOURCES`;
        the further column ``part`` is the folder.

    Raises:
        ManifestError: If there is no such test set, a folder is none of the 5 classes or empty,
            images lie elsewhere, names differ by capitals only, or a link leads out.
    """
    if test not in TESTS:
        raise ManifestError(f"Raabin-WBC has the tests {', '.join(TESTS)}, got {test!r}.")
    parts = _parts(path)
    if not parts:
        raise ManifestError(f"{path} holds none of the folders {', '.join(PARTS.values())}.")
    refuse_outside(path, [folder.name for _, folder in parts])
    refuse_case_twins((folder.name for _, folder in parts), path)
    double = [name for name, _ in parts if [part for part, _ in parts].count(name) > 1]
    if double:
        raise ManifestError(
            f"{path} holds the part {double[0]} twice: "
            f"{name_some(folder.name for part, folder in parts if part == double[0])}."
        )
    wanted = [(name, folder) for name, folder in parts if name == "Train" or name[-1] in test]
    if not wanted:
        raise ManifestError(f"{path} has neither Train nor Test{' or Test'.join(test)}.")
    table = pd.concat([_read_part(name, folder) for name, folder in wanted], ignore_index=True)
    present = set(table["label"])
    manifest = make_manifest(table, path, [name for name in RAABIN_CLASSES if name in present])
    left = [folder.name for name, folder in parts if (name, folder) not in wanted]
    notes = [f"Not asked for: {', '.join(left)}."] if left else []
    beside = images_elsewhere(path, [folder.name for _, folder in parts])
    return manifest.with_notes(*notes, *note_elsewhere(beside))


def _parts(path: Path) -> list[tuple[str, Path]]:
    """Name of the part and its folder, in the order of `PARTS`."""
    if not path.is_dir():
        return []
    found = []
    for folder in sorted(child for child in path.iterdir() if child.is_dir()):
        name = PARTS.get(re.sub(r"[-_ ]", "", folder.name).lower())
        if name:
            found.append((name, folder))
    return sorted(found, key=lambda part: (list(SOURCES).index(part[0]), part[1].name))


def _read_part(part: str, folder: Path) -> pd.DataFrame:
    found = find_images(folder, outside_links=False)
    refuse_case_twins((*found.paths, *found.empty_folders), folder)
    faults = list(_faults(found))
    if faults:
        raise ManifestError(f"{folder} cannot be read: " + ";\n  ".join(faults) + ".")
    return pd.DataFrame(
        {
            "path": [f"{folder.name}/{name}" for name in found.paths],
            "label": [_class_of(name.split("/")[0]) for name in found.paths],
            "source": SOURCES[part],
            "split": "train" if part == "Train" else "test",
            "part": part,
        }
    )


def _faults(found: ImageFiles) -> Iterator[str]:
    loose = [name for name in found.paths if name.count("/") != 1]
    if loose:
        yield f"image(s) that do not lie in <class>/: {name_some(loose, 3)}"
    folders = {name.split("/")[0] for name in found.paths if "/" in name}
    unknown = sorted(f for f in folders | set(found.empty_folders) if not _class_of(f))
    if unknown:
        yield f"the folder(s) {name_some(unknown)} are none of {', '.join(RAABIN_CLASSES)}"
    if found.empty_folders:
        yield f"the folder(s) {name_some(found.empty_folders)} hold no image"
    if not found.paths:
        yield "there is no image"


def _class_of(folder: str) -> str:
    """One of the 5 classes, or "" for any other name."""
    try:
        name = preferred_name(folder, "raabin")
    except ManifestError:
        return ""
    return name if name in RAABIN_CLASSES else ""
