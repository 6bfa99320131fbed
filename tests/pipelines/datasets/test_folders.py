from __future__ import annotations

import pytest

from pipelines.datasets import open_dataset, recognise
from pipelines.errors import ManifestError
from tests.pipelines.disk import write_image, write_images, write_table


def test_the_last_folder_is_the_class_at_any_depth(tmp_path):
    write_images(tmp_path, ["s1/x/a.png", "s2/x/a.png", "s2/deep/y/a.PNG"])
    table = open_dataset(tmp_path).table
    assert table["path"].tolist() == ["s1/x/a.png", "s2/deep/y/a.PNG", "s2/x/a.png"]
    assert table["label"].tolist() == ["x", "y", "x"]


def test_other_levels_can_be_the_class_the_slide_the_patient_and_the_source(tmp_path):
    write_images(tmp_path, ["lab/p1/x/s1/a.png", "lab/p2/y/s2/a.png"])
    table = open_dataset(
        tmp_path, class_level=2, slide_level=-1, patient_level=1, source_level=0
    ).table
    columns = ["source", "patient", "label", "slide"]
    assert table[columns].to_numpy().tolist() == [
        ["lab", "p1", "x", "s1"],
        ["lab", "p2", "y", "s2"],
    ]


@pytest.mark.parametrize("names", [("train", "val"), ("Training", "Valid", "Test")])
def test_folders_named_for_the_sides_give_the_split(tmp_path, names):
    write_images(tmp_path, [f"{side}/x/{side}.png" for side in names])
    sides = open_dataset(tmp_path).table["split"].tolist()
    assert sorted(sides) == sorted(["train", "validation", "test"][: len(names)])
    assert set(open_dataset(tmp_path, split_folders=False).table["split"]) == {""}


def test_images_in_the_root_are_an_error(tmp_path):
    write_images(tmp_path, ["a.png", "x/b.png"])
    with pytest.raises(ManifestError, match=r"1 of 2 images .* lie directly in .*'a\.png'\. Put"):
        open_dataset(tmp_path)


def test_images_above_the_class_level_are_an_error(tmp_path):
    write_images(tmp_path, ["s1/x/a.png", "s1/b.png"])
    with pytest.raises(ManifestError, match=r"lie above level 1, .*'s1/b\.png'"):
        open_dataset(tmp_path, class_level=1)


@pytest.mark.parametrize("content", [None, "note.txt"])
def test_an_empty_class_folder_is_an_error(tmp_path, content):
    write_image(tmp_path / "x" / "a.png")
    (tmp_path / "y").mkdir()
    if content:
        write_table(tmp_path / "y" / content, "no image here")
    with pytest.raises(ManifestError, match=r"class folder\(s\) 'y' hold no image"):
        open_dataset(tmp_path)


def test_a_class_may_be_missing_from_one_slide(tmp_path):
    write_images(tmp_path, ["s1/x/a.png", "s2/y/a.png"])
    (tmp_path / "s2" / "x").mkdir()
    assert len(open_dataset(tmp_path)) == 2


def test_other_files_are_counted_and_hidden_ones_passed_over(tmp_path):
    write_images(tmp_path, ["x/a.png", ".cache/x/b.png", "x/._a.png", "__MACOSX/x/a.png"])
    write_table(tmp_path / "x" / "list.txt", "")
    manifest = open_dataset(tmp_path)
    assert manifest.table["path"].tolist() == ["x/a.png"]
    assert manifest.notes[1] == "1 file(s) are no images by their ending: 'x/list.txt'."


def test_odd_but_valid_names_are_read(tmp_path):
    names = ['x/comma, "quote".png', "x/ blank .png", "x/ü€漢.png", "x/semi;colon#.png"]
    write_images(tmp_path, names)
    assert sorted(open_dataset(tmp_path).table["path"]) == sorted(names)


def test_a_name_with_a_line_break_is_named(tmp_path):
    write_image(tmp_path / "x" / "a\nb.png")
    with pytest.raises(ManifestError, match="path holds a line break"):
        open_dataset(tmp_path)


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["Blast/a.png", "blast/b.png"], "'Blast' and 'blast'; rename"),
        (["s1/Blast/a.png", "s2/blast/b.png"], "'Blast' and 'blast', of 's1/Blast/a.png'"),
        (["x/Blast/a.png", "X/blast/b.png"], "'X' and 'x'"),
        (["x/a.png", "x/A.png"], "'x/A.png' and 'x/a.png'"),
    ],
)
def test_names_that_differ_by_capitals_are_one_error(tmp_path, names, told):
    write_images(tmp_path, names)
    if len(set(tmp_path.rglob("*.png"))) < 2:
        pytest.skip("this file system does not tell capitals apart")
    with pytest.raises(ManifestError) as refused:
        open_dataset(tmp_path)
    assert told in str(refused.value)


def test_slides_that_differ_by_capitals_are_an_error(tmp_path):
    write_images(tmp_path, ["p/S1/x/a.png", "q/s1/x/b.png"])
    assert len(open_dataset(tmp_path)) == 2
    with pytest.raises(ManifestError, match=r"'S1' and 's1', of 'p/S1/x/a\.png' and 'q/s1"):
        open_dataset(tmp_path, slide_level=1)


@pytest.mark.parametrize("name", ["y", "x/b.png"])
def test_links_that_lead_out_are_refused_unless_asked_for(tmp_path, name):
    write_images(tmp_path, ["data/x/a.png", "other/c.png"])
    target = tmp_path / "other" / ("c.png" if "." in name else "")
    (tmp_path / "data" / name).symlink_to(target)
    assert "1 link(s) that lead out of the folder" in recognise(tmp_path / "data")[1]
    with pytest.raises(ManifestError, match=r"leads out of the data set .*outside_links=true"):
        open_dataset(tmp_path / "data")
    assert len(open_dataset(tmp_path / "data", outside_links=True)) == 2


def test_a_folder_of_nothing_but_links_is_recognised(tmp_path):
    write_images(tmp_path, ["other/x/a.png", "other/y/b.png"])
    (tmp_path / "data").mkdir()
    for name in "xy":
        (tmp_path / "data" / name).symlink_to(tmp_path / "other" / name)
    manifest = open_dataset(tmp_path / "data", outside_links=True)
    assert manifest.classes == ("x", "y")


def test_links_to_what_is_there_are_told(tmp_path):
    write_images(tmp_path, ["x/a.png", "y/a.png"])
    (tmp_path / "again").symlink_to(tmp_path / "x")
    manifest = open_dataset(tmp_path)
    assert manifest.classes == ("x", "y")
    assert "1 link(s) to folders that are read under their own name" in manifest.notes[-1]
