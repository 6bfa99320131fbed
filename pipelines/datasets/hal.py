"""Folders of databases as in study hairy: hairy_db, WBCTrain, WBCTest with expert tables.

On disk, ``<root>/<database>/<slide>/<class>/<image>`` (or without slides), and in each database
optionally ``experts.csv`` (path relative to the database, expert, label) and ``slides.csv``
(slide, hospital, split). ``lookalikes`` holds the cells that were removed from WBCTrain and
WBCTest because they look like hairy cells. Source: "Pre-classification of Hairy Cells Using
Supervised Contrastive Learning" (Lund, 2022), its chapter on data.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from pipelines.errors import ManifestError, name_some
from pipelines.expert_votes import ExpertRule, describe_not_counted, tally_votes
from pipelines.image_files import (
    find_images,
    images_elsewhere,
    note_elsewhere,
    refuse_case_twins,
    refuse_outside,
)
from pipelines.labels import HAL_CLASSES
from pipelines.manifest import Manifest, make_manifest
from pipelines.tables import read_text_table

ORDER = 20

DATABASES = ("hairy_db", "WBCTrain", "WBCTest", "lookalikes")
SUBSETS = ("A", "B", "C", "D")
"""A: hairy cells of hairy_db. B: WBCTrain and WBCTest. C: the rest of hairy_db. D: lookalikes."""

RULES = {name: ExpertRule(2 if name == "WBCTest" else 1) for name in DATABASES}
"""How many experts must have labelled an image of a database, all alike, for it to count."""


def recognise(path: Path) -> str | None:
    """A folder that holds hairy_db and WBCTrain or WBCTest, or any two of the databases."""
    found = [name for name in DATABASES if (path / name).is_dir()]
    if len(found) < 2 and not (found and (path / found[0] / "experts.csv").is_file()):
        return None
    return f"it holds the database(s) {', '.join(found)}"


def read(
    path: Path, *, lookalikes: bool = False, subsets: str = "ABC", outside_links: bool = False
) -> Manifest:
    """Reads the databases and applies the rules of the study.

    An image of WBCTrain counts if at least one expert labelled it and all its experts agree; one
    of WBCTest if at least two did; those of hairy_db were labelled by one expert. Where a
    database has no ``experts.csv``, its folders are believed. Images that do not count are left
    out and counted in the notes. WBCTest and the test slides of ``slides.csv`` are test, the rest
    is train; validation is for `pipelines.split.split_manifest`.

    Args:
        path: The folder that holds the databases.
        lookalikes: Whether set D is read too.
        subsets: Letters of the `SUBSETS` to read.
        outside_links: Whether links may lead out of the folder of a database.

    Returns:
        The manifest; ``source`` is the database, ``slide`` is ``database/slide`` (a lookalike is
        on the slide of that name of WBCTrain or WBCTest, if one of them has it, and test if that
        is WBCTest); further columns ``hospital`` and ``subset``.

    Raises:
        ManifestError: If a folder is no class of the study, a class has no image, a table is not
            as described, names differ by capitals only, or a link leads out.
    """
    wanted = set(subsets) | ({"D"} if lookalikes else set())
    if not wanted or wanted - set(SUBSETS):
        raise ManifestError(f"subsets takes letters of {''.join(SUBSETS)}, got {subsets!r}.")
    databases = [name for name in DATABASES if (path / name).is_dir()]
    databases = [name for name in databases if name != "lookalikes" or "D" in wanted]
    if not outside_links:
        refuse_outside(path, databases)
    parts, notes = [], []
    for database in databases:
        part, said = _read_database(path / database, database, outside_links)
        parts.append(part)
        notes += said
    parts = [part for part in parts if len(part)]
    if not parts:
        raise ManifestError(f"No image below {path} counts. " + " ".join(notes))
    table = pd.concat(parts, ignore_index=True)
    notes += note_elsewhere(images_elsewhere(path, databases))
    notes += _absent_classes(path, databases, set(table["label"]), " ".join(notes))
    chosen = table[table["subset"].isin(wanted)]
    if chosen.empty:
        raise ManifestError(f"No image below {path} is in subset {', '.join(sorted(wanted))}.")
    return make_manifest(chosen, path).with_notes(*notes)


def _absent_classes(path: Path, databases: list[str], present: set[str], said: str) -> list[str]:
    """A note on classes without images; an error where they have folders."""
    absent = [name for name in HAL_CLASSES if name not in present]
    hollow = [name for name in absent if any(_has_folder(path / db, name) for db in databases)]
    if hollow:
        raise ManifestError(
            f"Below {path} the folders of the class(es) {name_some(hollow)} hold no image that "
            f"counts; add images or remove the folders. {said}".rstrip()
        )
    return [f"Classes of the study without any image: {', '.join(absent)}."] if absent else []


def _has_folder(database: Path, name: str) -> bool:
    return (database / name).is_dir() or any(database.glob(f"*/{name}"))


def _read_database(
    folder: Path, database: str, outside_links: bool
) -> tuple[pd.DataFrame, list[str]]:
    table = _list_images(folder, database, outside_links)
    if table.empty:
        raise ManifestError(f"The database {folder} holds no image.")
    table["source"] = database
    table["subset"] = _subset(table, database)
    _add_slides(table, folder, database)
    notes = _add_experts(table, folder, database)
    kept, dropped = _apply_rule(table, database)
    table["path"] = f"{database}/" + table["path"]
    return table[kept].drop(columns="votes"), notes + dropped


def _list_images(folder: Path, database: str, outside_links: bool) -> pd.DataFrame:
    """Columns path (relative to the database), label, slide_name."""
    found = find_images(folder, outside_links)
    refuse_case_twins((*found.paths, *found.empty_folders), folder)
    rows = []
    for name in found.paths:
        folders = name.split("/")[:-1]
        if not 1 <= len(folders) <= 2:
            raise ManifestError(
                f"{folder / name} does not lie in <slide>/<class>/ or <class>/ of {database}."
            )
        label = folders[-1].strip().lower().replace(" ", "_").replace("-", "_")
        if label not in HAL_CLASSES:
            raise ManifestError(
                f"The folder {folder / '/'.join(folders)} is no class of study hairy; these are "
                f"{', '.join(HAL_CLASSES)}."
            )
        rows.append((name, label, folders[0] if len(folders) == 2 else ""))
    return pd.DataFrame(rows, columns=["path", "label", "slide_name"])


def _subset(table: pd.DataFrame, database: str) -> np.ndarray | str:
    if database == "hairy_db":
        return np.where(table["label"] == "hairy_cell", "A", "C")
    return "D" if database == "lookalikes" else "B"


def _add_slides(table: pd.DataFrame, folder: Path, database: str) -> None:
    """Adds slide, hospital and split; takes slide_name away."""
    names = table.pop("slide_name")
    homes = {name: _home(folder, database, name) for name in set(names)}
    table["slide"] = [f"{homes[name]}/{name}" if name else "" for name in names]
    test = table["slide"].str.startswith("WBCTest/") | (database == "WBCTest")
    table["hospital"], table["split"] = "", np.where(test, "test", "train")
    file = folder / "slides.csv"
    if not file.exists():
        return
    slides = read_text_table(file, ("slide",), ("hospital", "split")).drop_duplicates()
    twice = slides.loc[slides["slide"].duplicated(), "slide"]
    if len(twice):
        raise ManifestError(
            f"{file} says different things of the slide(s) {name_some(sorted(set(twice)))}."
        )
    slides = slides.set_index("slide")
    unlisted = sorted(set(names) - set(slides.index) - {""})
    if unlisted:
        raise ManifestError(f"{file} lacks the slide(s) {name_some(unlisted)} that are on disk.")
    if "hospital" in slides.columns:
        table["hospital"] = names.map(slides["hospital"]).fillna("")
    if "split" in slides.columns:
        bad = sorted(set(slides["split"]) - {"train", "test", ""})
        if bad:
            raise ManifestError(f"The split of {file} takes train or test, not {name_some(bad)}.")
        table.loc[names.map(slides["split"]).eq("test"), "split"] = "test"


def _home(folder: Path, database: str, slide: str) -> str:
    """The database that a slide belongs to: lookalikes were taken out of WBCTrain and WBCTest."""
    if database != "lookalikes":
        return database
    homes = [name for name in ("WBCTrain", "WBCTest") if (folder.parent / name / slide).is_dir()]
    return homes[0] if len(homes) == 1 else database


def _add_experts(table: pd.DataFrame, folder: Path, database: str) -> list[str]:
    """Adds experts, agreement (with the folder's class) and votes (distinct labels given)."""
    file = folder / "experts.csv"
    if not file.exists():
        known = database == "hairy_db"
        table["experts"], table["votes"] = int(known), 1
        table["agreement"] = 1.0 if known else np.nan
        text = f"{database} has no experts.csv: all its images count as their folders say."
        return [] if known else [text]
    votes = read_text_table(file, ("path", "expert", "label"))
    votes["path"] = votes["path"].str.replace("\\", "/", regex=False)
    named = votes["path"].isin(table["path"])
    if not named.any():
        raise ManifestError(
            f"{file} names no image of {folder}; its paths must be relative to that folder, such "
            f"as {table['path'].iloc[0]!r}, not {name_some(votes['path'].head(1))}."
        )
    votes = votes[named].merge(table[["path", "label"]], on="path", suffixes=("", "_folder"))
    votes["label"] = votes["label"].str.strip().str.lower().str.replace("[ -]", "_", regex=True)
    votes["agrees"] = votes["label"] == votes["label_folder"]
    tally = tally_votes(votes)
    for name, column in (("experts", "experts"), ("votes", "labels")):
        table[name] = table["path"].map(tally[column]).fillna(0).astype("int64")
    table["agreement"] = table["path"].map(votes.groupby("path")["agrees"].mean())
    absent = int((~named).sum())
    return [f"{file.name} of {database} has {absent} line(s) on files not here."] if absent else []


def _apply_rule(table: pd.DataFrame, database: str) -> tuple[np.ndarray, list[str]]:
    """Which images count, and a sentence on those that do not."""
    needed = RULES[database].experts
    untold = table["votes"].eq(1) & table["agreement"].isna()  # no experts.csv
    reasons = np.select(
        [
            untold,
            table["experts"] < needed,
            table["votes"] > 1,
            table["agreement"] < 1,
        ],
        ["", f"fewer than {needed} expert(s)", "experts disagree", "experts against folder"],
        "",
    )
    return reasons == "", describe_not_counted(reasons, database)
