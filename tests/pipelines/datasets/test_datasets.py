"""What holds for every kind of data set, and for finding out which it is."""

from __future__ import annotations

import re

import pytest

from pipelines.datasets import kinds, open_dataset, options, recognise
from pipelines.errors import ManifestError
from pipelines.manifest import check_manifest
from pipelines.quarantine import find_unreadable
from tests.pipelines.datasets.trees import BUILDERS
from tests.pipelines.disk import write_images, write_table


def test_every_kind_has_a_tree_here():
    assert set(kinds()) == set(BUILDERS)


@pytest.mark.parametrize("kind", BUILDERS)
def test_is_recognised_and_read(tmp_path, kind):
    number = BUILDERS[kind](tmp_path)
    found, reason = recognise(tmp_path)
    assert found == kind
    manifest = open_dataset(tmp_path)
    assert len(manifest) == number
    assert manifest.notes[0] == f"Read as {kind}: {reason}."
    assert manifest.root == tmp_path
    check_manifest(manifest)
    assert find_unreadable(manifest).empty


@pytest.mark.parametrize("kind", BUILDERS)
def test_can_be_asked_for_by_name(tmp_path, kind):
    BUILDERS[kind](tmp_path)
    manifest = open_dataset(str(tmp_path), kind)
    assert manifest.notes[0] == f"Read as {kind}: as asked for."
    assert manifest.table.equals(open_dataset(tmp_path).table)


@pytest.mark.parametrize("kind", BUILDERS)
def test_does_not_recognise_an_empty_folder_and_says_so_when_asked_for(tmp_path, kind):
    with pytest.raises(
        ManifestError, match=r"holds no data set: the folder is empty\. Expected was a folder w"
    ):
        recognise(tmp_path)
    with pytest.raises(ManifestError):
        open_dataset(tmp_path, kind)


def test_what_was_looked_for_is_listed(tmp_path):
    write_table(tmp_path / "notes.md", "nothing")
    with pytest.raises(ManifestError) as refused:
        recognise(tmp_path)
    first, *listed = str(refused.value).splitlines()
    assert first == f"{tmp_path} holds no data set that is known. Looked for:"
    assert [line.split(":")[0].strip() for line in listed] == list(kinds())


def test_a_kind_that_cannot_look_is_passed_over(tmp_path):
    write_images(tmp_path, ["x/a.png"])
    for name in ("loop", "loop.png", "x/loop.png"):
        (tmp_path / name).symlink_to(tmp_path / name)
    with pytest.raises(ManifestError, match=r"outside any class folder: 'loop\.png'"):
        open_dataset(tmp_path)
    (tmp_path / "loop.png").unlink()
    manifest = open_dataset(tmp_path)
    assert find_unreadable(manifest)["path"].tolist() == ["x/loop.png"]


@pytest.mark.parametrize("kind", BUILDERS)
def test_unknown_options_are_named(tmp_path, kind):
    BUILDERS[kind](tmp_path)
    with pytest.raises(ManifestError, match=f"kind {kind} has no option colour; it has: "):
        open_dataset(tmp_path, colour="red")


def test_options_are_those_of_the_reader():
    assert options("hal") == ("lookalikes", "subsets", "outside_links")
    with pytest.raises(
        ManifestError, match="no kind of data set 'zip'; there are shards, wbcatt, pbc, hal"
    ):
        options("zip")


@pytest.mark.parametrize("kind", [None, "hal"])
def test_nothing_there(tmp_path, kind):
    with pytest.raises(ManifestError, match=r"There is nothing at .*missing"):
        open_dataset(tmp_path / "missing", kind)


def test_an_image_is_no_data_set(tmp_path):
    BUILDERS["folders"](tmp_path)
    with pytest.raises(ManifestError, match=r"c\.bmp holds no data set that is known"):
        open_dataset(tmp_path / "smudge_cell" / "c.bmp")


@pytest.mark.parametrize(
    ("kind", "name", "value", "takes"),
    [
        ("folders", "slide_level", "first", "a whole number"),
        ("folders", "slide_level", 0.5, "a whole number"),
        ("folders", "slide_level", True, "a whole number"),
        ("folders", "split_folders", "no", "true or false"),
        ("folders", "split_folders", 0, "true or false"),
        ("folders", "class_level", None, "a whole number"),
        ("csv_table", "label_column", None, "text"),
        ("csv_table", "label_column", 0.5, "text"),
        ("experts", "agreement", "half", "a number"),
    ],
)
def test_options_of_another_type_are_told(tmp_path, kind, name, value, takes):
    BUILDERS[kind](tmp_path)
    expected = re.escape(f"option {name} of the kind {kind} takes {takes}, got {value!r}.")
    with pytest.raises(ManifestError, match=expected):
        open_dataset(tmp_path, kind, **{name: value})


def test_whole_numbers_may_stand_for_names_and_for_decimal_numbers(tmp_path):
    write_images(tmp_path, ["a.png"])
    write_table(tmp_path / "cells.csv", "path,1", "a.png,x")
    assert open_dataset(tmp_path / "cells.csv", label_column=1).classes == ("x",)
    write_table(tmp_path / "experts.csv", "path,expert,label", "a.png,E,x")
    assert len(open_dataset(tmp_path, "experts", agreement=1)) == 1


@pytest.mark.parametrize("name", ["kind", "path"])
def test_what_is_no_option_is_not_taken_for_one(tmp_path, name):
    BUILDERS["folders"](tmp_path)
    with pytest.raises(ManifestError, match=f"has no option {name}"):
        open_dataset(tmp_path, "folders", **{name: "folders"})


def test_a_folder_with_a_table_of_another_name_says_how_to_read_it(tmp_path):
    write_table(tmp_path / "cells.csv", "path,label", "a.png,x")
    with pytest.raises(ManifestError, match=r"holds 'cells.csv': a table .* itself as the path"):
        open_dataset(tmp_path)


@pytest.mark.parametrize("kind", ["hal", "raabin"])
def test_images_beside_the_folders_of_a_kind_are_told(tmp_path, kind):
    number = BUILDERS[kind](tmp_path)
    write_images(tmp_path, ["mine/x/1.png", "mine/x/2.png"])
    manifest = open_dataset(tmp_path, kind)
    assert len(manifest) == number
    told = [note for note in manifest.notes if "that lie elsewhere are not read" in note]
    assert len(told) == 1
    assert "'mine (2)'" in told[0]
