from __future__ import annotations

import pytest

from pipelines.class_table import BONE_MARROW_CODES
from pipelines.datasets import open_dataset, recognise
from pipelines.errors import ManifestError
from pipelines.labels import BONE_MARROW_CLASSES
from tests.pipelines.datasets.trees import write_bone_marrow
from tests.pipelines.disk import write_image, write_images


@pytest.mark.parametrize("inside", ["", "BM_cytomorphology_data"])
def test_codes_become_names(tmp_path, inside):
    write_bone_marrow(tmp_path, inside)
    assert recognise(tmp_path) == (
        "bone_marrow",
        "it holds 3 folders of codes, such as ABE, BLA, HAC",
    )
    manifest = open_dataset(tmp_path)
    assert manifest.classes == ("abnormal_eosinophil", "blast", "hairy_cell")
    start = f"{inside}/" if inside else ""
    assert manifest.table["path"].tolist()[1] == f"{start}BLA/0001-1000/BLA_00001.jpg"
    assert manifest.table["code"].tolist() == ["ABE", "BLA", "BLA", "HAC", "HAC"]
    assert "Codes without a folder: ART, BAS, EBO" in manifest.notes[1]


def test_all_21_in_their_order(tmp_path):
    write_images(tmp_path, [f"{code}/0001-1000/{code}_00001.jpg" for code in BONE_MARROW_CODES])
    manifest = open_dataset(tmp_path)
    assert manifest.classes == BONE_MARROW_CLASSES
    assert len(manifest.notes) == 1


def test_onto_the_classes_of_hal(tmp_path):
    write_bone_marrow(tmp_path)
    manifest = open_dataset(tmp_path, classes="hal")
    assert manifest.classes == ("eosinophil", "blast", "hairy_cell")
    assert manifest.table["code"].tolist() == ["ABE", "BLA", "BLA", "HAC", "HAC"]


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ("XYZ/XYZ_00001.jpg", r"'XYZ' are none of ABE, ART"),
        ("BLA/old/BLA_00002.jpg", r"sub-folders such as 0001-1000, not 'BLA/old'"),
        ("BLA/0001-1000/x/BLA_00002.jpg", r"not 'BLA/0001-1000/x'"),
        ("loose.jpg", r"outside the folders of codes: 'loose.jpg'"),
        ("ABE/HAC_00009.jpg", r"1 file.s. are named for another code: 'ABE/HAC_00009.jpg'"),
        ("hac/hac_00001.jpg", r"differ by capitals only: 'HAC' and 'hac'"),
        ("HAC/hac_00001.jpg", r"differ by capitals only: 'HAC/HAC_00001.jpg' and"),
    ],
)
def test_what_lies_wrong_is_named(tmp_path, extra, message):
    write_bone_marrow(tmp_path)
    write_image(tmp_path / extra)
    with pytest.raises(ManifestError, match=message):
        open_dataset(tmp_path)


def test_a_second_folder_of_codes_is_not_passed_over(tmp_path):
    for side in ("test", "train"):
        write_bone_marrow(tmp_path, side)
    with pytest.raises(ManifestError, match="beside the folder 'test' would not be read: 'train'"):
        open_dataset(tmp_path)
    assert len(open_dataset(tmp_path, "folders")) == 10


def test_an_empty_folder(tmp_path):
    write_bone_marrow(tmp_path)
    (tmp_path / "KSC").mkdir()
    with pytest.raises(ManifestError, match="'KSC' hold no image"):
        open_dataset(tmp_path)


@pytest.mark.parametrize("name", ["HAC/HAC_00003.jpg", "LYT"])
def test_links_that_lead_out(tmp_path, name):
    data, other = tmp_path / "data", tmp_path / "other"
    write_bone_marrow(data)
    write_image(other / "LYT_00001.jpg")
    (data / name).symlink_to(other / "LYT_00001.jpg" if "/" in name else other)
    with pytest.raises(ManifestError, match=r"leads out of the data set"):
        open_dataset(data)


def test_links_within_are_followed(tmp_path):
    write_bone_marrow(tmp_path)
    (tmp_path / "HAC" / "HAC_00003.jpg").symlink_to(tmp_path / "HAC" / "HAC_00001.jpg")
    assert len(open_dataset(tmp_path)) == 6


def test_one_folder_of_a_code_is_not_enough(tmp_path):
    write_images(tmp_path, ["ART/1.png", "painting/1.png"])
    assert recognise(tmp_path)[0] == "folders"
    with pytest.raises(ManifestError, match="does not hold folders that are called by the codes"):
        open_dataset(tmp_path, "bone_marrow")
