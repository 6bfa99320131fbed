from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import pandas as pd
import pytest

from pipelines.datasets import open_dataset
from pipelines.smear import SlideSettings, SmearSettings, smears_digest, write, write_smears
from pipelines.smear.slides import plan
from tflite.runtime.errors import LabError

SETTINGS = SmearSettings(
    images=60, size=32, slides=SlideSettings(hairy_slides=3, hairy_test_slides=1, train_slides=3)
)


def files(root):
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("smears") / "data"
    write_smears(folder, SETTINGS, workers=1)
    return folder


def test_the_reader_of_study_hairy_reads_it(root):
    manifest = open_dataset(root)
    assert len(manifest) == 60
    assert set(manifest.table["split"]) == {"train", "test"}
    assert set(manifest.table["source"]) == {"hairy_db", "WBCTrain", "WBCTest"}
    both = manifest.table.groupby("slide")["split"].nunique()
    assert both.max() == 1


def test_the_reader_names_all_four_subsets(root):
    table = open_dataset(root, lookalikes=True).table
    assert set(table["subset"]) == set("ABCD")
    assert set(table.loc[table["subset"] == "A", "label"]) == {"hairy_cell"}


def test_layout_and_tables(root):
    written = files(root)
    images = plan(SETTINGS)
    assert {"README.md", "settings.json"} <= set(written)
    assert "drawn by a program" in written["README.md"].decode()
    assert sum(name.endswith(".jpg") for name in written) == len(images)
    experts = pd.read_csv(root / "WBCTrain" / "experts.csv")
    assert list(experts.columns) == ["path", "expert", "label"]
    assert all((root / "WBCTrain" / path).is_file() for path in experts["path"])
    slides = pd.read_csv(root / "hairy_db" / "slides.csv")
    assert list(slides.columns) == ["slide", "hospital", "split"]
    assert list(slides["split"]) == ["train", "train", "test"]


def test_files_are_pictures_of_the_size(root):
    for path in root.rglob("*.jpg"):
        assert cv2.imread(str(path)).shape == (32, 32, 3)


def test_equal_settings_write_nothing_the_second_time(root):
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    calls = []
    write_smears(root, SETTINGS, progress=lambda *numbers: calls.append(numbers))
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before
    assert calls == []


def test_processes_write_the_same_bytes(root, tmp_path, monkeypatch):
    monkeypatch.setattr(write, "_FEW", 0)
    monkeypatch.setattr(write, "_CHUNK", 7)
    write_smears(tmp_path / "data", SETTINGS, workers=2)
    assert files(tmp_path / "data") == files(root)


def test_other_settings_are_refused_and_named(root):
    with pytest.raises(LabError, match=r"seed: 3001 there, 5 here.*Delete that folder"):
        write_smears(root, replace(SETTINGS, seed=5))


def test_another_drawing_is_refused(root, monkeypatch):
    monkeypatch.setattr(write, "DRAWING", write.DRAWING + 1)
    with pytest.raises(LabError, match="drawing: "):
        write_smears(root, SETTINGS)


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(LabError, match="no synthetic smears"):
        write_smears(tmp_path, SETTINGS)
    assert files(tmp_path) == {"mine.txt": b"mine"}


def test_a_file_is_refused(tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(LabError, match="is a file"):
        write_smears(tmp_path / "out", SETTINGS)


def test_an_empty_folder_is_filled(root, tmp_path):
    (tmp_path / "data").mkdir()
    write_smears(tmp_path / "data", SETTINGS, workers=1)
    assert files(tmp_path / "data") == files(root)


class _StopError(Exception):
    pass


def _stop(done, total):
    raise _StopError


def test_an_interrupted_run_leaves_no_data_set_and_goes_on(root, tmp_path, monkeypatch):
    monkeypatch.setattr(write, "_CHUNK", 10)
    out = tmp_path / "data"
    with pytest.raises(_StopError):
        write_smears(out, SETTINGS, workers=1, progress=_stop)
    assert not out.exists()
    drawn = []
    write_smears(out, SETTINGS, workers=1, progress=lambda done, total: drawn.append(done))
    assert drawn[0] == 20  # the ten of the first run were not drawn again
    assert files(out) == files(root)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_an_interruption_stops_the_processes(tmp_path, monkeypatch):
    monkeypatch.setattr(write, "_FEW", 0)
    monkeypatch.setattr(write, "_CHUNK", 1)
    with pytest.raises(_StopError):
        write_smears(tmp_path / "data", SETTINGS, workers=2, progress=_stop)
    assert 0 < len(list((tmp_path / "data.unfinished").rglob("*.jpg"))) < 60


def test_the_current_folder_can_be_named(root, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    write_smears(Path(), SETTINGS, workers=1)
    assert files(tmp_path / "here") == files(root)


def test_what_is_left_of_other_settings_is_drawn_anew(root, tmp_path, monkeypatch):
    monkeypatch.setattr(write, "_CHUNK", 10)
    out = tmp_path / "data"
    with pytest.raises(_StopError):
        write_smears(out, replace(SETTINGS, seed=5), workers=1, progress=_stop)
    write_smears(out, SETTINGS, workers=1)
    assert files(out) == files(root)


def test_a_strange_unfinished_folder_is_not_deleted(tmp_path):
    (tmp_path / "data.unfinished").mkdir()
    (tmp_path / "data.unfinished" / "mine.txt").write_text("mine")
    with pytest.raises(LabError, match="unfinished"):
        write_smears(tmp_path / "data", SETTINGS)
    assert (tmp_path / "data.unfinished" / "mine.txt").exists()


def test_bmp(tmp_path):
    camera = replace(SETTINGS.wbc_camera, format="bmp")
    settings = replace(SETTINGS, images=25, wbc_camera=camera)
    write_smears(tmp_path / "data", settings, workers=1)
    assert {path.suffix for path in (tmp_path / "data" / "WBCTrain").rglob("*.*")} == {
        ".bmp",
        ".csv",
    }
    assert len(open_dataset(tmp_path / "data")) == 25


def test_settings_file_says_what_was_drawn(root):
    found = json.loads((root / "settings.json").read_text())
    assert found["settings"]["images"] == 60
    assert found["drawing"] == write.DRAWING


@pytest.mark.parametrize("workers", [0, -1])
def test_workers_must_be_positive(tmp_path, workers):
    with pytest.raises(LabError, match="workers"):
        write_smears(tmp_path / "data", SETTINGS, workers=workers)
    assert not (tmp_path / "data.unfinished").exists()


def test_the_digest_changes_with_any_setting_and_with_the_drawing(monkeypatch):
    settings = SmearSettings()
    assert smears_digest(settings) == smears_digest(SmearSettings())
    other = replace(settings, slides=SlideSettings(patient=0.3))
    assert smears_digest(other) != smears_digest(settings)
    before = smears_digest(settings)
    monkeypatch.setattr(write, "DRAWING", write.DRAWING + 1)
    assert smears_digest(settings) != before
