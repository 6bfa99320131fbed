from __future__ import annotations

import pytest

from pipelines.datasets import open_dataset, recognise
from pipelines.errors import ManifestError
from pipelines.labels import RAABIN_CLASSES
from pipelines.split import split_manifest
from tests.pipelines.datasets.trees import write_raabin
from tests.pipelines.disk import write_image, write_images


def test_parts_sides_and_sources(tmp_path):
    write_raabin(tmp_path)
    manifest = open_dataset(tmp_path)
    assert manifest.classes == RAABIN_CLASSES
    counts = manifest.table.groupby(["part", "split", "source"]).size().to_dict()
    assert counts == {
        ("Train", "train", "raabin_a"): 5,
        ("TestA", "test", "raabin_a"): 5,
        ("TestB", "test", "raabin_b"): 2,
    }


@pytest.mark.parametrize(("test", "number"), [("A", 10), ("B", 7), ("AB", 12)])
def test_either_test_set_can_be_chosen(tmp_path, test, number):
    write_raabin(tmp_path)
    manifest = open_dataset(tmp_path, test=test)
    assert len(manifest) == number
    assert ("Not asked for" in " ".join(manifest.notes)) == (test != "AB")


def test_validation_is_carved_out_of_training(tmp_path):
    names = [f"{part}/{c}/{i}.jpg" for part in ("Train", "TestA") for c in "NM" for i in range(9)]
    real = {"N": "Neutrophil", "M": "Monocyte"}
    write_images(
        tmp_path, [n.replace("/N/", "/Neutrophil/").replace("/M/", "/Monocyte/") for n in names]
    )
    table = split_manifest(open_dataset(tmp_path)).table
    assert set(table.loc[table["part"] == "TestA", "split"]) == {"test"}
    assert set(table.loc[table["part"] == "Train", "split"]) == {"train", "validation"}
    assert set(table["label"]) == {name.lower() for name in real.values()}


def test_folders_may_be_written_with_hyphens_and_in_lower_case(tmp_path):
    write_images(tmp_path, ["train/neutrophil/1.png", "Test-A/basophils/1.png"])
    assert recognise(tmp_path) == ("raabin", "it holds the folder(s) train, Test-A")
    assert open_dataset(tmp_path).table["part"].tolist() == ["Train", "TestA"]


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ("TestA/Blast/1.jpg", r"TestA cannot be read: the folder.s. 'Blast' are none of basophil"),
        ("TestA/Newtrophil/1.jpg", r"'Newtrophil' are none of"),
        ("Train/1.jpg", r"do not lie in <class>/: '1.jpg'"),
        ("Train/Neutrophil/more/1.jpg", r"do not lie in <class>/: 'Neutrophil/more/1.jpg'"),
        ("Train/neutrophil/2.jpg", r"differ by capitals only: 'Neutrophil' and 'neutrophil'"),
        ("testa/Neutrophil/2.jpg", r"differ by capitals only: 'TestA' and 'testa'"),
        ("Test_A/Neutrophil/2.jpg", r"holds the part TestA twice: 'TestA', 'Test_A'"),
    ],
)
def test_what_lies_wrong_is_named(tmp_path, extra, message):
    write_raabin(tmp_path)
    write_image(tmp_path / extra)
    with pytest.raises(ManifestError, match=message):
        open_dataset(tmp_path)


def test_empty_folders(tmp_path):
    write_raabin(tmp_path)
    (tmp_path / "TestB" / "Monocyte").mkdir()
    with pytest.raises(ManifestError, match=r"TestB cannot be read: .*'Monocyte' hold no image"):
        open_dataset(tmp_path)


def test_options_and_other_folders(tmp_path):
    write_raabin(tmp_path / "data")
    with pytest.raises(ManifestError, match="has the tests A, B, AB, got 'C'"):
        open_dataset(tmp_path / "data", test="C")
    with pytest.raises(ManifestError, match="holds none of the folders Train, TestA, TestB"):
        open_dataset(tmp_path, "raabin")
    write_images(tmp_path / "cats", ["Train/cat/1.png", "Test/cat/1.png"])
    assert recognise(tmp_path / "cats")[0] == "folders"


def test_no_part_that_was_asked_for(tmp_path):
    write_images(tmp_path, ["TestA/Neutrophil/1.png"])
    with pytest.raises(ManifestError, match="has neither Train nor TestB"):
        open_dataset(tmp_path, test="B")


@pytest.mark.parametrize("name", ["Train", "Train/Neutrophil/2.jpg"])
def test_links_that_lead_out(tmp_path, name):
    data, other = tmp_path / "data", tmp_path / "other"
    write_raabin(other)
    if name == "Train":
        write_images(data, ["TestA/Neutrophil/1.jpg"])
        target = other / name
    else:
        write_raabin(data)
        target = other / "Train" / "Neutrophil" / "1.jpg"
    (data / name).symlink_to(target)
    with pytest.raises(ManifestError, match=r"leads out of the data set"):
        open_dataset(data)
