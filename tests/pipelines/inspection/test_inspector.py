"""Forty planted faults, every one found; false alarms counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.datasets import open_dataset
from pipelines.inspection.inspector import Inspection, inspect_dataset
from pipelines.inspection.kinds import kind_module, kinds
from tests.pipelines.inspection.planted import draw_cells, plant_all, read_cells


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
    planted = plant_all(tmp_path, draw_cells(500, seed), seed)
    assert count_missed(tmp_path, planted, most=10) == []


@pytest.mark.slow
def test_finds_forty_faults_among_real_cells(tmp_path: Path, real_data: Path):
    """What is found in real images that nothing was planted in need not be false."""
    cells = read_cells(real_data / "pbc" / "images", 300)
    planted = plant_all(tmp_path, cells, 7)
    assert count_missed(tmp_path, planted, most=150) == []


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
