"""What does not depend on how many cells there are is found in the small folder too."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipelines.inspection.kinds import kind_module
from pipelines.inspection.measure import measure_images
from pipelines.inspection.settings import InspectionSettings
from pipelines.manifest import make_manifest
from tests.pipelines.inspection.planted import REPEATS, save

CERTAIN = (
    "unreadable", "label_spelling", "exact_duplicates", "repeated_pictures", "near_duplicates",
    "odd_size",
)  # fmt: skip


@pytest.mark.parametrize("kind", CERTAIN)
def test_finds_what_was_planted_and_nothing_else(inspected, kind):
    _, planted, inspection = inspected
    found = inspection.findings[kind]
    wanted = [path for name, path in planted if name == kind]
    assert len(found) == len(wanted)
    assert all(any(path in finding.paths for finding in found) for path in wanted)


@pytest.mark.parametrize("kind", ["blurred", "burnt_out"])
def test_finds_spoilt_images(inspected, kind):
    _, planted, inspection = inspected
    paths = {path for finding in inspection.findings[kind] for path in finding.paths}
    assert {path for name, path in planted if name == kind} <= paths


def test_scores_fall(inspected):
    for findings in inspected[2].findings.values():
        scores = [finding.score for finding in findings]
        assert scores == sorted(scores, reverse=True)


def test_duplicates_keep_one_where_labels_agree_and_none_where_not(inspected):
    for finding in inspected[2].findings["exact_duplicates"]:
        labels = {path.split("/")[0] for path in finding.paths}
        left = len(finding.paths) - len(finding.leave_out)
        assert left == (1 if len(labels) == 1 else 0)


def test_repeated_pictures_are_counted_whole(inspected):
    for finding in inspected[2].findings["repeated_pictures"]:
        assert len(finding.paths) == len(finding.leave_out) == REPEATS


def test_spelling_takes_the_commoner_label(inspected):
    labels = {f.label for f in inspected[2].findings["label_spelling"]}
    assert labels == {"lymphocyte", "segmented_neutrophil"}


@pytest.mark.parametrize("names", [["a/1.png"], ["a/1.png", "a/2.png"], ["a/1.png", "b/1.png"]])
def test_few_images_of_few_classes_are_no_error(tmp_path, names):
    rng = np.random.default_rng(0)
    for name in names:
        save(tmp_path / name, rng.integers(0, 256, (1, 1, 3), dtype=np.uint8))
    table = pd.DataFrame({"path": names, "label": [name[0] for name in names]})
    manifest = make_manifest(table, tmp_path)
    measurements = measure_images(manifest)
    for kind in ("unlike_others", "two_cells", "blurred", "burnt_out", "odd_size", "wrong_labels"):
        assert kind_module(kind).find(manifest, measurements, InspectionSettings()) == ()


def test_unreadable_files_alone_are_no_error(tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    manifest = make_manifest(pd.DataFrame({"path": ["a.png"], "label": ["x"]}), tmp_path)
    measurements = measure_images(manifest)
    settings = InspectionSettings()
    assert len(kind_module("unreadable").find(manifest, measurements, settings)) == 1
    for kind in ("near_duplicates", "unlike_others", "blurred", "odd_size", "wrong_labels"):
        assert kind_module(kind).find(manifest, measurements, settings) == ()
