"""Images that several experts labelled, with their votes in experts.csv.

On disk, a folder with images at any depth and ``experts.csv``: the columns ``path`` (relative to
the folder), ``expert`` and ``label``, one line for each vote, and optionally ``split``, ``slide``,
``patient`` and ``source``, the same on all lines of an image. The rules are those of study hairy
(see `pipelines.datasets.hal`), whose training images need one expert and whose test images need
two, all agreeing.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from pipelines.class_names import normal_form
from pipelines.datasets.folders import SPLIT_FOLDERS
from pipelines.errors import ManifestError, name_rows, name_some
from pipelines.expert_votes import (
    ExpertRule,
    describe_not_counted,
    tally_votes,
    why_not_counted,
)
from pipelines.image_files import find_images, refuse_case_twins
from pipelines.manifest import Manifest, make_manifest
from pipelines.tables import read_text_table

ORDER = 25

TABLE = "experts.csv"

_REQUIRED = ("path", "expert", "label")
_FURTHER = ("source", "slide", "patient", "split")


def recognise(path: Path) -> str | None:
    """A folder that holds experts.csv."""
    return f"the folder holds an {TABLE}" if (path / TABLE).is_file() else None


def read(
    path: Path,
    *,
    experts: int = 1,
    agreement: float = 1.0,
    test_experts: int | None = None,
    test_agreement: float | None = None,
) -> Manifest:
    """Reads the images and applies the rules.

    An image's label is the one that most experts gave. Its side of the split is the column
    ``split`` or, without it, the topmost folder if it is called train, val, test or alike. Images
    that do not count are left out and counted in the notes, as are images without a vote.

    Args:
        path: The folder.
        experts: At least so many experts must have labelled an image.
        agreement: At least this fraction of them must have given its label; 1 wants all.
        test_experts: The same for test images; by default as `experts`.
        test_agreement: The same for test images; by default as `agreement`.

    Returns:
        The manifest, with ``experts`` and ``agreement`` filled.

    Raises:
        ManifestError: If a column is missing, a value is empty, a file of the table is missing or
            contradicts itself, labels or files differ by capitals only, a link leads out, or no
            image counts.
        LabError: If a rule is out of range.
    """
    rule = ExpertRule(experts, agreement)
    test_rule = ExpertRule(
        experts if test_experts is None else test_experts,
        agreement if test_agreement is None else test_agreement,
    )
    votes = _read_votes(path)
    found = find_images(path, outside_links=False)
    refuse_case_twins(found.paths, path)
    missing = sorted(set(votes["path"]) - set(found.paths))
    if missing:
        raise ManifestError(
            f"{path / TABLE} names {len(missing)} file(s) that are not below {path}: "
            f"{name_some(missing, 3)}; its paths must be relative to that folder."
        )
    table = tally_votes(votes).join(_facts(votes, path)).reset_index()
    if "split" not in table.columns:
        tops = [name.split("/")[0].lower() if "/" in name else "" for name in table["path"]]
        table["split"] = [SPLIT_FOLDERS.get(top, "") for top in tops]
    test = table["split"].to_numpy() == "test"
    reasons = np.where(test, why_not_counted(table, test_rule), why_not_counted(table, rule))
    unvoted = len(found.paths) - len(table)
    notes = [f"{unvoted} image(s) have no vote in {TABLE} and are left out."] if unvoted else []
    notes += describe_not_counted(reasons[~test], "the training side" if test.any() else path.name)
    notes += describe_not_counted(reasons[test], "the test side")
    kept = table[reasons == ""].drop(columns="labels")
    if kept.empty:
        raise ManifestError(f"No image below {path} counts. {' '.join(notes)}")
    return make_manifest(kept.sort_values("path"), path).with_notes(
        *notes, *_lost_classes(votes, set(kept["label"]))
    )


def _lost_classes(votes: pd.DataFrame, present: set[str]) -> list[str]:
    lost = sorted(set(votes["label"]) - present)
    return [f"Labels that no image has that counts: {', '.join(lost)}."] if lost else []


def _read_votes(path: Path) -> pd.DataFrame:
    file = path / TABLE
    votes = read_text_table(file, _REQUIRED, _FURTHER)
    if votes.empty:
        raise ManifestError(f"{file} has no line below its first.")
    for name in votes.columns:
        votes[name] = votes[name].str.strip()
    votes["path"] = votes["path"].str.replace("\\", "/", regex=False)
    for name in _REQUIRED:
        empty = np.flatnonzero(votes[name] == "")
        if len(empty):
            raise ManifestError(f"{file} has lines without {name}: {name_rows(votes, empty)}.")
    if "split" in votes.columns:
        votes["split"] = [SPLIT_FOLDERS.get(value.lower(), value) for value in votes["split"]]
    spellings = Counter(normal_form(label) for label in dict.fromkeys(votes["label"]))
    double = {form for form, count in spellings.items() if count > 1}
    if double:
        words = [word for word in dict.fromkeys(votes["label"]) if normal_form(word) in double]
        raise ManifestError(
            f"{file} spells labels in several ways: {name_some(words)}; experts would seem to "
            "disagree. Use one spelling."
        )
    return votes


def _facts(votes: pd.DataFrame, path: Path) -> pd.DataFrame:
    """The further columns, one line an image."""
    columns = [name for name in votes.columns if name not in _REQUIRED]
    distinct = votes[["path", *columns]].drop_duplicates()
    twice = distinct["path"].duplicated(keep=False)
    if twice.any():
        names = dict.fromkeys(distinct["path"][twice])
        raise ManifestError(
            f"{path / TABLE} contradicts itself: {name_some(names, 3)} have several values of "
            f"{', '.join(columns)}."
        )
    return distinct.set_index("path")
