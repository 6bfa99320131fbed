"""Bone-marrow cytomorphology (Matek et al. 2021): 21 folders of codes, with numbered sub-folders.

On disk, ``BM_cytomorphology_data/<code>/<code>_00001.jpg`` for small classes and
``BM_cytomorphology_data/<code>/0001-1000/<code>_00001.jpg`` for large ones. Source: C. Matek, S.
Krappe, C. Münzenmayer, T. Haferlach, C. Marr, "An expert-annotated dataset of bone marrow
cytology in hematologic malignancies", The Cancer Imaging Archive, 2021, and the paper that goes
with it, Blood 138:1917, 2021. 171,373 images of 250x250 pixels; neither slides nor patients
are named.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from pipelines.class_table import BONE_MARROW_CODES
from pipelines.errors import ManifestError, name_some
from pipelines.image_files import (
    ImageFiles,
    find_images,
    images_elsewhere,
    refuse_case_twins,
    refuse_outside,
)
from pipelines.labels import BONE_MARROW_CLASSES
from pipelines.manifest import Manifest, make_manifest

ORDER = 30

_NUMBERS = re.compile(r"\d{4,6}-\d{4,6}")
_FEWEST = 2


def recognise(path: Path) -> str | None:
    """At least two folders that are called by a code, at the root or one folder below."""
    root = _code_root(path)
    if root is None:
        return None
    codes = [name for name in BONE_MARROW_CODES if (root / name).is_dir()]
    return f"it holds {len(codes)} folders of codes, such as {', '.join(codes[:3])}"


def read(path: Path) -> Manifest:
    """Reads bone-marrow cytomorphology.

    Args:
        path: The folder of the published data, or the one above it.

    Returns:
        The manifest; labels are the preferred names (HAC is ``hairy_cell``), in the order of
        `pipelines.labels.BONE_MARROW_CLASSES` as far as they have images; the further column
        ``code`` is the folder.

    Raises:
        ManifestError: If a folder is no code or no sub-folder of numbers, images lie beside the
            folder of the codes, a file's name begins with another code than its folder, a folder
            is empty, names differ by capitals only, or a link leads out.
    """
    root = _code_root(path)
    if root is None:
        raise ManifestError(
            f"{path} does not hold folders that are called by the codes of bone-marrow "
            f"cytomorphology: {', '.join(BONE_MARROW_CODES)}."
        )
    refuse_outside(path, [root.name] if root != path else [])
    found = find_images(root, outside_links=False)
    refuse_case_twins((*found.paths, *found.empty_folders), root)
    faults = list(_faults(found))
    beside = {} if root == path else images_elsewhere(path, [root.name])
    if beside:
        faults.append(
            f"images beside the folder {root.name!r} would not be read: {name_some(beside)}; "
            "name one folder, or read all of them with the kind folders"
        )
    if faults:
        raise ManifestError(f"{root} cannot be read: " + ";\n  ".join(faults) + ".")
    inside = "" if root == path else f"{root.name}/"
    codes = [name.split("/")[0] for name in found.paths]
    table = pd.DataFrame(
        {
            "path": [f"{inside}{name}" for name in found.paths],
            "label": [BONE_MARROW_CODES[code] for code in codes],
            "code": codes,
        }
    )
    present = set(table["label"])
    manifest = make_manifest(table, path, [name for name in BONE_MARROW_CLASSES if name in present])
    absent = [code for code, name in BONE_MARROW_CODES.items() if name not in present]
    return (
        manifest.with_notes(f"Codes without a folder: {', '.join(absent)}.") if absent else manifest
    )


def _code_root(path: Path) -> Path | None:
    """The folder that holds the codes: this one, or one directly below."""
    if not path.is_dir():
        return None
    for folder in (path, *sorted(child for child in path.iterdir() if child.is_dir())):
        if sum((folder / code).is_dir() for code in BONE_MARROW_CODES) >= _FEWEST:
            return folder
    return None


def _faults(found: ImageFiles) -> Iterator[str]:
    places = [name.split("/") for name in found.paths]
    loose = [name for name, parts in zip(found.paths, places) if len(parts) == 1]
    if loose:
        yield f"image(s) outside the folders of codes: {name_some(loose, 3)}"
    folders = [*places, *([*folder.split("/"), ""] for folder in found.empty_folders)]
    unknown = sorted({parts[0] for parts in folders if len(parts) > 1} - set(BONE_MARROW_CODES))
    if unknown:
        yield f"the folder(s) {name_some(unknown)} are none of {', '.join(BONE_MARROW_CODES)}"
    odd = sorted({"/".join(p[:-1]) for p in places if len(p) > 1 and not _is_numbered(p[1:-1])})
    if odd:
        yield f"within a code there are sub-folders such as 0001-1000, not {name_some(odd, 3)}"
    if found.empty_folders:
        yield f"the folder(s) {name_some(found.empty_folders)} hold no image"
    foreign = [
        name
        for name, parts in zip(found.paths, places)
        if (code := parts[-1].split("_")[0].upper()) in BONE_MARROW_CODES and code != parts[0]
    ]
    if foreign:
        yield f"{len(foreign)} file(s) are named for another code: {name_some(foreign, 3)}"


def _is_numbered(folders: list[str]) -> bool:
    return not folders or (len(folders) == 1 and _NUMBERS.fullmatch(folders[0]) is not None)
