"""Study particles (Lund 2023): bone-marrow particles, real or fake, in up to 32 lights a place.

On disk, ``<split>/<slide>/<class>/<place>/`` with ``standard.png`` (all bright-field LEDs) and any
other images of the same place, such as ``dark_field.png`` and ``pls_16.2_01.png`` (a single LED at
16.2 degrees, the first of these); ``<split>/<slide>/<class>/<place>.png`` where there is only the
standard image. ``<split>`` (train, val, test) may be missing; ``<class>`` is real or fake. Or
``places.csv`` with the columns ``path``, ``label``, ``slide`` and, as they are known, ``split``
and ``image:dark_field`` and the like. Source: Lund, "Particle Detection in Bone Marrow Using CNNs
and Transformer Networks", 2023. Its data were not published, so the layout is this project's own.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import pandas as pd

from pipelines.class_names import find_name, preferred_name
from pipelines.datasets.folders import SPLIT_FOLDERS
from pipelines.errors import ManifestError, name_rows, name_some
from pipelines.further_images import STANDARD, choose_image
from pipelines.image_files import find_images, refuse_case_twins, refuse_outside
from pipelines.labels import PARTICLE_CLASSES
from pipelines.manifest import FURTHER_IMAGE, Manifest, check_manifest, make_manifest
from pipelines.tables import read_text_table

ORDER = 35

TABLE = "places.csv"

_WHERE = "<split>/<slide>/<real or fake>/"
_REQUIRED = ("path", "label", "slide")


def recognise(path: Path) -> str | None:
    """Folders called real or fake within folders of slides, or places.csv."""
    if (path / TABLE).is_file():
        return f"the folder holds a {TABLE}"
    folders = _class_folders(path)
    return f"slides hold folders of particles, such as {folders[0]}" if folders else None


def read(path: Path, *, image: str = STANDARD) -> Manifest:
    """Reads places and their images.

    Args:
        path: The folder.
        image: Which image of each place becomes ``path``, such as ``dark_field``; places without
            it are left out and counted.

    Returns:
        The manifest: one row a place; ``label`` is real or fake;
        ``slide`` keeps a slide on one side of the split; the further column ``place`` is the name
        of the place, columns ``image:<name>`` name its other images, "" where one is missing
        (counted in the notes).

    Raises:
        ManifestError: If images lie elsewhere, a place has no standard image or two of one name,
            a class is neither real nor fake, a slide is on two sides, names differ by capitals
            only, a link leads out, a column of ``places.csv`` is missing, or no place has the
            image asked for.
    """
    table = _read_table(path) if (path / TABLE).is_file() else _read_folders(path)
    present = set(table["label"])
    manifest = make_manifest(table, path, [c for c in PARTICLE_CLASSES if c in present])
    check_manifest(manifest)
    manifest = manifest.with_notes(*_missing_images(manifest))
    return manifest if image == STANDARD else choose_image(manifest, image)


def _missing_images(manifest: Manifest) -> Iterator[str]:
    """What is missing at some places, the images that are missing equally often together."""
    by_number: dict[int, list[str]] = {}
    for column in manifest.further_images:
        number = int((manifest.table[column] == "").sum())
        by_number.setdefault(number, []).append(column[len(FURTHER_IMAGE) :])
    for number, names in by_number.items():
        if number:
            yield f"{number} of {len(manifest)} places have no image {name_some(names)}."


_CLASSES = {preferred_name(name, "particles"): name for name in PARTICLE_CLASSES}


def _class_of(word: str) -> str:
    """One of the two classes, or "" for any other name."""
    return _CLASSES.get(find_name(word, "particles") or "", "")


def _class_folders(path: Path) -> list[str]:
    """Folders of a class within a slide, relative to `path`."""
    slides = []
    for name in _folders(path):
        split = name.lower() in SPLIT_FOLDERS
        slides += [f"{name}/{slide}" for slide in _folders(path / name)] if split else [name]
    return [f"{s}/{name}" for s in slides for name in _folders(path / s) if _class_of(name)]


def _folders(path: Path) -> list[str]:
    if not path.is_dir():
        return []
    with os.scandir(path) as entries:
        return sorted(entry.name for entry in entries if entry.is_dir())


@dataclass
class _Place:
    split: str
    slide: str
    label: str
    name: str
    images: dict[str, str] = field(default_factory=dict)


def _read_folders(path: Path) -> pd.DataFrame:
    found = find_images(path, outside_links=False)
    refuse_case_twins((*found.paths, *found.empty_folders), path)
    places: dict[str, _Place] = {}
    faults: dict[str, list[str]] = {}
    for image in found.paths:
        where = _where(image)
        if where is None:
            faults.setdefault(f"lie elsewhere than in {_WHERE}", []).append(image)
            continue
        key, name, place = where
        images = places.setdefault(key, place).images
        if name in images:
            faults.setdefault("are two images of one name", []).append(image)
        images[name] = image
    for key, place in places.items():
        if STANDARD not in place.images:
            faults.setdefault("have no image called standard", []).append(key)
    if found.empty_folders:
        faults["hold no image"] = list(found.empty_folders)
    if faults or not places:
        told = [f"{name_some(names, 3)} {fault}" for fault, names in faults.items()]
        raise ManifestError(
            f"{path} cannot be read as study particles: "
            + (";\n  ".join(told) or f"there is no image in {_WHERE}")
            + "."
        )
    return _table(list(places.values()))


def _where(image: str) -> tuple[str, str, _Place] | None:
    """Key of an image's place, the image's name, and the place; None if it lies elsewhere."""
    *folders, file = PurePosixPath(image).parts
    split = SPLIT_FOLDERS.get(folders[0].lower(), "") if folders else ""
    below = folders[1:] if split else folders
    if len(below) not in (2, 3) or not _class_of(below[1]):
        return None
    slide, label, name = below[0], _class_of(below[1]), PurePosixPath(file).stem
    if len(below) == 3:
        return "/".join(folders), name, _Place(split, slide, label, below[2])
    return "/".join([*folders, name]), STANDARD, _Place(split, slide, label, name)


def _table(places: list[_Place]) -> pd.DataFrame:
    names = sorted({name for place in places for name in place.images} - {STANDARD})
    return pd.DataFrame(
        {
            "path": [place.images[STANDARD] for place in places],
            "label": [place.label for place in places],
            "slide": [place.slide for place in places],
            "split": [place.split for place in places],
            "place": [place.name for place in places],
            **{FURTHER_IMAGE + n: [place.images.get(n, "") for place in places] for n in names},
        }
    )


def _read_table(path: Path) -> pd.DataFrame:
    file = path / TABLE
    table = read_text_table(file, _REQUIRED, ("split", "place", "source", "patient"))
    if table.empty:
        raise ManifestError(f"{file} has no line below its first.")
    for name in table.columns:
        table[name] = table[name].str.strip()
    images = ["path", *(name for name in table.columns if name.startswith(FURTHER_IMAGE))]
    for name in images:
        table[name] = table[name].str.replace("\\", "/", regex=False)
        refuse_outside(path, [image for image in table[name] if image])
    labels = table["label"].map(_class_of)
    bad = (labels == "").to_numpy().nonzero()[0]
    if len(bad):
        raise ManifestError(
            f"{file} has labels that are neither real nor fake: {name_rows(table, bad)}."
        )
    table["label"] = labels
    if "split" in table.columns:
        table["split"] = [SPLIT_FOLDERS.get(value.lower(), value) for value in table["split"]]
    return table
