"""The command ``neighbours`` and the report's section, on a trained run."""

from __future__ import annotations

import json
import shutil
from collections import Counter

import numpy as np
import pandas as pd
import pytest

from lab_models.cli import main
from lab_models.evaluate import finish_report
from lab_models.neighbours import NeighbourSettings, find_neighbours, saved_training_cells
from lab_models.runs import RunDirectory, read_json, write_json
from lab_models.training_features import (
    read_training_features,
    save_training_features,
    training_features,
)
from tests.integration.conftest import draw_classes
from tflite.runtime.errors import LabError


@pytest.fixture
def run(finished_run, tmp_path):
    copy = RunDirectory(tmp_path / "runs" / "pbc_small" / "copy")
    shutil.copytree(finished_run.path, copy.path)
    copy.training_features.unlink(missing_ok=True)
    return copy


@pytest.fixture
def moved_run(run, colour_folders, tmp_path):
    """A run whose images lie in a folder of its own, which may be spoiled."""
    shutil.copytree(colour_folders, tmp_path / "images")
    environment = read_json(run.environment)
    write_json(run.environment, {**environment, "data_root": str(tmp_path / "images")})
    return run


def training_image(run, colour_folders):
    manifest = pd.read_csv(run.manifest)
    row = int(np.flatnonzero(manifest["split"] == "train")[3])
    return row, colour_folders / manifest["path"][row]


def test_features_are_those_of_the_encoder_and_of_every_training_image(run, finished_run):
    made = save_training_features(run, batch_size=7)
    manifest = pd.read_csv(run.manifest)
    np.testing.assert_array_equal(made.index, np.flatnonzero(manifest["split"] == "train"))
    lengths = np.linalg.norm(made.features.astype(np.float32), axis=1)
    np.testing.assert_allclose(lengths, 1, atol=1e-3)
    read = read_training_features(run)
    np.testing.assert_array_equal(read.index, made.index)
    np.testing.assert_array_equal(read.features, made.features)


def test_a_training_image_is_its_own_closest_cell(run, colour_folders):
    row, image = training_image(run, colour_folders)
    found = find_neighbours(run, [image], NeighbourSettings(count=3))
    ((file, table),) = found.tables()
    assert file == image
    assert found.cells.table["index"][found.found.places[0, 0]] == row
    assert table["distance"][0] < 1e-4
    assert list(table.columns) == ["distance", "label", "slide", "source", "path"]
    assert table["distance"].is_monotonic_increasing


@pytest.mark.parametrize("name", ["encoder", "manifest"])
def test_features_of_another_encoder_or_manifest_are_made_anew(run, name, monkeypatch):
    save_training_features(run)
    path = getattr(run, name)
    path.write_bytes(path.read_bytes() + b"\n")
    assert read_training_features(run) is None
    assert saved_training_cells(run) is None


def test_a_damaged_file_is_made_anew(run):
    made = save_training_features(run)
    run.training_features.write_bytes(run.training_features.read_bytes()[:200])
    assert read_training_features(run) is None
    np.testing.assert_array_equal(training_features(run).features, made.features)


def test_the_command_prints_a_table_and_writes_a_page(run, colour_folders, tmp_path, capsys):
    _, image = training_image(run, colour_folders)
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no image")
    page = tmp_path / "pages" / "page.html"
    words = ["neighbours", str(run.path), str(image), str(bad), "--count", "4"]
    assert main([*words, "--out", str(page)]) == 1
    printed = capsys.readouterr()
    assert "bad.png is empty or no image" in printed.err
    assert "of the 4 closest cells" in printed.out
    assert "0.0000" in printed.out
    text = page.read_text()
    assert text.count("data:image/jpeg;base64,") == 5
    assert "http" not in text
    assert "bad.png" in text
    assert main([*words[:3], "--split", "validation"]) == 0


def test_images_are_needed_once_only(moved_run, colour_folders, tmp_path, capsys):
    _, image = training_image(moved_run, colour_folders)
    shutil.move(tmp_path / "images", tmp_path / "elsewhere")
    words = ["neighbours", str(moved_run.path), str(image)]
    assert main(words) == 2
    assert "no longer at" in capsys.readouterr().err
    assert not moved_run.training_features.exists()
    shutil.move(tmp_path / "elsewhere", tmp_path / "images")
    assert main(words) == 0
    shutil.move(tmp_path / "images", tmp_path / "elsewhere")
    page = tmp_path / "page.html"
    assert main([*words, "--out", str(page)]) == 0
    assert page.read_text().count("no image") == 8


def test_the_report_names_the_closest_training_cells_of_the_missed(run):
    without = finish_report(run)
    assert without["nearest_neighbours"] is None
    assert "lab-models neighbours RUN IMAGE computes them" in run.report.read_text()
    save_training_features(run)
    figures = finish_report(run)
    neighbours = figures["nearest_neighbours"]
    assert neighbours["votes"] == 5
    assert neighbours["images"] == figures["splits"][figures["main_split"]]["images"]
    assert json.loads(run.metrics.read_text())["nearest_neighbours"] == neighbours
    assert neighbours["accuracy"]["value"] == pytest.approx(_accuracy_by_neighbours(run))
    assert "closest among 39 training cells" in run.report.read_text().replace("\xa0", " ")


def _accuracy_by_neighbours(run):
    table = pd.read_csv(run.predictions)
    labels = pd.read_csv(run.manifest)["label"].to_numpy()
    cells, own = read_training_features(run), np.load(run.features)["features"]
    right = 0
    for features, label in zip(own, table["label"]):
        closest = np.argsort(-(cells.features.astype(np.float32) @ features))[:5]
        right += Counter(labels[cells.index[closest]]).most_common(1)[0][0] == label
    return right / len(table)


def test_every_missed_image_stands_beside_its_neighbours(run):
    save_training_features(run)
    table = pd.read_csv(run.predictions)
    scores = [f"score:{name}" for name in run.classes]
    # All answers moved on by one class: every image is missed.
    table[scores] = np.roll(table[scores].to_numpy(), 1, axis=1)
    table["predicted"] = np.array(run.classes)[table[scores].to_numpy().argmax(axis=1)]
    table.to_csv(run.predictions, index=False)
    finish_report(run)
    text = run.report.read_text()
    rows = text.count('<div class="gallery neighbours">')
    assert rows >= 3
    section = text[text.index('<section id="neighbours">') : text.index('<section id="training">')]
    assert section.count("<figure") == 6 * rows
    assert section.count("<br>distance 0.") == 5 * rows


def _unfinished(run, image):
    run.finished.unlink()
    return [image]


def _no_encoder(run, image):
    run.encoder.unlink()
    return [image]


def _damaged_encoder(run, image):
    run.encoder.write_bytes(b"no network")
    return [image]


def _no_training_images(run, image):
    manifest = pd.read_csv(run.manifest, keep_default_na=False)
    manifest.assign(split="test").to_csv(run.manifest, index=False)
    return [image]


def _unreadable(run, image):
    bad = run.path / "bad.png"
    bad.touch()
    return [bad]


@pytest.mark.parametrize(
    ("spoil", "words", "message"),
    [
        (_unfinished, [], "has no FINISHED; go on with"),
        (_no_encoder, [], "has no encoder.keras"),
        (_damaged_encoder, [], "cannot be loaded"),
        (_no_training_images, [], "has no training images"),
        (_unreadable, [], "None of the files could be read"),
        (lambda run, image: [image, run.path / "nowhere.png"], [], "No such file"),
        (lambda run, image: [image], ["--count", "0"], "count must be at least 1"),
        (lambda run, image: [image], ["--split", "tests"], "There is no split 'tests'"),
        (lambda run, image: [image], ["--split", "test"], "no images of the split 'test'"),
        (lambda run, image: [image], ["--out", "/"], "is a folder"),
    ],
)
def test_bad_input_gives_one_message(run, colour_folders, spoil, words, message, capsys):
    _, image = training_image(run, colour_folders)
    paths = [str(path) for path in spoil(run, image)]
    assert main(["neighbours", str(run.path), *paths, *words]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.startswith("error: ")
    assert err.count("\n") == 1


def test_missing_training_images_are_named(moved_run, colour_folders, tmp_path):
    shutil.rmtree(tmp_path / "images" / "grey")
    with pytest.raises(LabError, match=r"grey/\d\d\.png"):
        find_neighbours(moved_run, [draw_classes(tmp_path / "new", 1) / "green" / "00.png"])
