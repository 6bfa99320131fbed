"""PBC (Acevedo et al. 2020): the 8 folders as published, or with the table of subsets.

Source: A. Acevedo, A. Merino, S. Alférez, Á. Molina, L. Boldú, J. Rodellar, "A dataset of
microscopic peripheral blood cell images for development of automatic recognition systems", Data
in Brief 30:105474, 2020. Nested subsets and their split 5:2:3 are those of study pbc. The data
set names neither slides nor patients.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from pipelines.class_mapping import map_manifest
from pipelines.class_names import ancestors, preferred_name
from pipelines.class_table import PBC_PREFIXES
from pipelines.datasets import csv_table
from pipelines.errors import ManifestError, name_rows, name_some
from pipelines.image_files import (
    find_images,
    images_elsewhere,
    note_elsewhere,
    refuse_case_twins,
    refuse_outside,
)
from pipelines.labels import HAL_CLASSES, PBC_CLASSES
from pipelines.manifest import Manifest, check_manifest, make_manifest
from pipelines.tables import read_text_table

ORDER = 10

SUBSETS = ("tiny", "small", "medium", "large")
"""Nested: each holds the ones before it."""

_TABLE_COLUMNS = ("path", "label", "prefix", "smallest_subset")


def recognise(path: Path) -> str | None:
    """The 8 class folders (at the root or one folder below), or the table with prefixes.

    Where other folders hold images too, they may be further classes or the other side of a split:
    it is another data set, of which nothing must be passed over.
    """
    if _has_table(path):
        return "manifest.csv has the columns prefix and smallest_subset"
    root = _class_root(path) if path.is_dir() else None
    if root is None or any(name.split("/")[-1] != "." for name in _elsewhere(path, root)):
        return None
    return f"it holds the folders {', '.join(PBC_CLASSES)}"


def read(
    path: Path, *, subset: str | None = None, fine: bool = False, outside_links: bool = False
) -> Manifest:
    """Reads PBC.

    Args:
        path: The folder of the published data, or one with a ``manifest.csv`` besides.
        subset: One of `SUBSETS`; needs the table, whose column ``smallest_subset`` says which
            is the smallest that an image belongs to. None takes all images.
        fine: Whether the labels are the finer classes of the prefixes, as far as they are among
            the 20 of study hairy (`pipelines.labels.HAL_CLASSES`), instead of the 8 folders.
            Images whose prefix tells no such class (platelets; neutrophils and immature
            granulocytes that were not told apart) are left out and counted in the notes.
        outside_links: Whether links may lead out of the folder. Paths of the table that say by
            themselves that they lie elsewhere are no links.

    Returns:
        The manifest, with the further column ``prefix``: the finer label that a file's name
        begins with (SNE segmented and BNE band neutrophil; MMY metamyelocyte, MY myelocyte, PMY
        promyelocyte; NEUTROPHIL and IG where it was not told). The table's split is kept. With
        `fine`, the further column ``label_given`` is the folder. Images beside the 8 folders are
        counted in the notes.

    Raises:
        ManifestError: If there is no such subset or nothing that tells it, or with `fine` a
            prefix is unknown or contradicts its folder, or names differ by capitals only, or a
            link leads out, or as `pipelines.manifest.check_manifest`.
    """
    manifest = _read(path, subset, outside_links)
    return _with_fine_labels(manifest) if fine else manifest


def _read(path: Path, subset: str | None, outside_links: bool) -> Manifest:
    if subset is not None and subset not in SUBSETS:
        raise ManifestError(f"PBC has the subsets {', '.join(SUBSETS)}, got {subset!r}.")
    if _has_table(path):
        manifest = _read_table(path, subset)
        if not outside_links:
            refuse_outside(path, manifest.table["path"], stated=True)
        return manifest
    if subset is not None:
        raise ManifestError(
            f"{path} has no manifest.csv with a column smallest_subset, so the subset {subset} "
            "is not known; read all of it, without a subset."
        )
    return _read_folders(path, outside_links)


def _has_table(path: Path) -> bool:
    file = path / "manifest.csv"
    if not file.is_file():
        return False
    with file.open(encoding="utf-8-sig", errors="replace") as lines:
        header = {name.strip().strip('"') for name in lines.readline().split(",")}
    return set(_TABLE_COLUMNS) <= header


def _class_root(path: Path) -> Path | None:
    """The folder that holds the 8 classes: this one, or one directly below."""
    below = sorted(child for child in path.iterdir() if child.is_dir())
    for folder in (path, *below):
        if all((folder / name).is_dir() for name in PBC_CLASSES):
            return folder
    return None


def _elsewhere(path: Path, root: Path) -> dict[str, int]:
    """Number of images beside the 8 folders of `root`, by folder relative to `path`."""
    beside = {} if root == path else images_elsewhere(path, [root.name])
    inside = "" if root == path else f"{root.name}/"
    within = images_elsewhere(root, PBC_CLASSES)
    return beside | {f"{inside}{name}": count for name, count in within.items()}


def _read_table(path: Path, subset: str | None) -> Manifest:
    file = path / "manifest.csv"
    if subset is None:
        manifest = csv_table.read(file)
        return make_manifest(manifest.table, path, PBC_CLASSES)
    table = read_text_table(file, _TABLE_COLUMNS)
    given = set(table["smallest_subset"])
    unknown = given - set(SUBSETS)
    if unknown:
        raise ManifestError(
            f"The column smallest_subset of {file} has {name_some(sorted(unknown))}; it takes "
            f"{', '.join(SUBSETS)}."
        )
    if subset not in given:
        raise ManifestError(
            f"{file} has no images of the subset {subset}; it has "
            f"{', '.join(name for name in SUBSETS if name in given)}."
        )
    wanted = SUBSETS[: SUBSETS.index(subset) + 1]
    manifest = make_manifest(table[table["smallest_subset"].isin(wanted)], path, PBC_CLASSES)
    check_manifest(manifest)
    return manifest.with_notes(f"Subset {subset}.")


def _read_folders(path: Path, outside_links: bool) -> Manifest:
    root = _class_root(path)
    if root is None:
        raise ManifestError(f"{path} does not hold the 8 folders of PBC: {', '.join(PBC_CLASSES)}.")
    if not outside_links:
        refuse_outside(path, [root.name] if root != path else [])
    found = find_images(root, outside_links)
    refuse_case_twins((*found.paths, *found.empty_folders), root)
    names = [name for name in found.paths if name.split("/")[0] in PBC_CLASSES]
    inside = "" if root == path else f"{root.name}/"
    table = pd.DataFrame(
        {
            "path": [f"{inside}{name}" for name in names],
            "label": [name.split("/")[0] for name in names],
            "prefix": [_prefix(name) for name in names],
        }
    )
    manifest = make_manifest(table, path, PBC_CLASSES)
    check_manifest(manifest, files=False)
    return manifest.with_notes(*note_elsewhere(_elsewhere(path, root)))


def _with_fine_labels(manifest: Manifest) -> Manifest:
    folders = manifest.table["label"]
    prefixes = manifest.table["prefix"].str.strip().str.upper()
    unknown = np.flatnonzero(~prefixes.isin(list(PBC_PREFIXES)))
    if len(unknown):
        raise ManifestError(
            f"The file names of PBC begin with {', '.join(PBC_PREFIXES)}, these do not: "
            f"{name_rows(manifest.table, unknown)}. Without the option fine they can be read."
        )
    labels = prefixes.map(PBC_PREFIXES)
    pairs = dict.fromkeys(zip(folders, labels))
    wrong = {
        (folder, name)
        for folder, name in pairs
        if preferred_name(folder) not in (name, *ancestors(name))
    }
    rows = [row for row, pair in enumerate(zip(folders, labels)) if pair in wrong]
    if rows:
        raise ManifestError(
            f"The names of {len(rows)} file(s) contradict their folder: "
            f"{name_rows(manifest.table, rows)}. Put them where they belong, or leave the option "
            "fine out."
        )
    table = manifest.table.assign(label=labels, label_given=folders)
    finer = make_manifest(table, manifest.root).with_notes(*manifest.notes)
    return map_manifest(finer, HAL_CLASSES, "pbc")


def _prefix(name: str) -> str:
    found = re.match(r"[A-Za-z]+", name.rsplit("/", 1)[-1])
    return found.group().upper() if found else ""
