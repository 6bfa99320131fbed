from __future__ import annotations

import numpy as np
import pytest

from pipelines.datasets import open_dataset, recognise
from pipelines.errors import ManifestError
from pipelines.inspection.inspector import inspect_dataset
from pipelines.inspection.write import write_inspection
from pipelines.manifest import read_manifest
from tests.pipelines.archives import CLASSES, noise, save
from tests.pipelines.inspection.planted import draw_cells

IMAGES, LABELS = noise(16, 96, 96, 3), np.arange(16) % 8


@pytest.mark.parametrize(
    "labels", [LABELS, LABELS[:, None].astype(np.uint8), np.eye(8, dtype=np.float32)[LABELS]]
)
def test_the_numbers_are_blood_cells(tmp_path, labels):
    file = save(tmp_path / "training_set.npz", images=IMAGES, labels=labels)
    assert recognise(file)[0] == "an2dl"
    manifest = open_dataset(file)
    assert manifest.classes == CLASSES
    assert manifest.table["label"].tolist() == [CLASSES[n] for n in LABELS]
    assert "The labels 0 to 7 were taken for basophil, eosinophil" in manifest.notes[1]


def test_other_meanings_can_be_given(tmp_path):
    file = save(tmp_path / "training_set.npz", images=IMAGES, labels=LABELS)
    assert open_dataset(file, names="a,b,c,d,e,f,g,h").classes == tuple("abcdefgh")
    assert open_dataset(file, "npz").classes == tuple("01234567")
    assert open_dataset(file, classes="pbc").classes[3] == "ig"


@pytest.mark.parametrize(
    "arrays",
    [
        {"images": IMAGES[:, :64], "labels": LABELS},
        {"images": IMAGES, "labels": np.array(["a"] * 16)},
        {"images": IMAGES, "labels": LABELS, "ids": LABELS},
        {"pictures": IMAGES, "labels": LABELS},
    ],
)
def test_other_archives_are_of_the_general_kind(tmp_path, arrays):
    file = save(tmp_path / "training_set.npz", **arrays)
    assert recognise(file)[0] == "npz"
    assert recognise(tmp_path)[0] == "npz"


def test_arrays_of_other_names_can_be_named(tmp_path):
    arrays = {"x": IMAGES, "y": LABELS, "z": LABELS}
    file = save(tmp_path / "training_set.npz", **arrays)
    assert open_dataset(file, "an2dl", images="x", labels="z").classes == CLASSES


def test_a_ninth_class_is_told(tmp_path):
    file = save(tmp_path / "training_set.npz", images=IMAGES, labels=np.arange(16) % 9)
    with pytest.raises(ManifestError, match=r"from 0 to 7 \(.*'8' stand\(s\) in item 8\."):
        open_dataset(file)


def test_repeated_pictures_and_duplicates_are_found(tmp_path):
    """The faults of the study: two pictures of no cells many times over, and one copy."""
    drawn = [pixels[16:112, 16:112] for cells in draw_cells(24, 3).values() for pixels in cells]
    cells = np.stack(drawn)
    strange = np.repeat(noise(2, 96, 96, 3, seed=9), 30, axis=0)
    images = np.concatenate([cells, strange, cells[:1]])
    labels = np.arange(len(images)) % 8
    manifest = open_dataset(save(tmp_path / "in" / "set.npz", images=images, labels=labels))
    inspection = inspect_dataset(manifest, workers=1)
    assert not inspection.measurements.reasons

    def items(finding):
        return {int(path.rsplit(",", 1)[1]) for path in finding.paths}

    first = len(cells)
    repeated = [items(finding) for finding in inspection.findings["repeated_pictures"]]
    assert sorted(repeated, key=min) == [
        set(range(first, first + 30)),
        set(range(first + 30, first + 60)),
    ]
    copies = [items(finding) for finding in inspection.findings["exact_duplicates"]]
    assert {0, first + 60} in copies

    write_inspection(inspection, tmp_path / "out")
    page = (tmp_path / "out" / "page.html").read_text(encoding="utf-8")
    assert f"<figcaption>set.npz#array=images,{first}<br>" in page
    figures = page.split("<figure>")[1:]
    assert figures
    assert all(figure.startswith('<img src="data:image/jpeg') for figure in figures)
    assert len(read_manifest(tmp_path / "out" / "manifest.csv")) == len(images)


def test_measurements_of_an_archive_that_was_changed_are_made_anew(tmp_path):
    file = save(tmp_path / "set.npz", images=noise(8, 20, 20, 3), labels=np.arange(8))
    before = inspect_dataset(open_dataset(file), cache=tmp_path / "kept", workers=1)
    same = inspect_dataset(open_dataset(file), cache=tmp_path / "kept", workers=1)
    assert np.array_equal(before.measurements.rows, same.measurements.rows)
    save(file, images=noise(8, 21, 21, 3, seed=1), labels=np.arange(8))
    after = inspect_dataset(open_dataset(file), cache=tmp_path / "kept", workers=1)
    assert set(after.measurements["width"]) == {21}
