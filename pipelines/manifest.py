"""The manifest: the one table that every data set becomes and that everything after reads."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from pipelines.errors import ManifestError, name_rows, name_some
from pipelines.labels import order_classes
from pipelines.leaks import find_leaks
from pipelines.stored_content import is_there
from pipelines.tables import read_text_table
from tflite.runtime.files import whole_file

FURTHER_IMAGE = "image:"
"""How the columns begin that name further images of a row, such as ``image:dark_field``.

They show the same place in another light (study particles). Their paths are relative to the
manifest's root as ``path`` is; "" where an image does not exist. See `pipelines.further_images`.
"""

COLUMNS = ("path", "label", "source", "slide", "patient", "experts", "agreement", "split")
"""The columns of every manifest, in this order; further columns are kept behind them, and come
back from CSV as text; those that begin with `FURTHER_IMAGE` name further images of the row.

``path``: image file, or a part of one (see `tflite.runtime.references`), relative to the
manifest's root, posix style. ``label``: class.
``source``: database or laboratory. ``slide``, ``patient``: names that are unique in the data set.
``experts``: how many experts labelled the image, 0 where that is not known. ``agreement``: the
fraction of them that gave ``label``, NaN where that is not known. ``split``: one of `SPLITS`, or
"" as long as the image is on no side.
"""

SPLITS = ("train", "validation", "test")
"""The sides of a split, in the order in which they are written."""

_BAD_CHARACTERS = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True, eq=False)  # tables have no single truth value to compare by
class Manifest:
    """A data set: one row an image. Make it with `make_manifest` or `read_manifest`.

    Args:
        table: Columns `COLUMNS` and any further ones, index 0..n-1. Missing text is "". Row
            numbers are the ``index`` of elements and predictions.
        root: Folder that the paths are relative to.
        classes: Class names in the order of a model's scores.
        notes: What a reader should know about how the table came about, as sentences: images
            that were left out and why, doubtful labels. They are not written to CSV.
    """

    table: pd.DataFrame
    root: Path
    classes: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.table)

    def rows(self, split: str) -> np.ndarray:
        """Row numbers of one side of the split, int64 ``(rows,)``, ascending.

        Raises:
            ManifestError: If there is no such side.
        """
        if split not in SPLITS:
            raise ManifestError(f"There is no split {split!r}; there are {', '.join(SPLITS)}.")
        return np.flatnonzero(self.table["split"].to_numpy() == split).astype(np.int64)

    def path(self, row: int) -> Path:
        """The image file of one row."""
        return self.root / str(self.table["path"].iloc[row])

    def paths(self) -> list[Path]:
        """The image files of all rows, in order."""
        return [self.root / str(path) for path in self.table["path"]]

    @property
    def further_images(self) -> tuple[str, ...]:
        """The columns that name further images of a row."""
        return tuple(name for name in self.table.columns if name.startswith(FURTHER_IMAGE))

    @property
    def label_ids(self) -> np.ndarray:
        """Position of each row's label in `classes`, int32 ``(rows,)``."""
        positions = {name: number for number, name in enumerate(self.classes)}
        return np.array([positions[label] for label in self.table["label"]], np.int32)

    def with_table(self, table: pd.DataFrame) -> Manifest:
        """The same data set with other rows or columns, numbered anew from 0.

        Raises:
            ManifestError: As `make_manifest`.
        """
        return replace(make_manifest(table, self.root, self.classes), notes=self.notes)

    def with_notes(self, *notes: str) -> Manifest:
        """The same data set with these sentences added to its notes."""
        return replace(self, notes=(*self.notes, *notes))


def make_manifest(
    table: pd.DataFrame, root: Path | str, classes: Sequence[str] | None = None
) -> Manifest:
    """Makes a manifest of a table: fills the columns it lacks and checks every value.

    Files are not touched (see `check_manifest`).

    Args:
        table: At least the columns ``path`` and ``label``. It is copied.
        root: Folder that the paths are relative to.
        classes: Class names in order; by default those found, ordered by
            `pipelines.labels.order_classes`.

    Raises:
        ManifestError: If there are no rows, a column is missing, or values are not allowed; all
            faults are told at once, with their rows.
    """
    lacking = [name for name in ("path", "label") if name not in table.columns]
    if lacking:
        raise ManifestError(
            f"A manifest needs the columns path and label; {', '.join(lacking)} is missing among "
            f"{', '.join(map(repr, table.columns))}."
        )
    if table.empty:
        raise ManifestError(f"There is not one image in the table of {root}.")
    filled = _fill_columns(table)
    _raise_faults(f"The table of {root} cannot be used", _value_faults(filled, classes))
    ordered = order_classes(filled["label"]) if classes is None else tuple(classes)
    return Manifest(filled, Path(root), ordered)


def _fill_columns(table: pd.DataFrame) -> pd.DataFrame:
    columns: dict[str, object] = {}
    extra = [name for name in table.columns if name not in COLUMNS]
    for name in (*COLUMNS, *extra):
        if name in ("experts", "agreement"):
            given = table[name].tolist() if name in table.columns else [""] * len(table)
            columns[name] = _numbers(given, name)
        elif name not in table.columns:
            columns[name] = [""] * len(table)
        elif name in COLUMNS or not pd.api.types.is_numeric_dtype(table[name]):
            columns[name] = table[name].astype(object).where(table[name].notna(), "").map(str)
        else:
            columns[name] = table[name]
    plain = {k: v.tolist() if isinstance(v, pd.Series) else v for k, v in columns.items()}
    return pd.DataFrame(plain)


def _numbers(values: Sequence[object], name: str) -> np.ndarray:
    """Float64, NaN where missing; experts become int64 with 0 where missing."""
    numbers = np.full(len(values), np.nan)
    bad = []
    for row, value in enumerate(values):
        text = str(value).strip()
        if text.lower() in ("", "nan", "none", "<na>"):
            continue
        try:
            numbers[row] = float(text)
        except ValueError:
            bad.append(row)
    whole = name == "experts"
    known = numbers[~np.isnan(numbers)]
    if whole and not bad:
        bad = np.flatnonzero(~np.isnan(numbers) & ((numbers < 0) | (numbers % 1 != 0))).tolist()
    if bad or not np.isfinite(known).all():
        kind = "whole numbers from 0" if whole else "numbers from 0 to 1"
        raise ManifestError(
            f"The column {name} takes {kind} or nothing; row {bad[0] if bad else '?'} has "
            f"{values[bad[0]] if bad else 'an infinite value'!r} ({len(bad)} such rows)."
        )
    return np.nan_to_num(numbers).astype(np.int64) if whole else numbers


def _value_faults(table: pd.DataFrame, classes: Sequence[str] | None) -> Iterator[str]:
    def at(mask: pd.Series | np.ndarray) -> str:
        return name_rows(table, np.flatnonzero(np.asarray(mask)))

    path, label, agreement = table["path"], table["label"], table["agreement"]
    tests: dict[str, Any] = {
        "there is no path": path == "",
        "the path stands in the table twice": path.duplicated(keep=False),
        "there is no label": label == "",
        "the label begins or ends with a space": label != label.str.strip(),
        "the agreement is not between 0 and 1": (agreement < 0) | (agreement > 1),
        f"the split is none of {', '.join(SPLITS)}": ~table["split"].isin((*SPLITS, "")),
    }
    further = [name for name in table.columns if name.startswith(FURTHER_IMAGE)]
    for name in ("path", "label", "source", "slide", "patient", *further):
        tests[f"the {name} holds a line break or another control character"] = np.array(
            [_BAD_CHARACTERS.search(value) is not None for value in table[name]]
        )
    for fault, mask in tests.items():
        if mask.any():
            yield f"{fault}: {at(mask)}"
    if classes is not None:
        unknown = ~label.isin(list(classes)) & (label != "")
        if unknown.any():
            names = name_some(sorted(set(label[unknown])))
            yield f"labels {names} are not among {', '.join(classes)}: {at(unknown)}"


def _raise_faults(what: str, faults: Iterator[str]) -> None:
    found = list(faults)
    if found:
        raise ManifestError(f"{what}: " + ";\n  ".join(found) + ".")


def check_manifest(manifest: Manifest, files: bool = True, every_class: bool = True) -> None:
    """Refuses a manifest that must not be trained on or evaluated.

    Args:
        manifest: What to check; its values were checked when it was made.
        files: Whether the disk is looked at: missing files, and files of identical content on
            two sides of the split.
        every_class: Whether a class without any image is a fault. Turn it off to evaluate a
            model on data that lacks some of its classes.

    Raises:
        ManifestError: Tells all faults at once and names the rows.
    """
    _raise_faults(
        f"The manifest of {manifest.root} cannot be used",
        _manifest_faults(manifest, files, every_class),
    )


def _manifest_faults(manifest: Manifest, files: bool, every_class: bool) -> Iterator[str]:
    present = set(manifest.table["label"])
    empty = [name for name in manifest.classes if name not in present]
    if every_class and empty:
        yield f"no image has the label {name_some(empty)}; add images or drop the class"
    if files:
        root = str(manifest.root)
        for name in ("path", *manifest.further_images):
            missing = [
                row
                for row, path in enumerate(manifest.table[name])
                if path and not is_there(os.path.join(root, path))  # noqa: PTH118 (100,000 rows)
            ]
            if missing:
                whose = "" if name == "path" else f" of the column {name}"
                yield (
                    f"{len(missing)} of {len(manifest)} files{whose} are missing below {root}, "
                    f"or too short: {name_rows(manifest.table, missing)}"
                )
    yield from find_leaks(manifest.table, manifest.root, content=files)


def write_manifest(manifest: Manifest, path: Path | str, rebase: bool = False) -> None:
    """Writes the table as CSV (UTF-8, comma, one header line), whole or not at all.

    Args:
        manifest: What to write.
        path: The file.
        rebase: Whether the image paths are rewritten to be relative to the folder of `path`, so
            that the file can be read without naming the root. Otherwise they stay relative to
            ``manifest.root``, which the reader must then be told. Absolute paths stay in any case.
    """
    path = Path(path)
    table = manifest.table
    if rebase:
        root, home = str(manifest.root.resolve()), str(path.parent.resolve())
        prefix = Path(os.path.relpath(root, home)).as_posix()
        if prefix != ".":
            table = prefix_paths(table, prefix)
    with whole_file(path) as temporary:
        table.to_csv(
            temporary, index=False, encoding="utf-8", lineterminator="\n", quoting=_quoting(table)
        )


def prefix_paths(table: pd.DataFrame, prefix: str) -> pd.DataFrame:
    """The table with all its images below another folder: those of ``path`` and further ones.

    Args:
        table: Of a manifest.
        prefix: As for `prefix_path`.
    """
    names = ["path", *(name for name in table.columns if name.startswith(FURTHER_IMAGE))]
    return table.assign(**{n: [p and prefix_path(p, prefix) for p in table[n]] for n in names})


def prefix_path(path: str, prefix: str) -> str:
    """A path of a manifest below another folder; an absolute one is the same from everywhere.

    Args:
        path: As in the table.
        prefix: Folder without a closing slash, posix style.
    """
    return path if Path(path).is_absolute() else f"{prefix}/{path}"


def _quoting(table: pd.DataFrame) -> Literal[0, 2]:
    """The csv module does not quote a lone carriage return, and readers would break the line."""
    further = [name for name in table.columns if name not in COLUMNS]
    returns = any("\r" in str(value) for name in further for value in table[name])
    return csv.QUOTE_NONNUMERIC if returns else csv.QUOTE_MINIMAL


def read_manifest(
    path: Path | str,
    classes: Sequence[str] | None = None,
    root: Path | str | None = None,
    check_files: bool = True,
    every_class: bool = True,
) -> Manifest:
    """Reads a manifest and checks it.

    Args:
        path: A CSV file with the columns ``path`` and ``label``, and any of the others.
        classes: Class names in order; by default those found (see `make_manifest`).
        root: Folder that the paths are relative to; by default the folder of the file.
        check_files: Whether the disk is looked at (see `check_manifest`).
        every_class: Whether a class without images is a fault (see `check_manifest`).

    Raises:
        ManifestError: If the file is no proper table, or the manifest cannot be used.
    """
    path = Path(path)
    table = read_text_table(path, ("path", "label"))
    manifest = make_manifest(table, path.parent if root is None else root, classes)
    check_manifest(manifest, files=check_files, every_class=every_class)
    return manifest
