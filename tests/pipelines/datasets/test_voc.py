from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab_models.cli import main
from pipelines.datasets import open_dataset, recognise
from pipelines.errors import ManifestError
from pipelines.voc_file import read_voc
from tests.pipelines.detection import voc_text, write_field, write_text, write_voc
from tflite.runtime.preprocess import decode_image

EDGES = (11, 9, 30, 32)
BARE = {"margin": 0, "square": False}


def _one_field(root, text=None, image="JPEGImages/1.jpg"):
    write_field(root / image)
    return write_text(root / "Annotations" / "1.xml", text or voc_text("1.jpg", [("RBC", EDGES)]))


def test_the_layout_of_bccd(tmp_path):
    number = write_voc(tmp_path)
    assert recognise(tmp_path) == ("voc", "boxes of Pascal VOC in 3 XML file(s) in 'Annotations'")
    table = open_dataset(tmp_path, **BARE).table
    assert len(table) == number
    assert table["label"].tolist() == ["RBC", "WBC", "Platelets"] * 3
    assert table["split"].tolist() == ["train"] * 3 + ["validation"] * 3 + ["test"] * 3
    assert table["annotation"].tolist()[:2] == ["BloodImage_00000:1", "BloodImage_00000:2"]
    assert table["slide"].nunique() == 3


def test_the_first_column_is_1_and_the_last_belongs_to_the_box(tmp_path):
    _one_field(tmp_path, voc_text("1.jpg", [("RBC", (1, 1, 10, 12)), ("RBC", (55, 37, 64, 48))]))
    manifest = open_dataset(tmp_path, **BARE)
    ends = [path.split("=")[1] for path in manifest.table["path"]]
    assert ends == ["0,0,10,12", "54,36,10,12"]
    assert "clipped" not in " ".join(manifest.notes)
    whole = np.asarray(decode_image(tmp_path / "JPEGImages" / "1.jpg"))
    np.testing.assert_array_equal(np.asarray(decode_image(manifest.path(1))), whole[36:, 54:])


def test_tools_that_count_from_0(tmp_path):
    _one_field(tmp_path, voc_text("1.jpg", [("RBC", (0, 0, 9, 11))]))
    table = open_dataset(tmp_path, first_pixel=0, **BARE).table
    assert table["path"].iloc[0].endswith("#xywh=0,0,10,12")
    clipped = open_dataset(tmp_path, **BARE)
    assert clipped.table["path"].iloc[0].endswith("#xywh=0,0,9,11")
    assert "1 box(es) lead over the edge" in " ".join(clipped.notes)


@pytest.mark.parametrize(
    ("lists", "sides"),
    [
        ({"train": "ab", "val": "c", "test": "d"}, ["train", "train", "validation", "test"]),
        ({"trainval": "abc", "test": "d"}, ["train", "train", "train", "test"]),
        ({"trainval": "abc", "val": "c", "test": "d"}, ["train", "train", "validation", "test"]),
        ({"train": "a"}, ["train", "", "", ""]),
        ({}, ["", "", "", ""]),
    ],
)
def test_lists_give_the_split(tmp_path, lists, sides):
    for name in "abcd":
        write_field(tmp_path / "VOC2007" / "JPEGImages" / f"{name}.jpg")
        text = voc_text(f"{name}.jpg", [("RBC", EDGES)])
        write_text(tmp_path / "VOC2007" / "Annotations" / f"{name}.xml", text)
    for side, names in lists.items():
        file = tmp_path / "VOC2007" / "ImageSets" / "Main" / f"{side}.txt"
        write_text(file, "\n".join([*names, "e.jpg", ""]) if side == "train" else "\n".join(names))
    manifest = open_dataset(tmp_path)
    assert manifest.table["split"].tolist() == sides
    notes = " ".join(manifest.notes)
    assert ("1 image(s) of the lists in ImageSets/Main have no annotation" in notes) == (
        "train" in lists
    )
    assert ("3 annotation(s) stand in no list" in notes) == (sides[1:] == [""] * 3 and bool(lists))


def test_an_image_in_two_lists(tmp_path):
    write_voc(tmp_path)
    write_text(tmp_path / "ImageSets" / "Main" / "test.txt", "BloodImage_00000\n")
    with pytest.raises(ManifestError, match=r"stand in several lists of .*'BloodImage_00000'"):
        open_dataset(tmp_path)


@pytest.mark.parametrize("folder", ["", "train", "valid"])
def test_xml_files_beside_their_images(tmp_path, folder):
    write_field(tmp_path / folder / "cell 1.png")
    write_text(tmp_path / folder / "cell 1.xml", voc_text("old name.png", [("RBC", EDGES)]))
    table = open_dataset(tmp_path).table
    assert table["field"].tolist() == [f"{folder}/cell 1.png".lstrip("/")]
    assert table["split"].tolist() == [{"valid": "validation"}.get(folder, folder)]


def test_folders_in_lower_case(tmp_path):
    write_field(tmp_path / "images" / "1.png")
    write_text(tmp_path / "annotations" / "1.xml", voc_text("1.png", [("RBC", EDGES)]))
    assert open_dataset(tmp_path).table["field"].tolist() == ["images/1.png"]


def test_years_of_voc_beside_each_other(tmp_path):
    for year in ("VOC2007", "VOC2012"):
        write_voc(tmp_path / year)
    assert len(open_dataset(tmp_path)) == 18


def _flagged(difficult, truncated):
    flags = f"<truncated>{truncated}</truncated><difficult>{difficult}</difficult>"
    return voc_text("1.jpg", [("RBC", EDGES)], flags=flags).split("<object>")[1].split("</annot")[0]


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({}, ["false false", "false true"]),
        ({"difficult": True}, ["false false", "true false", "false true", "true true"]),
        ({"truncated": False}, ["false false"]),
        ({"difficult": True, "truncated": False}, ["false false", "true false"]),
    ],
)
def test_difficult_and_truncated_objects(tmp_path, options, kept):
    text = voc_text("1.jpg", [])
    objects = "".join(
        "<object>" + _flagged(d, t).replace("<xmin>11", f"<xmin>{1 + 2 * d + 4 * t}")
        for d, t in ((0, 0), (1, 0), (0, 1), (1, 1))
    )
    _one_field(tmp_path, text.replace("</annotation>", objects + "</annotation>"))
    manifest = open_dataset(tmp_path, **options)
    found = manifest.table["difficult"] + " " + manifest.table["truncated"]
    assert found.tolist() == kept
    notes = " ".join(manifest.notes)
    assert ("marked as difficult were left out" in notes) == ("difficult" not in options)
    assert ("marked as truncated were left out" in notes) == ("truncated" in options)


def test_parts_of_an_object_are_no_objects(tmp_path):
    part = "<part><name>nucleus</name><bndbox><xmin>1</xmin></bndbox></part></object>"
    _one_field(tmp_path, voc_text("1.jpg", [("RBC", EDGES)]).replace("</object>", part))
    table = open_dataset(tmp_path, **BARE).table
    assert table["label"].tolist() == ["RBC"]
    assert table["path"].iloc[0].endswith("#xywh=10,8,20,24")


def test_a_size_of_0_is_read_off_the_image(tmp_path):
    _one_field(tmp_path, voc_text("1.jpg", [("RBC", EDGES)], size=(0, 0)))
    assert len(open_dataset(tmp_path)) == 1


BOMB = (
    '<!DOCTYPE annotation [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi"))
    + "]><annotation><filename>&i;</filename></annotation>"
)
OUTSIDE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]><annotation>&a;</annotation>'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB, "declares a document type or entities"),
        (OUTSIDE, "declares a document type or entities"),
        ('<!DOCTYPE annotation SYSTEM "http://localhost/x.dtd"><annotation/>', "document type"),
        ("<annotation><object>", "is no XML: "),
        ("", "is no XML: "),
        ('<?xml version="1.0" encoding="klingon"?><annotation/>', "is no XML: "),
        ("<annotations/>", "begins with <annotations> instead of <annotation>"),
        ("<annotation><object><bndbox/></object></annotation>", "Object 1 (counted from 1)"),
    ],
)
@pytest.mark.parametrize("name", ["0", "2"])  # before and behind a sound one
def test_files_that_cannot_be_used_are_one_line_on_the_command_line(
    tmp_path, capsys, text, message, name
):
    _one_field(tmp_path, voc_text("1.jpg", [("RBC", EDGES)]))
    write_field(tmp_path / "JPEGImages" / f"{name}.jpg")
    write_text(tmp_path / "Annotations" / f"{name}.xml", text)
    assert main(["data", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("edges", "fault"),
    [
        (("a", 9, 30, 32), "is not four finite numbers"),
        (("", 9, 30, 32), "is not four finite numbers"),
        (("inf", 9, 30, 32), "is not four finite numbers"),
        ((30, 9, 11, 32), "has a negative width or height"),
        ((30, 9, 29, 32), "has no width or no height"),
        ((130, 9, 150, 32), "has its centre outside of the image of 64x48 pixels"),
    ],
)
def test_boxes_that_cannot_be_right(tmp_path, edges, fault):
    _one_field(tmp_path, voc_text("1.jpg", [("RBC", EDGES), ("WBC", edges)]))
    with pytest.raises(ManifestError, match=rf"object 2 of 1.xml in JPEGImages/1.jpg .*{fault}"):
        open_dataset(tmp_path)
    assert open_dataset(tmp_path, leave_out_faulty=True).table["label"].tolist() == ["RBC"]


def test_fractions_of_pixels(tmp_path):
    _one_field(tmp_path, voc_text("1.jpg", [("RBC", (10.5, 8.5, 29.5, 31.5))]))
    table = open_dataset(tmp_path, **BARE).table
    assert table["path"].iloc[0].endswith("#xywh=9,7,21,25")


def test_missing_and_doubtful_images(tmp_path):
    _one_field(tmp_path)
    write_text(tmp_path / "Annotations" / "2.xml", voc_text("2.jpg", [("RBC", EDGES)]))
    with pytest.raises(ManifestError, match=r"1 of 2 XML files have no image in .*'2.xml'"):
        open_dataset(tmp_path)
    for name in ("2.jpg", "2.png"):
        write_field(tmp_path / "JPEGImages" / name)
    table = open_dataset(tmp_path).table  # the XML says which
    assert table["field"].tolist() == ["JPEGImages/1.jpg", "JPEGImages/2.jpg"]
    write_text(tmp_path / "Annotations" / "2.xml", voc_text("x.jpg", [("RBC", EDGES)]))
    with pytest.raises(ManifestError, match=r"2.xml may belong to 2.jpg or 2.png"):
        open_dataset(tmp_path)


def test_two_xml_files_for_one_image(tmp_path):
    _one_field(tmp_path)
    write_text(tmp_path / "Annotations" / "copy.xml", voc_text("1.jpg", [("RBC", EDGES)]))
    with pytest.raises(ManifestError, match=r"belong to the same image: 'JPEGImages/1.jpg'"):
        open_dataset(tmp_path)


def test_options_are_checked(tmp_path):
    _one_field(tmp_path)
    with pytest.raises(ManifestError, match="number 1 or 0, got 2"):
        open_dataset(tmp_path, first_pixel=2)
    with pytest.raises(ManifestError, match="holds no annotation of Pascal VOC"):
        open_dataset(tmp_path / "JPEGImages", "voc")


def test_other_xml_files_are_not_taken_for_it(tmp_path):
    write_field(tmp_path / "RBC" / "1.png")
    write_text(tmp_path / "notes.xml", "<notes/>")
    assert recognise(tmp_path)[0] == "folders"


NUMBERS = st.floats(-1e6, 1e6, allow_nan=False)


@given(NUMBERS, NUMBERS, st.integers(1, 500), st.integers(1, 500), st.sampled_from([0, 1]))
def test_a_box_is_as_large_as_the_columns_and_rows_it_names(
    tmp_path_factory, x, y, width, height, first
):
    x, y = round(x), round(y)
    edges = (x, y, x + width - 1, y + height - 1)
    file = tmp_path_factory.getbasetemp() / "box.xml"
    write_text(file, voc_text("1.jpg", [("RBC", edges)]))
    (one,) = read_voc(file, first).objects
    assert one.box == (x - first, y - first, width, height)
