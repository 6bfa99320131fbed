"""Forty planted faults, every one found; false alarms counted."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipelines.datasets import open_dataset
from pipelines.inspection.inspector import Inspection, inspect_dataset
from pipelines.inspection.kinds import kind_module, kinds
from tests.pipelines.disk import manifest_of
from tests.pipelines.inspection.planted import draw_cells, draw_files, plant_all, read_cells


def false_alarms(inspection: Inspection, planted: list[tuple[str, str]]) -> dict[str, int]:
    """Findings about images that nothing was planted in, by kind."""
    faulty = {path for _, path in planted}
    return {
        kind: sum(
            not any(path in faulty or "repeated" in path for path in finding.paths)
            for finding in findings
        )
        for kind, findings in inspection.findings.items()
    }


def count_missed(root: Path, planted: list[tuple[str, str]], most: int) -> list[tuple[str, str]]:
    """Inspects `root`; checks the number of false alarms and returns the faults not found."""
    assert len(planted) == 40
    assert {kind for kind, _ in planted} == set(kinds())
    inspection = inspect_dataset(open_dataset(root, "folders"), workers=1)
    missed = [
        (kind, path)
        for kind, path in planted
        if not any(path in finding.paths for finding in inspection.findings[kind])
    ]
    alarms = false_alarms(inspection, planted)
    print(f"{len(inspection.manifest)} images: missed {missed}, false alarms {alarms}")
    assert sum(alarms.values()) <= most
    return missed


@pytest.mark.slow
@pytest.mark.parametrize("seed", [7, 8, 9])
def test_finds_forty_planted_faults(tmp_path: Path, seed: int):
    """All that is certain, and all but one of the five wrong labels: a model that learns from 400
    drawings passed over 10 of 180 in 12 deals of these three sets (in PBC over none of 40 in 8).
    """
    planted = plant_all(tmp_path, draw_cells(500, seed), seed)
    missed = count_missed(tmp_path, planted, most=10)
    assert [kind for kind, _ in missed] in ([], ["wrong_labels"])


@pytest.mark.slow
def test_finds_forty_faults_among_real_cells(tmp_path: Path, real_data: Path):
    """What is found in real images that nothing was planted in need not be false."""
    cells = read_cells(draw_files(real_data / "pbc" / "images", 300))
    planted = plant_all(tmp_path, cells, 7)
    assert count_missed(tmp_path, planted, most=150) == []


@pytest.mark.slow
def test_finds_forty_faults_in_the_whole_of_pbc(tmp_path: Path, real_data: Path):
    """What the plain images give too is no false alarm of the plants: it need not even be false."""
    root = tmp_path / "pbc"
    shutil.copytree(real_data / "pbc" / "images", root)
    plain = inspect_dataset(open_dataset(root, "folders"), cache=tmp_path / "kept")
    # Faults are made of some of the images; these are on disk nowhere else.
    drawn = draw_files(root, 40)
    cells = read_cells(drawn)
    names = {
        f"{label}/{number:04d}.png": path.relative_to(root).as_posix()
        for label, files in drawn.items()
        for number, path in enumerate(files)
    }
    for path in [path for files in drawn.values() for path in files]:
        path.unlink()
    (root / "neutrophil").rename(root / "segmented_neutrophil")
    planted = plant_all(root, cells, 7)
    whole = inspect_dataset(open_dataset(root, "folders"), cache=tmp_path / "kept")
    faulty = {path for _, path in planted}
    counts = {}
    for kind, findings in whole.findings.items():
        before = {path for finding in plain.findings[kind] for path in finding.paths}
        here = [path for one, path in planted if one == kind]
        found = [p for p in here if any(p in finding.paths for finding in findings)]
        others = [
            finding
            for finding in findings
            if not any(path in faulty or "repeated" in path for path in finding.paths)
        ]
        fresh = [
            finding
            for finding in others
            if not any(as_in_pbc(names.get(path, path)) in before for path in finding.paths)
        ]
        counts[kind] = (len(found), len(here), len(plain.findings[kind]), len(others), len(fresh))
    print(
        f"{len(whole.manifest)} images; found, planted, findings of the plain images, others, new:"
    )
    print("\n".join(f"{kind}: {numbers}" for kind, numbers in counts.items()))
    assert sum(found for found, *_ in counts.values()) == 40
    assert sum(fresh for *_, fresh in counts.values()) <= 40


def as_in_pbc(path: str) -> str:
    return path.replace("segmented_neutrophil/", "neutrophil/")


def test_progress_names_every_stage_and_ends(tmp_path: Path):
    seen: dict[str, tuple[int, int]] = {}

    def note(what: str, done: int, total: int) -> None:
        assert 0 < done <= total
        assert done > seen.get(what, (0, 0))[0]
        seen[what] = done, total

    inspection = inspect_dataset(manifest_of(tmp_path, {"x": 3}), progress=note)
    assert seen.pop("images measured") == (3, 3)
    assert seen.pop("parts compared for near duplicates") == (1, 1)
    assert len(seen) == len(kinds())
    assert all(what.startswith("looking for: ") for what in seen)
    assert list(seen.values())[-1] == (len(kinds()), len(kinds()))
    assert set(inspection.seconds) == {"measuring", "comparing", *kinds()}


def test_every_kind_offers_what_the_page_needs():
    assert len(kinds()) == 11
    for kind in kinds():
        module = kind_module(kind)
        assert module.TITLE
        assert module.ABOUT.endswith(".")
        assert isinstance(module.ORDER, int)


def test_unknown_kinds_are_named():
    with pytest.raises(ValueError, match="no finding 'blur'; there are unreadable, "):
        kind_module("blur")
