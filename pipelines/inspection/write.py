"""Writes an inspection to a folder, whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import pandas as pd

from pipelines.errors import ManifestError
from pipelines.inspection.finding import count_images
from pipelines.inspection.inspector import Inspection
from pipelines.inspection.page import PageSettings, inspection_page
from pipelines.manifest import prefix_path, prefix_paths, write_manifest
from pipelines.quarantine import write_quarantine
from tflite.runtime.files import write_whole

MANIFEST, QUARANTINE, FINDINGS = "manifest.csv", "quarantine.csv", "findings.csv"
SUMMARY, PAGE = "summary.json", "page.html"
FILES = (MANIFEST, QUARANTINE, FINDINGS, SUMMARY, PAGE)
"""What a folder of an inspection holds."""

FINDING_COLUMNS = ("kind", "number", "path", "label", "score", "action", "new_label", "words")
"""Of findings.csv, one line an image of a finding. ``number`` counts the findings of a kind from
1; ``action`` is what cleaning does with the image: ``leave out``, ``relabel`` or ``keep``."""


def write_inspection(
    inspection: Inspection, folder: Path | str, settings: PageSettings | None = None
) -> None:
    """Writes page, tables and summary.

    All paths are relative to the folder. ``manifest.csv``: the readable images.
    ``quarantine.csv``: the unreadable files with the reason. ``findings.csv``: `FINDING_COLUMNS`.
    ``summary.json``: counts, settings, seconds. ``page.html``: everything to look at.

    Args:
        inspection: What was found.
        folder: Where to; a new name, an empty folder, or an earlier inspection, which is replaced.
        settings: Of the page.

    Raises:
        ManifestError: If the folder holds anything else, or no image can be read.
    """
    folder = Path(folder).resolve()
    check_folder(folder)
    readable = inspection.measurements.readable
    if not len(readable):
        first = next(iter(inspection.measurements.reasons.values()))
        raise ManifestError(f"Not one of the images can be read. The first: {first}")
    moved = _rebased(inspection, folder)
    with _whole_folder(folder) as temporary:
        usable = moved.manifest.with_table(moved.manifest.table.iloc[readable])
        write_manifest(usable, temporary / MANIFEST)
        write_quarantine(unreadable_files(moved), temporary / QUARANTINE)
        findings_table(moved).to_csv(
            temporary / FINDINGS, index=False, encoding="utf-8", lineterminator="\n"
        )
        summary = json.dumps(summarise(inspection), indent=2, ensure_ascii=False)
        write_whole(temporary / SUMMARY, summary + "\n")
        write_whole(temporary / PAGE, inspection_page(inspection, settings))


def check_folder(folder: Path) -> None:
    """Refuses a folder that an inspection must not be written to.

    Raises:
        ManifestError: If it is a file, or holds anything but an inspection.
    """
    if folder.exists() and not folder.is_dir():
        raise ManifestError(f"{folder} is a file; a folder for the inspection was expected.")
    foreign = (
        sorted({path.name for path in folder.iterdir()} - set(FILES)) if folder.exists() else []
    )
    if foreign:
        raise ManifestError(
            f"{folder} holds {foreign[0]!r}, which is not of an inspection; name a new folder."
        )


@contextmanager
def _whole_folder(folder: Path) -> Iterator[Path]:
    """A temporary folder beside `folder`, whose place it takes on success."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    home = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        fresh = home / "new"
        fresh.mkdir()
        yield fresh
        if folder.exists():
            folder.replace(home / "old")
        fresh.replace(folder)
    except BaseException:
        if (home / "old").exists():
            (home / "old").replace(folder)
        raise
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _rebased(inspection: Inspection, folder: Path) -> Inspection:
    """The same with paths relative to `folder`, so that all tables name images alike."""
    manifest = inspection.manifest
    prefix = Path(os.path.relpath(manifest.root.resolve(), folder)).as_posix()

    def move(paths: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(prefix_path(path, prefix) for path in paths)

    findings = {
        kind: tuple(
            replace(finding, paths=move(finding.paths), leave_out=move(finding.leave_out))
            for finding in found
        )
        for kind, found in inspection.findings.items()
    }
    table = prefix_paths(manifest.table, prefix)
    moved = replace(manifest.with_table(table), root=folder)
    return replace(inspection, manifest=moved, findings=findings)


def unreadable_files(inspection: Inspection) -> pd.DataFrame:
    """The unreadable files with the reason, columns as in `pipelines.quarantine`."""
    rows = list(inspection.measurements.reasons)
    paths = inspection.manifest.table["path"].iloc[rows].tolist()
    reasons = list(inspection.measurements.reasons.values())
    return pd.DataFrame({"path": paths, "reason": reasons})


def findings_table(inspection: Inspection) -> pd.DataFrame:
    """One line an image of a finding, columns `FINDING_COLUMNS`."""
    labels = dict(zip(inspection.manifest.table["path"], inspection.manifest.table["label"]))
    lines = []
    for kind, findings in inspection.findings.items():
        for number, finding in enumerate(findings, 1):
            left_out = set(finding.leave_out)
            for path in finding.paths:
                action = "leave out" if path in left_out else "keep"
                action = "relabel" if finding.label else action
                score = round(finding.score, 4)
                line = (kind, number, path, labels[path], score, action, finding.label)
                lines.append((*line, finding.words))
    return pd.DataFrame(lines, columns=list(FINDING_COLUMNS))


def summarise(inspection: Inspection) -> dict[str, object]:
    """Counts, sizes, settings and seconds as plain JSON values."""
    manifest, found = inspection.manifest, inspection.findings
    counts = manifest.table["label"].value_counts()
    return {
        "images": len(manifest),
        "readable": len(inspection.measurements.readable),
        "root": str(manifest.root.resolve()),
        "classes": {name: int(counts.get(name, 0)) for name in manifest.classes},
        "findings": {kind: len(findings) for kind, findings in found.items()},
        "images_in_findings": {kind: count_images(findings) for kind, findings in found.items()},
        "notes": [*manifest.notes, *inspection.notes],
        "settings": asdict(inspection.settings),
        "seconds": {name: round(value, 2) for name, value in inspection.seconds.items()},
    }
