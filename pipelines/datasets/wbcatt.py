"""WBCAtt (Tsutsui et al. 2023): CSV files of 11 attributes for images of PBC, and tables like it.

On disk, ``pbc_attr_v1_train.csv``, ``pbc_attr_v1_val.csv`` and ``pbc_attr_v1_test.csv`` with the
columns ``img_name``, ``label``, the attributes, and ``path`` relative to the folder that holds
``PBC_dataset_normal_DIB``. Source: S. Tsutsui, W. Pang, B. Wen, "WBCAtt: A White Blood Cell
Dataset Annotated with Detailed Morphological Attributes", NeurIPS 2023. About 10,300 images of 5
classes; neither slides nor patients are named.
"""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from pipelines.class_names import preferred_name
from pipelines.datasets.folders import SPLIT_FOLDERS
from pipelines.errors import ManifestError, name_rows, name_some
from pipelines.image_files import refuse_case_twins, refuse_outside
from pipelines.manifest import Manifest, check_manifest, make_manifest
from pipelines.tables import read_text_table

ORDER = 5  # before pbc, whose folders lie beside the tables

ATTRIBUTES = (
    "cell_size",
    "cell_shape",
    "nucleus_shape",
    "nuclear_cytoplasmic_ratio",
    "chromatin_density",
    "cytoplasm_vacuole",
    "cytoplasm_texture",
    "cytoplasm_colour",
    "granule_type",
    "granule_colour",
    "granularity",
)
"""The 11 attributes of the paper."""

_REQUIRED = ("img_name", "label", "path")
_FILE = re.compile(r".*_(train|val|test)\.csv", re.IGNORECASE)


def recognise(path: Path) -> str | None:
    """CSV files whose first line names img_name, label, path and cell_size, here or one below."""
    files = _find_tables(path)
    if not files:
        return None
    return f"{', '.join(file.name for file in files)} name(s) img_name, path and attributes"


def read(
    path: Path, *, images: Path | str | None = None, attributes: str = ",".join(ATTRIBUTES)
) -> Manifest:
    """Reads tables of attributes.

    Args:
        path: The folder of the CSV files, the one above it, or one CSV file.
        images: Folder that the column ``path`` is relative to; by default the first of `path`,
            the folder of the CSV files and the one above it that holds the first image.
        attributes: Columns that every file must have, with commas between them.

    Returns:
        The manifest; ``split`` is what the name of the CSV file ends in (``_train``, ``_val``,
        ``_test``), "" for other names; ``label`` is the preferred name; attributes and all other
        columns are kept.

    Raises:
        ManifestError: If there is no table, a column is missing, files have different columns, a
            label is not in the table of names, an image is missing, stands twice or lies
            elsewhere than in `images`, or names differ by capitals only.
    """
    files = _find_tables(path) or ([path] if path.is_file() else [])
    if not files:
        raise ManifestError(
            f"{path} holds no CSV file with the columns {', '.join(_REQUIRED)} and cell_size, "
            "such as pbc_attr_v1_train.csv."
        )
    wanted = tuple(name.strip() for name in attributes.split(",") if name.strip())
    table = _read_tables(files, wanted)
    root = _image_root(path, files, table["path"].iloc[0]) if images is None else Path(images)
    refuse_outside(root, table["path"])
    refuse_case_twins(table["path"], root)
    known = {word: _class_of(word, files[0]) for word in table["label"].drop_duplicates()}
    table["label"] = table["label"].map(known)
    manifest = make_manifest(table, root)
    check_manifest(manifest)
    return manifest


def _find_tables(path: Path) -> list[Path]:
    """Tables of attributes in a folder or, if it has none, in the folders directly below."""
    if not path.is_dir():
        return [path] if path.suffix.lower() == ".csv" and _has_columns(path) else []
    below = [child for child in path.iterdir() if child.is_dir() and child.name[0] != "."]
    for folder in (path, *sorted(below)):
        files = [file for file in sorted(folder.glob("*.csv")) if _has_columns(file)]
        if files:
            return files
    return []


def _has_columns(file: Path) -> bool:
    if not file.is_file():
        return False
    with file.open(encoding="utf-8-sig", errors="replace") as lines:
        header = {name.strip().strip('"').lower() for name in re.split("[,;\t]", lines.readline())}
    return {*_REQUIRED, "cell_size"} <= header


def _read_tables(files: list[Path], attributes: tuple[str, ...]) -> pd.DataFrame:
    parts = [read_text_table(file, (*_REQUIRED, *attributes), ("split",)) for file in files]
    for file, part in zip(files, parts):
        if part.empty:
            raise ManifestError(f"{file} has no line below its first.")
        differing = sorted(set(part.columns) ^ set(parts[0].columns))
        if differing:
            raise ManifestError(
                f"{file} and {files[0].name} differ in the column(s) {name_some(differing)}."
            )
    for file, part in zip(files, parts):
        side = _FILE.fullmatch(file.name)
        named = SPLIT_FOLDERS[side.group(1).lower()] if side else ""
        given = part["split"].str.strip() if "split" in part.columns else [named] * len(part)
        part["split"] = [SPLIT_FOLDERS.get(value.lower(), value) for value in given]
    table = pd.concat(parts, ignore_index=True)
    for name in ("path", "label", "img_name"):
        table[name] = table[name].str.strip()
    table["path"] = table["path"].str.replace("\\", "/", regex=False)
    other = [
        row
        for row, (name, place) in enumerate(zip(table["img_name"], table["path"]))
        if place.rsplit("/", 1)[-1] != name
    ]
    if other:
        raise ManifestError(
            f"In {files[0].parent}, img_name is not the file of path in {len(other)} line(s): "
            f"{name_rows(table, other)}."
        )
    return table


def _image_root(path: Path, files: list[Path], first: str) -> Path:
    places = dict.fromkeys([path if path.is_dir() else path.parent, files[0].parent])
    places |= dict.fromkeys([files[0].parent.parent])
    for place in places:
        if (place / first).is_file():
            return place
    raise ManifestError(
        f"The image {first!r} of {files[0]} is in none of {', '.join(map(str, places))}; give the "
        "folder that holds the images as the option images."
    )


def _class_of(word: str, file: Path) -> str:
    try:
        return preferred_name(word, "wbcatt")
    except ManifestError as error:
        raise ManifestError(f"{file.parent}: {error}") from None
