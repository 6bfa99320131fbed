"""Applies chosen findings of an inspection to its manifest. No image is touched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pipelines.errors import ManifestError, name_some
from pipelines.inspection.kinds import kinds
from pipelines.inspection.write import FINDING_COLUMNS, FINDINGS, MANIFEST, SUMMARY
from pipelines.manifest import Manifest, make_manifest, read_manifest, write_manifest
from pipelines.tables import read_text_table
from tflite.runtime.files import whole_file

CHANGE_COLUMNS = ("path", "label", "finding", "action", "new_label", "words")
"""Of the list of changes; ``finding`` is kind and number, such as ``two_cells:3``."""


@dataclass(frozen=True, eq=False)
class Cleaning:
    """What became of a manifest.

    Args:
        manifest: The images that remain, paths relative to the folder of the inspection.
        changes: What was left out or labelled anew and why, columns `CHANGE_COLUMNS`, one line an
            image and finding.
    """

    manifest: Manifest
    changes: pd.DataFrame

    def describe(self) -> str:
        """How many images each finding took or changed, and how many remain."""
        lines = []
        kinds_found = self.changes["finding"].str.split(":").str[0]
        for (kind, action), part in self.changes.groupby([kinds_found, "action"], sort=False):
            done = "left out" if action == "leave out" else "given another label"
            lines.append(f"{kind}: {part['path'].nunique():,} image(s) {done}")
        gone = self.changes.loc[self.changes["action"] == "leave out", "path"].nunique()
        lines.append(f"{len(self.manifest):,} images remain, {gone:,} were left out.")
        return "\n".join(lines)


def clean_manifest(folder: Path | str, apply: Sequence[str]) -> Cleaning:
    """Leaves out and relabels what the chosen findings say, and nothing else.

    A line that somebody who looked at the images took out of ``findings.csv`` is not applied.

    Args:
        folder: Of an inspection.
        apply: Kinds of findings (``two_cells``), or single ones (``two_cells:3``).

    Raises:
        ManifestError: If the folder holds no inspection, a finding does not exist, an image would
            get two labels, or a class would lose all its images.
    """
    folder = Path(folder)
    if not (folder / SUMMARY).is_file():
        raise ManifestError(f"{folder} holds no inspection; make one with `lab-models inspect`.")
    if not apply:
        raise ManifestError(f"Name the findings to apply: {', '.join(kinds())}.")
    manifest = read_manifest(folder / MANIFEST, check_files=False)
    findings = read_text_table(folder / FINDINGS, FINDING_COLUMNS)
    changes = _chosen(findings, apply)
    changes = changes[changes["path"].isin(manifest.table["path"])]
    _refuse_two_labels(changes)
    gone = set(changes.loc[changes["action"] == "leave out", "path"])
    relabelled = changes[changes["action"] == "relabel"]
    labels = dict(zip(relabelled["path"], relabelled["new_label"]))
    table = manifest.table.assign(
        label=[
            labels.get(p, old) for p, old in zip(manifest.table["path"], manifest.table["label"])
        ]
    )
    kept = table[~table["path"].isin(gone)]
    lost = sorted(set(table["label"]) - set(kept["label"]))
    if lost:
        raise ManifestError(
            f"No image of {name_some(lost)} would remain. Apply fewer findings, or take lines out "
            f"of {folder / FINDINGS}."
        )
    # Made anew: relabelling takes spellings out of the classes.
    return Cleaning(make_manifest(kept, manifest.root), changes.reset_index(drop=True))


def _chosen(findings: pd.DataFrame, apply: Sequence[str]) -> pd.DataFrame:
    """The lines that change something, of the kinds and findings named."""
    names = findings["kind"] + ":" + findings["number"]
    chosen = pd.Series(False, index=findings.index)
    for word in apply:
        kind, colon, _ = word.partition(":")
        if kind not in kinds():
            raise ManifestError(f"There is no finding {kind!r}; there are {', '.join(kinds())}.")
        these = names == word if colon else findings["kind"] == kind
        if colon and not these.any():
            count = findings.loc[findings["kind"] == kind, "number"].nunique()
            raise ManifestError(f"There is no finding {word!r}; {kind} has {count} finding(s).")
        chosen |= these
    changes = findings.assign(finding=names)[chosen & (findings["action"] != "keep")]
    unknown = sorted(set(changes["action"]) - {"leave out", "relabel"})
    if unknown:
        raise ManifestError(
            f"The column action takes keep, leave out or relabel, got {name_some(unknown)}."
        )
    return changes[list(CHANGE_COLUMNS)]


def _refuse_two_labels(changes: pd.DataFrame) -> None:
    relabelled = changes[changes["action"] == "relabel"]
    number = relabelled.groupby("path")["new_label"].nunique()
    twice = number.index[number > 1]
    if len(twice):
        raise ManifestError(f"These images would get two labels: {name_some(twice)}.")


def write_cleaning(cleaning: Cleaning, path: Path | str) -> Path:
    """Writes the manifest and, beside it, the list of changes.

    Args:
        cleaning: What became of the manifest.
        path: Of the manifest; ``manifest.csv`` gets ``manifest.changes.csv`` beside it.

    Returns:
        Path of the list of changes.

    Raises:
        ManifestError: If `path` is the manifest of the inspection itself.
    """
    path = Path(path)
    if path.resolve().parent == cleaning.manifest.root.resolve():
        raise ManifestError(f"{path} lies in the inspection's own folder; choose another place.")
    changes = path.with_name(f"{path.stem}.changes.csv")
    with whole_file(changes) as temporary:
        cleaning.changes.to_csv(temporary, index=False, encoding="utf-8", lineterminator="\n")
        write_manifest(cleaning.manifest, path, rebase=True)
    return changes
