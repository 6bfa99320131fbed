from __future__ import annotations

import math

import numpy as np
import pytest

from pipelines.boxes import Box, CutSettings
from pipelines.errors import ManifestError
from pipelines.fields import DrawnBox, FieldImage, FieldSettings, cut_fields
from pipelines.leaks import check_leaks
from pipelines.split import SplitSettings, split_manifest
from tests.pipelines.detection import write_field
from tflite.runtime.preprocess import decode_image

SIZE = (64, 48)
TIGHT = FieldSettings(CutSettings(margin=0, square=False, smallest=0))


def _field(path, *boxes, size=SIZE, split=""):
    """Boxes are a label and four numbers each."""
    drawn = [DrawnBox(f"box {i}", label, Box(*box)) for i, (label, *box) in enumerate(boxes)]
    return FieldImage(path, size, split, drawn)


def _cut(root, *fields, settings=TIGHT):
    for field in fields:
        if not (root / field.path).exists():
            write_field(root / field.path, SIZE)
    return cut_fields(root, fields, settings, "A box is four numbers.")


def test_the_pixels_of_a_cell_are_those_of_its_box(tmp_path):
    manifest = _cut(tmp_path, _field("a/1.png", ("RBC", 3, 5, 10, 12), ("WBC", 30, 20, 34, 28)))
    whole = np.asarray(decode_image(tmp_path / "a" / "1.png"))
    cells = [np.asarray(decode_image(path)) for path in manifest.paths()]
    np.testing.assert_array_equal(cells[0], whole[5:17, 3:13])
    np.testing.assert_array_equal(cells[1], whole[20:48, 30:64])
    assert manifest.table["path"].tolist() == ["a/1.png#xywh=3,5,10,12", "a/1.png#xywh=30,20,34,28"]
    assert manifest.table["slide"].tolist() == ["a/1.png"] * 2
    assert manifest.table["field"].tolist() == ["a/1.png"] * 2


def test_images_that_no_annotation_names_are_told(tmp_path):
    for name in ("a/2.png", "a/3.jpg", "b/4.png"):
        write_field(tmp_path / name, SIZE)
    (tmp_path / "a" / "notes.txt").write_text("no image")
    fields = [_field("a/1.png", ("RBC", 3, 5, 10, 12)), _field("a/2.png")]
    notes = " ".join(_cut(tmp_path, *fields).notes)
    assert (
        "1 image(s) in the folders of the fields stand in no annotation that was read: '3.jpg'."
        in notes
    )
    assert "stand in no annotation" not in " ".join(
        _cut(tmp_path, *fields, _field("a/3.jpg")).notes
    )


def test_boxes_of_an_image_that_exif_turns_are_taken_from_the_upright_one(tmp_path):
    write_field(tmp_path / "1.jpg", (48, 64), orientation=6)
    manifest = _cut(tmp_path, _field("1.jpg", ("RBC", 3, 5, 60, 40)))
    whole = np.asarray(decode_image(tmp_path / "1.jpg"))
    assert whole.shape[:2] == (48, 64)
    np.testing.assert_array_equal(np.asarray(decode_image(manifest.path(0))), whole[5:45, 3:63])


def test_boxes_drawn_before_exif_turned_the_image_are_refused(tmp_path):
    write_field(tmp_path / "1.jpg", SIZE, orientation=6)
    with pytest.raises(
        ManifestError, match=r"turned by their EXIF .* \(64x48 given, 48x64 upright"
    ):
        _cut(tmp_path, _field("1.jpg", ("RBC", 3, 5, 10, 12)))


@pytest.mark.parametrize(
    ("stored", "given", "orientation"),
    [((64, 48), (64, 48), 3), ((48, 48), (48, 48), 6), ((64, 48), None, 6)],
)
def test_where_the_size_does_not_tell_whether_boxes_were_turned_a_note_does(
    tmp_path, stored, given, orientation
):
    write_field(tmp_path / "1.jpg", stored, orientation)
    manifest = _cut(tmp_path, _field("1.jpg", ("RBC", 3, 5, 10, 12), size=given))
    assert "whether the boxes were drawn on them upright" in " ".join(manifest.notes)


def test_no_such_note_without_doubt(tmp_path):
    write_field(tmp_path / "1.jpg", (48, 64), orientation=6)
    write_field(tmp_path / "2.jpg", SIZE, orientation=1)
    fields = [_field(f"{i}.jpg", ("RBC", 3, 5, 10, 12)) for i in (1, 2)]
    assert "upright" not in " ".join(_cut(tmp_path, *fields).notes)


def test_another_size_than_given_is_refused(tmp_path):
    write_field(tmp_path / "1.png", (60, 48))
    with pytest.raises(ManifestError, match=r"'1\.png \(64x48 given, 60x48 upright\)'"):
        _cut(tmp_path, _field("1.png", ("RBC", 3, 5, 10, 12)))


def test_images_that_are_missing_or_lie_outside(tmp_path):
    write_field(tmp_path / "other.png", SIZE)
    root = tmp_path / "data"
    root.mkdir()
    with pytest.raises(ManifestError, match=r"1 of 1 image\(s\) are missing below .*: 'x\.png'"):
        cut_fields(root, [_field("x.png", ("RBC", 1, 1, 9, 9))], TIGHT, "")
    with pytest.raises(ManifestError, match="leads out of the data set"):
        cut_fields(root, [_field("../other.png", ("RBC", 1, 1, 9, 9))], TIGHT, "")


def test_a_file_that_is_no_image_is_left_to_quarantine_if_its_size_is_known(tmp_path):
    (tmp_path / "1.png").write_text("no image")
    assert len(_cut(tmp_path, _field("1.png", ("RBC", 3, 5, 10, 12)))) == 1
    with pytest.raises(ManifestError, match=r"1\.png is no image that can be read"):
        _cut(tmp_path, _field("1.png", ("RBC", 3, 5, 10, 12), size=None))


FAULTY = [
    ("RBC", math.nan, 5, 10, 12),
    ("RBC", 1, 5, -10, 12),
    ("RBC", 1, 5, 0, 12),
    ("RBC", 70, 5, 10, 12),
]


def test_boxes_that_cannot_be_right_are_refused_by_name(tmp_path):
    field = _field("1.png", ("RBC", 3, 5, 10, 12), *FAULTY)
    with pytest.raises(ManifestError) as caught:
        _cut(tmp_path, field)
    message = str(caught.value)
    for number in range(1, 5):
        assert f"box {number} in 1.png" in message
    assert "box 0" not in message
    assert "(x 70, y 5, width 10, height 12)' has its centre outside" in message
    assert "A box is four numbers." in message
    assert "leave_out_faulty=true" in message


def test_boxes_that_cannot_be_right_can_be_left_out_and_are_named(tmp_path):
    settings = FieldSettings(TIGHT.cut, leave_out_faulty=True)
    manifest = _cut(tmp_path, _field("1.png", ("RBC", 3, 5, 10, 12), *FAULTY), settings=settings)
    assert len(manifest) == 1
    notes = " ".join(manifest.notes)
    for number in range(1, 5):
        assert f"box {number} in 1.png" in notes


def test_boxes_over_the_edge_are_clipped_and_counted(tmp_path):
    manifest = _cut(
        tmp_path,
        _field("1.png", ("RBC", -1, 40, 10, 10), ("RBC", 5, 5, 9, 9), ("RBC", 0, 0, 64, 48)),
    )
    assert manifest.table["path"].iloc[0] == "1.png#xywh=0,40,9,8"
    assert "1 box(es) lead over the edge" in " ".join(manifest.notes)


def test_small_boxes_are_left_out_and_counted_by_what_lies_in_the_image(tmp_path):
    settings = FieldSettings(CutSettings(margin=5, smallest=8))
    boxes = [("RBC", 3, 5, 7.9, 30), ("RBC", -7, 5, 14.5, 14), ("RBC", 20, 20, 8, 8)]
    manifest = _cut(tmp_path, _field("1.png", *boxes), settings=settings)
    assert len(manifest) == 1
    assert "2 box(es) have a side of less than 8 pixels" in " ".join(manifest.notes)


def test_nothing_left_is_an_error_that_says_why(tmp_path):
    settings = FieldSettings(CutSettings(smallest=30))
    with pytest.raises(ManifestError, match=r"No box .* 1 box\(es\) have a side of less than 30"):
        _cut(tmp_path, _field("1.png", ("RBC", 3, 5, 10, 12)), settings=settings)


def test_the_same_cut_out_twice(tmp_path):
    boxes = [
        ("RBC", 3, 5, 10, 12),
        ("RBC", 3.2, 5.2, 9.5, 11.5),
        ("RBC", 20, 20, 10, 10),
        ("WBC", 20, 20, 10, 10),
        ("WBC", 40, 20, 10, 10),
    ]
    manifest = _cut(tmp_path, _field("1.png", *boxes))
    assert manifest.table["path"].tolist() == ["1.png#xywh=3,5,10,12", "1.png#xywh=40,20,10,10"]
    notes = " ".join(manifest.notes)
    assert "1 box(es) give a cut-out of the same class a second time" in notes
    assert "1 cut-out(s) would have several classes" in notes
    assert "box 2 (RBC) and box 3 (WBC) in 1.png" in notes


def test_images_without_a_box_are_counted(tmp_path):
    manifest = _cut(tmp_path, _field("1.png", ("RBC", 3, 5, 10, 12)), _field("2.png"))
    assert "1 of 2 image(s) have no box" in " ".join(manifest.notes)


def _many_fields(names):
    boxes = [("RBC", 3, 5, 10, 12), ("WBC", 20, 20, 10, 10), ("RBC", 40, 20, 10, 10)]
    return [_field(name, *boxes) for name in names]


def test_cells_of_a_field_stay_on_one_side(tmp_path):
    manifest = _cut(tmp_path, *_many_fields(f"{i}.png" for i in range(12)))
    table = split_manifest(manifest, SplitSettings(test=0.3)).table
    assert set(table["split"]) == {"train", "validation", "test"}
    assert (table.groupby("field")["split"].nunique() == 1).all()


def test_names_of_slides_are_found_in_the_names_of_images(tmp_path):
    names = [f"S{slide}_{i}.png" for slide in range(6) for i in range(3)]
    settings = FieldSettings(TIGHT.cut, slide=r"(S\d+)_")
    manifest = _cut(tmp_path, *_many_fields(names), settings=settings)
    assert set(manifest.table["slide"]) == {f"S{slide}" for slide in range(6)}
    assert set(manifest.table["field"]) == set(names)
    assert "Each image counts as a slide" not in " ".join(manifest.notes)
    table = split_manifest(manifest).table
    assert (table.groupby("slide")["split"].nunique() == 1).all()


def test_a_slide_is_all_that_matches_where_there_is_no_group(tmp_path):
    settings = FieldSettings(TIGHT.cut, slide=r"^\w+")
    manifest = _cut(tmp_path, *_many_fields(["S1/a.png"]), settings=settings)
    assert set(manifest.table["slide"]) == {"S1"}


@pytest.mark.parametrize("pattern", [r"(S\d+)_", r"1(x)?"])
def test_an_image_without_a_slide_is_refused(tmp_path, pattern):
    settings = FieldSettings(TIGHT.cut, slide=pattern)
    with pytest.raises(ManifestError, match=r"finds no slide in the path of 1 of 1 images"):
        _cut(tmp_path, *_many_fields(["1.png"]), settings=settings)


def test_settings_are_checked():
    with pytest.raises(ManifestError, match=r"slide must be a regular expression.*\(unterminated"):
        FieldSettings(slide="[")


def test_altered_copies_of_one_image_are_one_slide(tmp_path):
    """Roboflow writes copies with another hash each; on two sides they would be a leak."""
    hashes = ("0a1b2c3d4e5f60718293a4b5c6d7e8f9", "ffffffffffffffffffffffffffffffff")
    names = [f"field_3_png.rf.{one}.png" for one in hashes]
    fields = [
        FieldImage(f"{folder}/{name}", SIZE, side, _many_fields([name])[0].boxes)
        for folder, side, name in zip(("train", "valid"), ("train", "validation"), names)
    ]
    manifest = _cut(tmp_path, *fields)
    assert set(manifest.table["slide"]) == {"field_3"}
    with pytest.raises(ManifestError, match="the same slide is on two sides: 'field_3'"):
        check_leaks(manifest)
