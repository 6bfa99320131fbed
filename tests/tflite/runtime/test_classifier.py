import csv
import dataclasses
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from tflite.runtime.bundle import beside_paths, bundle_bytes
from tflite.runtime.classifier import Classifier
from tflite.runtime.contract import InputContract
from tflite.runtime.errors import BundleError, ImageError, LabError
from tflite.runtime.images import find_images
from tflite.runtime.quantize import TensorQuantization
from tflite.runtime.sidecar import labels_text, sha256

pytestmark = pytest.mark.device

# Kernels of other processors may round an activation the other way: a step of a logit, 0.06.
TOLERANCE = 0.02


@pytest.fixture
def folder(golden, tmp_path):
    """Three cells in two folders, and files that are to be refused or passed over."""
    folder = tmp_path / "cells"
    (folder / "b").mkdir(parents=True)
    shutil.copy(golden / "lymphocyte.png", folder / "a.PNG")
    shutil.copy(golden / "segmented_neutrophil.bmp", folder / "b")
    shutil.copy(golden / "large_thrombocyte.jpg", folder / "c.jpg")
    (folder / "text.jpg").write_text("no picture")
    (folder / "notes.txt").write_text("no picture either, and not named like one")
    (folder / ".hidden.jpg").write_bytes(b"")
    (folder / ".cache").mkdir()
    shutil.copy(golden / "lymphocyte.png", folder / ".cache")
    return folder


@pytest.fixture
def expected(golden):
    return json.loads((golden / "expected.json").read_text())


def test_the_golden_images_get_the_golden_scores(classifier, golden, expected):
    assert len(expected) == 3
    for name, scores in expected.items():
        result = classifier.classify(golden / name)
        assert list(result.scores) == list(classifier.labels)
        for label, score in scores.items():
            assert result.scores[label] == pytest.approx(score, abs=TOLERANCE)
        assert result.label == name.split(".")[0]
        assert result.score == max(result.scores.values())


def test_paths_bytes_and_arrays_get_the_same_answer(classifier, golden):
    path = golden / "lymphocyte.png"
    expected = classifier.classify(path)
    assert classifier.classify(str(path)) == expected
    assert classifier.classify(path.read_bytes()) == expected
    assert classifier.classify(np.asarray(Image.open(path))) == expected


def test_a_batch_is_the_same_as_one_by_one(classifier, golden, expected):
    paths = [golden / name for name in expected]
    assert classifier.classify_batch(paths) == [classifier.classify(path) for path in paths]
    images = np.random.default_rng(0).integers(0, 256, (4, 20, 24, 3)).astype(np.uint8)
    assert classifier.classify_batch(images) == [classifier.classify(image) for image in images]
    assert classifier.classify_batch([]) == []


def test_a_batch_names_the_image_that_cannot_be_read(classifier, golden):
    with pytest.raises(ImageError, match=r"Image 1 of 2: .*nowhere"):
        classifier.classify_batch([golden / "lymphocyte.png", golden / "nowhere.png"])


def test_equal_scores_give_the_first_label(classifier, monkeypatch):
    monkeypatch.setattr(classifier, "_runner", lambda pixels: np.full(3, 1 / 3, np.float32))
    assert classifier.classify(np.zeros((9, 9), np.uint8)).label == classifier.labels[0]


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((16, 16, 3), np.float32),
        np.zeros((15, 16, 3), np.uint8),
        np.zeros((1, 16, 16, 3), np.uint8),
    ],
    ids=lambda a: f"{a.dtype}{a.shape}",
)
def test_prepared_pixels_of_another_kind_are_refused(classifier, pixels):
    with pytest.raises(ImageError, match=r"takes uint8 arrays of shape \(16, 16, 3\)"):
        classifier.scores(pixels)


# Folders.


def test_a_folder_is_searched_in_order_without_hidden_files(folder):
    names = [path.relative_to(folder).as_posix() for path in find_images(folder)]
    assert names == ["a.PNG", "b/segmented_neutrophil.bmp", "c.jpg", "text.jpg"]


def test_a_hidden_parent_does_not_hide_the_folder(folder, tmp_path):
    inside = tmp_path / ".work" / "cells"
    shutil.copytree(folder, inside)
    assert len(find_images(inside)) == 4


@pytest.mark.parametrize("kind", ["missing", "file", "empty"])
def test_a_folder_without_images_says_so(tmp_path, kind):
    path = tmp_path / kind
    if kind == "file":
        path.write_text("")
    elif kind == "empty":
        path.mkdir()
    with pytest.raises(ImageError, match="holds no image" if kind == "empty" else "no folder"):
        find_images(path)


def test_unreadable_images_are_reported_and_the_rest_goes_on(classifier, folder):
    summary = classifier.classify_folder(folder)
    assert summary.classified == 3
    assert summary.counts == {**dict.fromkeys(classifier.labels, 1), "unknown": 0}
    assert [item.path.name for item in summary.unreadable] == ["text.jpg"]
    assert "no image that can be read" in summary.unreadable[0].error


def test_progress_counts_every_file(classifier, folder):
    calls = []
    classifier.classify_folder(folder, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_the_csv_has_a_row_for_every_file(classifier, folder, tmp_path):
    out = tmp_path / "new" / "table.csv"
    classifier.classify_folder(folder, out)
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[:5] == ["path", "label", "predicted", "score", "error"]
    assert list(rows[0])[5:] == [f"score:{label}" for label in classifier.labels]
    assert [row["predicted"] for row in rows] == [
        "lymphocyte", "segmented_neutrophil", "large_thrombocyte", "",
    ]  # fmt: skip
    assert float(rows[0]["score"]) == float(rows[0]["score:lymphocyte"])
    assert "no image" in rows[3]["error"]
    assert rows[0]["error"] == ""


def test_json_lines_have_a_row_for_every_file(classifier, folder, tmp_path):
    out = tmp_path / "table.txt"
    classifier.classify_folder(folder, out, format="jsonl")
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert list(rows[0]) == ["path", "label", "predicted", "score", "scores"]
    assert list(rows[0]["scores"]) == list(classifier.labels)
    assert list(rows[3]) == ["path", "error"]


def test_an_unknown_format_is_refused_before_the_work(classifier, folder, tmp_path):
    with pytest.raises(LabError, match="must be one of"):
        classifier.classify_folder(folder, tmp_path / "table.xlsx")
    assert list(tmp_path.glob("*table*")) == []


def test_a_stopped_run_leaves_no_table_but_its_journal(classifier, folder, tmp_path):
    def stop(done, total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        classifier.classify_folder(folder, tmp_path / "table.csv", progress=stop)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cells", "table.csv.journal"]


# A model that is not the one described.


def rebundle(path, bundle, **changes):
    for beside in beside_paths(path):
        beside.unlink()
    if "labels" in changes:
        changes = {"rejection_thresholds": {}, **changes}
    sidecar = dataclasses.replace(bundle.sidecar, **changes)
    path.write_bytes(bundle_bytes(bundle.model, sidecar))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"input": InputContract(32, 16)}, "input shape"),
        ({"output_quantization": TensorQuantization("uint8", 0.5)}, "output quantisation"),
        ({"input_quantization": TensorQuantization("float32")}, "input quantisation"),
        ({"labels": ("a", "b")}, "output shape"),
    ],
)
def test_a_sidecar_that_does_not_fit_the_tensors_is_refused(
    bundle_copy, golden_bundle, changes, message
):
    if "labels" in changes:
        changes = {**changes, "labels_sha256": sha256(labels_text(changes["labels"]).encode())}
    rebundle(bundle_copy, golden_bundle, **changes)
    with pytest.raises(BundleError, match=message):
        Classifier(bundle_copy)


def test_a_damaged_bundle_never_reaches_the_interpreter(bundle_copy, monkeypatch):
    monkeypatch.setattr(
        "tflite.runtime.classifier.TensorRunner",
        lambda *arguments: pytest.fail("the interpreter was given a damaged model"),
    )
    content = bytearray(bundle_copy.read_bytes())
    content[1000] ^= 1
    bundle_copy.write_bytes(content)
    with pytest.raises(BundleError):
        Classifier(bundle_copy)
