"""A CSV table with the columns path and label (a manifest), or a folder with a manifest.csv."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from pipelines.datasets.folders import SPLIT_FOLDERS
from pipelines.errors import ManifestError
from pipelines.inspection.spelling import common_spellings
from pipelines.manifest import COLUMNS, Manifest, check_manifest, make_manifest
from pipelines.tables import read_text_table

ORDER = 50


def recognise(path: Path) -> str | None:
    """A file that ends in .csv, .tsv or .txt, or a folder that holds a manifest.csv."""
    if path.is_file() and path.suffix.lower() in (".csv", ".tsv", ".txt"):
        return "a table of images"
    if (path / "manifest.csv").is_file():
        return "the folder holds a manifest.csv"
    return None


def read(
    path: Path,
    *,
    path_column: str = "path",
    label_column: str = "label",
    root: Path | str | None = None,
) -> Manifest:
    """Reads a table of images, our own manifests included.

    Unlike `pipelines.manifest.read_manifest` it is lenient where a laboratory's tables differ in
    form only: other column names, ``val`` for ``validation``, backslashes in paths, spaces
    around values.

    Args:
        path: The CSV file, or a folder that holds it as ``manifest.csv``.
        path_column: Column of the image files.
        label_column: Column of the classes.
        root: Folder that the paths are relative to; by default the folder of the file.

    Raises:
        ManifestError: If the table or an image file is missing, a column is lacking, or values
            are not allowed; names the rows.
    """
    file = path / "manifest.csv" if path.is_dir() else path
    folder = file.parent if root is None else Path(root)
    table = read_text_table(file, (path_column, label_column), COLUMNS[2:])
    taken = {path_column: "path", label_column: "label"}
    clash = [new for old, new in taken.items() if old != new and new in table.columns]
    if clash:
        raise ManifestError(
            f"{file} has a column {clash[0]!r} besides the one asked for in its stead "
            f"({', '.join(taken)}); rename one of them."
        )
    table = table.rename(columns=taken)
    for name in ("label", "source", "slide", "patient", "split"):
        if name in table.columns:
            table[name] = table[name].str.strip()
    if "split" in table.columns:
        table["split"] = [SPLIT_FOLDERS.get(v.lower(), v) for v in table["split"]]
    table["path"] = _posix(table["path"], folder)
    manifest = make_manifest(table, folder)
    check_manifest(manifest)
    return manifest.with_notes(*_spelling_notes(manifest.table["label"]))


def _spelling_notes(labels: pd.Series) -> list[str]:
    """A sentence on labels that differ in spelling only; cleaning is a decision of the user's."""
    spelled = [
        f"{label!r} and {common!r}"
        for label, common in common_spellings(labels).items()
        if label != common
    ]
    if not spelled:
        return []
    told = ", ".join(spelled[:3]) + (f" and {len(spelled) - 3} more" if len(spelled) > 3 else "")
    return [
        f"Labels that differ in spelling only are read as different classes: {told}. `lab-models "
        "inspect` lists them and `lab-models clean` puts them together."
    ]


def _posix(paths: pd.Series, folder: Path) -> list[str]:
    """Backslashes of Windows become slashes unless a file really has one in its name."""
    return [
        name.replace("\\", "/") if "\\" in name and not (folder / name).exists() else name
        for name in paths
    ]
