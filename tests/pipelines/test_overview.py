from __future__ import annotations

import pandas as pd

from pipelines.manifest import make_manifest
from pipelines.overview import describe_dataset
from pipelines.quarantine import split_off_unreadable
from pipelines.split import split_manifest
from tests.pipelines.disk import manifest_of


def test_table_of_classes_and_sides(tmp_path):
    manifest = split_manifest(manifest_of(tmp_path, {"hairy_cell": 10, "blast": 5}))
    lines = describe_dataset(manifest).splitlines()
    assert lines[0] == f"15 images of 2 classes in {tmp_path}"
    assert [line.split() for line in lines[2:6]] == [
        ["class", "train", "validation", "all"],
        ["blast", "4", "1", "5"],
        ["hairy_cell", "8", "2", "10"],
        ["all", "12", "3", "15"],
    ]
    assert len({len(line) for line in lines[2:6]}) == 1
    assert "Sources, slides and patients are not known." in lines
    assert "The images were not opened." in lines


def test_sources_with_their_slides(tmp_path):
    manifest = manifest_of(tmp_path, {"x": 4}, source=["a", "a", "b", ""], slide=["1", "2", "", ""])
    lines = [line.split() for line in describe_dataset(manifest).splitlines()]
    assert ["source", "images", "slides", "patients"] in lines
    assert ["a", "2", "2", "?"] in lines
    assert ["b", "1", "?", "?"] in lines
    assert ["(not", "known)", "1", "?", "?"] in lines
    assert ["class", "no", "side", "all"] in lines


def test_unreadable_files_are_named_up_to_ten(tmp_path):
    manifest = manifest_of(tmp_path, {"x": 14})
    for row in range(12):
        manifest.path(row).write_bytes(b"")
    words = describe_dataset(*split_off_unreadable(manifest))
    assert "12 file(s) cannot be read and are left out:" in words
    assert words.count("is empty or no image") == 10
    assert "  and 2 more" in words


def test_all_readable(tmp_path):
    words = describe_dataset(*split_off_unreadable(manifest_of(tmp_path, {"x": 1})))
    assert "Every image can be read." in words


def listed(labels):
    table = pd.DataFrame({"path": [f"{n}.png" for n in range(len(labels))], "label": labels})
    return describe_dataset(make_manifest(table, "nowhere"))


def test_of_many_classes_the_largest_are_listed_and_the_others_counted():
    labels = [f"c{number:05d}" for number in range(10_000)]
    words = listed([*labels, "c09999", "c09999", "c00500"])
    lines = words.splitlines()
    assert len(lines) < 90
    assert [line.split()[0] for line in lines[3:6]] == ["c09999", "c00500", "c00000"]
    assert "The 60 largest classes are listed; 9,940 more have 1 image(s) each." in lines
    assert lines[63].split() == ["all", "10,003", "10,003"]


def test_many_sources_are_counted():
    table = pd.DataFrame({"path": [f"{n}.png" for n in range(100)], "label": "x"})
    manifest = make_manifest(table.assign(source=table["path"]), "nowhere")
    assert "and 40 more sources" in describe_dataset(manifest)


def test_labels_that_cannot_be_told_apart_by_eye_are_shown_as_codes():
    words = listed(["ab", "ab\u200b", "x" * 300])
    assert "ab\\u200b  " in words
    assert "Labels with invisible characters, shown as codes: 'ab\\u200b'." in words
    assert max(len(line) for line in words.splitlines()[:7]) < 100
    assert "invisible" not in listed(["ab", "漢字", "🩸"])


def test_a_single_class_is_told():
    assert "There is a single class" in listed(["x", "x"])
    assert "There is a single class" not in listed(["x", "y"])
