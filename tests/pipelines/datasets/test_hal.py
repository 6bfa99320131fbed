from __future__ import annotations

import pytest

from pipelines.datasets import open_dataset, recognise
from pipelines.errors import ManifestError
from pipelines.split import SplitSettings, split_manifest
from tests.pipelines.datasets.trees import write_experts, write_hal
from tests.pipelines.disk import write_image, write_images, write_table


def by_path(manifest, column):
    return dict(zip(manifest.table["path"], manifest.table[column]))


def test_the_rules_of_the_study(tmp_path):
    write_hal(tmp_path)
    manifest = open_dataset(tmp_path)
    assert by_path(manifest, "split") == {
        "hairy_db/S1/blast/1.png": "train",
        "hairy_db/S1/hairy_cell/1.png": "train",
        "hairy_db/S2/blast/1.png": "test",
        "hairy_db/S2/hairy_cell/1.png": "test",
        "WBCTrain/S1/blast/one.png": "train",
        "WBCTrain/S1/blast/two.png": "train",
        "WBCTest/S1/blast/two.png": "test",
    }
    assert by_path(manifest, "experts")["WBCTrain/S1/blast/two.png"] == 2
    assert by_path(manifest, "experts")["hairy_db/S1/blast/1.png"] == 1
    assert set(manifest.table["agreement"]) == {1.0}


def test_what_does_not_count_is_counted(tmp_path):
    write_hal(tmp_path)
    notes = " ".join(open_dataset(tmp_path).notes)
    assert (
        "3 of 5 images of WBCTrain do not count: 1 experts against folder, 1 experts disagree, "
        "1 fewer than 1 expert(s)." in notes
    )
    assert "1 of 2 images of WBCTest do not count: 1 fewer than 2 expert(s)." in notes
    assert "Classes of the study without any image: segmented_neutrophil" in notes


def test_source_slide_hospital_and_subset(tmp_path):
    write_hal(tmp_path)
    manifest = open_dataset(tmp_path, lookalikes=True)
    assert by_path(manifest, "subset") == {
        "hairy_db/S1/blast/1.png": "C",
        "hairy_db/S1/hairy_cell/1.png": "A",
        "hairy_db/S2/blast/1.png": "C",
        "hairy_db/S2/hairy_cell/1.png": "A",
        "WBCTrain/S1/blast/one.png": "B",
        "WBCTrain/S1/blast/two.png": "B",
        "WBCTest/S1/blast/two.png": "B",
        "lookalikes/S1/abnormal_lymphocyte/1.png": "D",
    }
    assert by_path(manifest, "slide")["hairy_db/S2/blast/1.png"] == "hairy_db/S2"
    assert by_path(manifest, "source")["hairy_db/S2/blast/1.png"] == "hairy_db"
    assert by_path(manifest, "hospital")["hairy_db/S2/blast/1.png"] == "H2"
    assert by_path(manifest, "hospital")["WBCTest/S1/blast/two.png"] == ""


def test_lookalikes_are_on_the_slides_they_were_taken_from(tmp_path):
    names = ("WBCTrain/A1/blast", "WBCTest/B1/blast", "WBCTrain/C1/blast", "WBCTest/C1/blast")
    write_images(tmp_path, [f"{name}/1.png" for name in names])
    folders = [f"lookalikes/{slide}/abnormal_lymphocyte" for slide in ("A1", "B1", "C1", "D1")]
    write_images(tmp_path, [f"{folder}/1.png" for folder in folders])
    table = open_dataset(tmp_path, subsets="D").table
    assert table["slide"].tolist() == [
        "WBCTrain/A1",
        "WBCTest/B1",
        "lookalikes/C1",
        "lookalikes/D1",
    ]
    assert table["split"].tolist() == ["train", "test", "train", "train"]


@pytest.mark.parametrize(("subsets", "number"), [("A", 2), ("AB", 5), ("C", 2), ("ABCD", 8)])
def test_subsets_can_be_chosen(tmp_path, subsets, number):
    write_hal(tmp_path)
    manifest = open_dataset(tmp_path, subsets=subsets)
    assert len(manifest) == number
    assert set(manifest.table["subset"]) == set(subsets)


@pytest.mark.parametrize("subsets", ["", "AX"])
def test_unknown_subsets(tmp_path, subsets):
    write_hal(tmp_path)
    with pytest.raises(ManifestError, match="subsets takes letters of ABCD"):
        open_dataset(tmp_path, subsets=subsets)


def test_validation_is_made_of_training_slides(tmp_path):
    for slide in range(8):
        write_images(tmp_path / "hairy_db", [f"S{slide}/hairy_cell/{n}.png" for n in range(2)])
        write_images(tmp_path / "WBCTrain", [f"S{slide}/blast/{n}.png" for n in range(2)])
        write_images(tmp_path / "WBCTest", [f"S{slide}/blast/{n}.png" for n in range(2)])
    manifest = split_manifest(open_dataset(tmp_path), SplitSettings(validation=0.25))
    table = manifest.table
    assert table.groupby("slide")["split"].nunique().max() == 1
    assert set(table.loc[table["source"] == "WBCTest", "split"]) == {"test"}
    assert table.loc[table["split"] == "validation", "label"].value_counts().to_dict() == {
        "blast": 4,
        "hairy_cell": 4,
    }


def test_folders_are_believed_without_expert_tables(tmp_path):
    write_images(tmp_path, ["WBCTrain/S1/blast/1.png", "WBCTest/Hairy Cell/1.png"])
    manifest = open_dataset(tmp_path)
    assert by_path(manifest, "label")["WBCTest/Hairy Cell/1.png"] == "hairy_cell"
    assert by_path(manifest, "slide")["WBCTest/Hairy Cell/1.png"] == ""
    assert manifest.table["experts"].tolist() == [0, 0]
    assert any("WBCTrain has no experts.csv" in note for note in manifest.notes)


def test_one_database_is_recognised_by_its_expert_table(tmp_path):
    write_image(tmp_path / "WBCTrain" / "S1" / "blast" / "1.png")
    assert recognise(tmp_path)[0] == "folders"
    write_experts(tmp_path / "WBCTrain", ["S1/blast/1.png,E1,Blast"])
    assert recognise(tmp_path)[0] == "hal"
    assert len(open_dataset(tmp_path)) == 1


def test_an_expert_may_label_twice_alike(tmp_path):
    write_images(tmp_path, ["WBCTest/S1/blast/1.png", "WBCTrain/S1/blast/1.png"])
    write_experts(tmp_path / "WBCTest", ["S1/blast/1.png,E1,blast", "S1/blast/1.png,E1,blast"])
    assert by_path(open_dataset(tmp_path), "experts") == {"WBCTrain/S1/blast/1.png": 0}


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["WBCTrain/S1/neutrophile/1.png"], r"neutrophile is no class of study hairy"),
        (["WBCTrain/1.png"], r"does not lie in <slide>/<class>/"),
        (["WBCTrain/a/b/blast/1.png"], r"does not lie in <slide>/<class>/"),
    ],
)
def test_folders_that_are_not_as_described(tmp_path, extra, message):
    write_hal(tmp_path)
    write_images(tmp_path, extra)
    with pytest.raises(ManifestError, match=message):
        open_dataset(tmp_path)


@pytest.mark.parametrize(
    ("file", "lines", "message"),
    [
        ("experts.csv", ["path,label", "a,b"], "lacks the column.s. expert"),
        ("experts.csv", ["path,expert,label", "blast/9.png,E,blast"], "names no image of"),
        ("slides.csv", ["slide,split", "S9,train"], "lacks the slide.s. 'S1'"),
        ("slides.csv", ["slide,split", "S1,train", "S1,test"], "different things of .* 'S1'"),
        ("slides.csv", ["slide,split", "S1,left"], "takes train or test, not 'left'"),
    ],
)
def test_tables_that_are_not_as_described(tmp_path, file, lines, message):
    write_hal(tmp_path)
    write_table(tmp_path / "WBCTrain" / file, *lines)
    with pytest.raises(ManifestError, match=message):
        open_dataset(tmp_path)


def test_expert_lines_on_other_files_are_counted(tmp_path):
    write_hal(tmp_path)
    file = tmp_path / "WBCTest" / "experts.csv"
    write_table(file, *file.read_text().splitlines(), "S1/blast/gone.png,E1,blast")
    assert any(
        "experts.csv of WBCTest has 1 line(s) on files" in n for n in open_dataset(tmp_path).notes
    )


def test_an_empty_class_folder_is_an_error(tmp_path):
    write_hal(tmp_path)
    (tmp_path / "WBCTrain" / "S1" / "monocyte").mkdir()
    with pytest.raises(ManifestError, match=r"class\(es\) 'monocyte' hold no image that counts"):
        open_dataset(tmp_path)


def test_an_empty_database_is_an_error(tmp_path):
    write_hal(tmp_path)
    for path in (tmp_path / "WBCTest").glob("*/*/*"):
        path.unlink()
    with pytest.raises(ManifestError, match=r"WBCTest holds no image"):
        open_dataset(tmp_path)


def test_no_image_that_counts(tmp_path):
    write_images(tmp_path, ["WBCTest/S1/blast/1.png", "WBCTrain/S1/blast/1.png"])
    for name in ("WBCTest", "WBCTrain"):
        write_experts(tmp_path / name, ["S1/blast/1.png,E1,monocyte"])
    with pytest.raises(
        ManifestError, match=r"No image below .* counts\. 1 of 1 images of WBCTrain"
    ):
        open_dataset(tmp_path)


@pytest.mark.parametrize("name", ["WBCTest", "WBCTrain/S1/monocyte", "WBCTrain/S1/blast/2.png"])
def test_links_that_lead_out_are_refused_unless_asked_for(tmp_path, name):
    write_images(tmp_path / "data", ["hairy_db/S1/blast/1.png", "WBCTrain/S1/blast/1.png"])
    write_images(tmp_path / "other", ["S9/blast/9.png", "9.png"])
    target = {"WBCTest": "S9/..", "WBCTrain/S1/monocyte": "S9/blast"}.get(name, "9.png")
    if name == "WBCTest":
        (tmp_path / "other" / "9.png").unlink()
    (tmp_path / "data" / name).symlink_to(tmp_path / "other" / target)
    with pytest.raises(ManifestError, match="leads out of the data set"):
        open_dataset(tmp_path / "data")
    assert len(open_dataset(tmp_path / "data", outside_links=True)) == 3


def test_names_that_differ_by_capitals_are_an_error(tmp_path):
    write_images(tmp_path, ["hairy_db/S1/Blast/1.png", "hairy_db/S1/blast/2.png"])
    write_images(tmp_path, ["WBCTrain/S1/blast/1.png"])
    with pytest.raises(ManifestError, match="capitals only: 'S1/Blast' and 'S1/blast'"):
        open_dataset(tmp_path)
