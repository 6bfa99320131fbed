from __future__ import annotations

import argparse

import pytest

from lab_models.cli import data, main
from pipelines.datasets import open_dataset
from pipelines.errors import ManifestError
from pipelines.manifest import read_manifest
from tests.pipelines.disk import BAD_FILES, manifest_of, write_bad_file, write_image, write_table
from tflite.runtime.errors import LabError


def run(*words):
    parser = argparse.ArgumentParser()
    data.add_parser(parser.add_subparsers())
    arguments = parser.parse_args(["data", *map(str, words)])
    return arguments.run(arguments)


def test_says_what_the_folder_holds(tmp_path, capsys):
    manifest_of(tmp_path, {"x": 2, "y": 1})
    assert run(tmp_path) == 0
    said = capsys.readouterr().out
    assert "3 images of 2 classes" in said
    assert "Every image can be read." in said
    assert "Read as folders" in said


def test_writes_manifest_and_quarantine(tmp_path, capsys):
    manifest_of(tmp_path / "cells", {"x": 5, "y": 5})
    for name in BAD_FILES:
        write_bad_file(tmp_path / "cells" / "y", name)
    files = tmp_path / "manifest.csv", tmp_path / "bad.csv"
    words = ("--split", "image", "--seed", "2", "--write", files[0], "--quarantine", files[1])
    assert run(tmp_path / "cells", *words) == 1
    manifest = read_manifest(files[0])
    assert len(manifest) == 10
    assert len(manifest.rows("validation")) == 2
    assert files[1].read_text().count("\n") == 1 + len(BAD_FILES)
    assert len(open_dataset(files[0])) == 10
    assert "4 file(s) cannot be read" in capsys.readouterr().out


def test_can_leave_the_images_closed(tmp_path, capsys):
    manifest_of(tmp_path, {"x": 2})
    write_bad_file(tmp_path / "x", "empty.jpg")
    assert run(tmp_path, "--no-decode") == 0
    assert "The images were not opened." in capsys.readouterr().out
    with pytest.raises(LabError, match="leave --no-decode out"):
        run(tmp_path, "--no-decode", "--quarantine", tmp_path / "bad.csv")


def test_options_reach_the_reader(tmp_path, capsys):
    manifest_of(tmp_path / "s1", {"x": 2})
    options = ("--kind", "folders", "--option", "slide_level=0", "--option", "split_folders=false")
    assert run(tmp_path, *options) == 0
    assert "source" in capsys.readouterr().out
    with pytest.raises(LabError, match=r"takes NAME=VALUE.*'slide_level'"):
        run(tmp_path, "--option", "slide_level")
    with pytest.raises(ManifestError, match="has no option colour"):
        run(tmp_path, "--option", "colour=red")


def test_a_leak_is_refused_and_nothing_written(tmp_path):
    manifest = manifest_of(tmp_path, {"train/x": 2, "test/x": 2})
    manifest.path(0).write_bytes(manifest.path(2).read_bytes())
    with pytest.raises(ManifestError, match="same file content is on two sides"):
        run(tmp_path, "--write", tmp_path / "m.csv")
    assert not (tmp_path / "m.csv").exists()


def empty_folder(root):
    return root


def nothing_there(root):
    return root / "missing"


def image_in_the_root(root):
    write_image(root / "a.png")
    return root


def empty_class(root):
    manifest_of(root, {"x": 2})
    (root / "y").mkdir()
    return root


def class_of_unreadable_files(root):
    manifest_of(root, {"x": 2})
    write_bad_file(root / "y", "truncated.png")
    return root


def missing_file(root):
    return write_table(root / "m.csv", "path,label", "a.png,x")


def no_columns(root):
    return write_table(root / "m.csv", "a.png,x")


def unknown_side(root):
    write_image(root / "a.png")
    return write_table(root / "m.csv", "path,label,split", "a.png,x,left")


def binary_table(root):
    write_image(root / "a.png")
    return (root / "a.png").rename(root / "m.csv")


BAD_INPUT = {
    empty_folder: "the folder is empty",
    nothing_there: "There is nothing at",
    image_in_the_root: "outside any class folder: 'a.png'",
    empty_class: "'y' hold no image",
    class_of_unreadable_files: "No image of 'y' can be read",
    missing_file: "1 of 1 files are missing",
    no_columns: "lacks the column(s) path, label",
    unknown_side: "the split is none of train, validation, test: row 0 ('a.png')",
    binary_table: "is not UTF-8 text",
}


@pytest.mark.parametrize("make", BAD_INPUT, ids=lambda make: make.__name__)
def test_bad_input_gets_one_message_and_leaves_nothing(tmp_path, capsys, make):
    out = tmp_path / "out.csv"
    (tmp_path / "data").mkdir()
    assert main(["data", str(make(tmp_path / "data")), "--write", str(out)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert BAD_INPUT[make] in said.err
    assert "Traceback" not in said.err
    assert not out.exists()


def test_one_image_a_class_is_told_when_split(tmp_path, capsys):
    manifest_of(tmp_path, {"x": 1, "y": 1})
    assert main(["data", str(tmp_path), "--split", "auto"]) == 2
    assert "leaves validation without an image" in capsys.readouterr().err


def test_classes_are_mapped_and_what_is_lost_is_named(tmp_path, capsys):
    manifest_of(tmp_path, {"Lymphocytes": 2, "HAC": 1, "neutrophil": 3})
    file = tmp_path / "manifest.csv"
    assert run(tmp_path, "--classes", "hal", "--write", file) == 0
    said = capsys.readouterr().out
    assert "3 images of 2 classes" in said
    assert "3 image(s) left out: 'neutrophil' is coarser" in said
    assert set(read_manifest(file).table["label"]) == {"lymphocyte", "hairy_cell"}
    with pytest.raises(ManifestError, match="no set of classes 'mars'; there are hal, pbc"):
        run(tmp_path, "--kind", "folders", "--classes", "mars")


def test_options_may_be_decimal_numbers(tmp_path, capsys):
    write_image(tmp_path / "a.png")
    votes = ("a.png,E1,x", "a.png,E2,x", "a.png,E3,y")
    write_table(tmp_path / "experts.csv", "path,expert,label", *votes)
    assert run(tmp_path, "--option", "agreement=0.6", "--option", "experts=3") == 0
    assert "1 images of 1 classes" in capsys.readouterr().out


def test_images_that_lie_elsewhere_on_purpose_can_be_written_as_a_manifest(tmp_path, capsys):
    manifest_of(tmp_path / "store", {"x": 2, "y": 2})
    (tmp_path / "data").mkdir()
    for name in "xy":
        (tmp_path / "data" / name).symlink_to(tmp_path / "store" / name)
    file = tmp_path / "m.csv"
    with pytest.raises(ManifestError, match=r"leads out of .* ask for outside_links=true"):
        run(tmp_path / "data", "--write", file)
    assert run(tmp_path / "data", "--option", "outside_links=true", "--write", file) == 0
    assert open_dataset(file).table["path"].tolist()[0] == "data/x/0.png"


def test_data_without_a_split_says_how_to_see_one(tmp_path, capsys):
    manifest_of(tmp_path / "cells", {"x": 8, "y": 8})
    assert main(["data", str(tmp_path / "cells")]) == 0
    assert "To see how they would be split: --split-by auto" in capsys.readouterr().out
    assert main(["data", str(tmp_path / "cells"), "--split-by", "auto"]) == 0
    told = capsys.readouterr().out
    assert "To see how" not in told
    assert "train 12, validation 4" in told
