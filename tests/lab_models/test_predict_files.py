"""Tables of predictions for unlabelled files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lab_models.predict_files import find_files, predict_files
from lab_models.runs import RunError
from tests.lab_models.fake_run import add_networks, make_fake_run
from tflite.runtime.errors import LabError

CLASSES = ("a", "b", "c")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    made = make_fake_run(tmp_path_factory.mktemp("run") / "fake" / "now", CLASSES, per_class=2)
    add_networks(made)
    return made


@pytest.fixture
def cells(tmp_path):
    folder = tmp_path / "cells"
    (folder / "deep").mkdir(parents=True)
    generator = np.random.default_rng(0)
    for name in ("one.png", "two.JPG", "deep/three.bmp", ".hidden.png"):
        pixels = generator.integers(0, 255, (30, 30, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / name)
    (folder / "notes.txt").write_text("no image")
    return folder


def test_folders_are_searched_and_files_taken_as_they_are(cells):
    found = find_files([cells, cells / "one.png", cells / "notes.txt"])
    names = [path.relative_to(cells).as_posix() for path in found]
    assert names == ["deep/three.bmp", "one.png", "two.JPG", "notes.txt"]


def test_what_is_not_there_is_said(cells, tmp_path):
    with pytest.raises(LabError, match=r"No such file or folder: .*nowhere"):
        find_files([cells, tmp_path / "nowhere"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(LabError, match="No image in"):
        find_files([tmp_path / "empty"])


def test_parts_of_files_archives_and_lists_are_images_too(run, cells, tmp_path):
    pixels = np.stack([np.asarray(Image.open(cells / "one.png"))] * 2)
    np.savez_compressed(tmp_path / "new.npz", images=pixels, labels=np.arange(2))
    part = Path(f"{cells}/one.png#xywh=0,0,30,30")
    listed = tmp_path / "manifest.csv"
    listed.write_text("path,label\ncells/one.png,x\ncells/two.JPG,y\n")
    found = find_files([part, tmp_path / "new.npz", listed])
    items = [Path(f"{tmp_path}/new.npz#array=images,{n}") for n in (0, 1)]
    assert found == [part, *items, cells / "one.png", cells / "two.JPG"]
    table = predict_files(run, found).table
    scores = table[[f"score:{name}" for name in CLASSES]].to_numpy()
    for row in (1, 2, 3):  # the same pixels
        np.testing.assert_allclose(scores[row], scores[0], atol=1e-6)


def test_of_fields_with_boxes_the_cells_are_meant(cells):
    boxes = [{"id": n, "image_id": 1, "category_id": 1, "bbox": [n, 2, 20, 20]} for n in (1, 4)]
    content = {
        "images": [{"id": 1, "file_name": "one.png", "width": 30, "height": 30}],
        "annotations": boxes,
        "categories": [{"id": 1, "name": "WBC"}],
    }
    (cells / "_annotations.coco.json").write_text(json.dumps(content))
    found = find_files([cells])
    assert [str(path).split("#")[0] for path in found] == [str(cells / "one.png")] * 2
    assert len(set(found)) == 2


@pytest.mark.parametrize("batch_size", [1, 2, 32])
def test_every_file_gets_an_answer_or_a_reason(run, cells, batch_size):
    (cells / "empty.png").touch()
    steps = []
    found = predict_files(run, [cells], batch_size, lambda done, total: steps.append((done, total)))
    assert len(found.table) == 3
    assert found.unreadable["path"].tolist() == [str(cells / "empty.png")]
    assert "empty or no image" in found.unreadable["reason"].iloc[0]
    assert steps[-1] == (4, 4)
    scores = found.table[[f"score:{name}" for name in CLASSES]]
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(found.table["score"], scores.max(axis=1))
    best = [CLASSES[n] for n in scores.to_numpy().argmax(axis=1)]
    assert found.table["predicted"].tolist() == best


def test_answers_do_not_depend_on_the_batch(run, cells):
    one, many = (predict_files(run, [cells], size).table for size in (1, 32))
    np.testing.assert_allclose(one["score"], many["score"], atol=1e-5)


def test_nothing_but_unreadable_files_gives_an_empty_table(run, cells):
    found = predict_files(run, [cells / "notes.txt"])
    assert found.table.empty
    assert len(found.unreadable) == 1


def test_a_run_without_a_model_is_refused(cells, tmp_path):
    run = make_fake_run(tmp_path / "f" / "n", CLASSES, per_class=2)
    with pytest.raises(RunError, match=r"has no model\.keras"):
        predict_files(run, [cells])
    with pytest.raises(LabError, match="batch size"):
        predict_files(run, [cells], 0)
