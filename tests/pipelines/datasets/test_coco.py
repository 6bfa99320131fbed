from __future__ import annotations

import json
import math
import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lab_models.cli import main
from pipelines.coco_file import read_coco
from pipelines.datasets import open_dataset, recognise
from pipelines.errors import ManifestError
from pipelines.manifest import read_manifest
from pipelines.quarantine import find_unreadable
from tests.pipelines.detection import coco_content, write_coco, write_field, write_json
from tflite.runtime.preprocess import decode_image

BOX = (10, 8, 20, 24)


def _one_field(root, file="annotations.json", image="1.png", boxes=(("RBC", BOX),), **changes):
    """One field beside its JSON, of which top-level keys are changed."""
    write_field(root / image)
    content = coco_content({image: boxes}) | changes
    return write_json(root / file, content)


def test_the_layout_of_coco(tmp_path):
    number = write_coco(tmp_path)
    kind, reason = recognise(tmp_path)
    assert kind == "coco"
    assert "'annotations/instances_train2017.json'" in reason
    table = open_dataset(tmp_path, margin=0, square=False).table
    assert len(table) == number
    assert table["path"].iloc[0] == "train2017/1.png#xywh=4,6,10,12"
    assert table["path"].iloc[1] == "train2017/1.png#xywh=30,20,21,17"
    assert table["label"].tolist() == ["RBC", "WBC"] * 3
    assert table["split"].tolist() == ["train"] * 4 + ["validation"] * 2
    assert table["annotation"].tolist() == ["1", "2", "3", "4", "1", "2"]
    assert table["slide"].nunique() == 3


@pytest.mark.parametrize("images", ["", "images/"])
def test_images_in_folders_of_their_side(tmp_path, images):
    for side in ("train", "val"):  # the same names in both
        write_field(tmp_path / f"{images}{side}" / "1.png")
        write_json(
            tmp_path / "annotations" / f"{side}.json", coco_content({"1.png": [("RBC", BOX)]})
        )
    table = open_dataset(tmp_path, margin=0, square=False).table
    assert table["field"].tolist() == [f"{images}train/1.png", f"{images}val/1.png"]
    assert table["split"].tolist() == ["train", "validation"]


def test_the_layout_of_roboflow(tmp_path):
    for side in ("train", "valid", "test"):
        image = f"{side}_1_jpg.rf.0123456789abcdef0123456789abcdef.jpg"
        write_field(tmp_path / side / image)
        content = coco_content({image: [("Platelets", BOX)]}, categories=("Cells", "Platelets"))
        write_json(tmp_path / side / "_annotations.coco.json", content)
    manifest = open_dataset(tmp_path)
    sides = manifest.table.set_index("slide")["split"].to_dict()
    assert sides == {"train_1": "train", "valid_1": "validation", "test_1": "test"}
    assert manifest.classes == ("Platelets",)
    assert "Categories without a cell: Cells." in manifest.notes


@pytest.mark.parametrize(
    ("file", "image"),
    [
        ("annotations/instances_default.json", "images/1.png"),
        ("result.json", "images/1.png"),
        ("labels.json", "data/1.png"),
        ("cells.json", "1.png"),
    ],
)
def test_layouts_of_other_tools(tmp_path, file, image):
    write_field(tmp_path / image)
    write_json(tmp_path / file, coco_content({"1.png": [("RBC", BOX)]}))
    assert open_dataset(tmp_path).table["field"].tolist() == [image]
    assert open_dataset(tmp_path / file).table["field"].tolist() == ["1.png"]


def test_names_with_folders_and_backslashes(tmp_path):
    write_field(tmp_path / "images" / "val" / "1.png")
    write_json(tmp_path / "result.json", coco_content({"images\\val\\1.png": [("RBC", BOX)]}))
    table = open_dataset(tmp_path).table
    assert table["field"].tolist() == ["images/val/1.png"]


def test_the_side_is_read_from_the_folder_in_the_name_of_an_image(tmp_path):
    for side in ("train", "val"):
        write_field(tmp_path / "images" / side / "1.png")
    boxes = {f"{side}/1.png": [("RBC", BOX)] for side in ("train", "val")}
    write_json(tmp_path / "annotations" / "instances_default.json", coco_content(boxes))
    assert open_dataset(tmp_path).table["split"].tolist() == ["train", "validation"]


def test_the_folder_of_the_images_can_be_named(tmp_path):
    write_field(tmp_path / "elsewhere" / "1.png")
    file = write_json(tmp_path / "data" / "a.json", coco_content({"1.png": [("RBC", BOX)]}))
    with pytest.raises(ManifestError, match=r"such as '1.png', are in none of .*option images"):
        open_dataset(file)
    manifest = open_dataset(file, images=str(tmp_path / "elsewhere"))
    assert manifest.root == tmp_path / "elsewhere"
    assert decode_image(manifest.path(0)).size == (29, 29)


@pytest.mark.parametrize("folder", ["test", "blood test"])
def test_the_name_of_the_folder_that_is_read_says_nothing(tmp_path, folder):
    file = _one_field(tmp_path / folder)
    assert open_dataset(tmp_path / folder).table["split"].tolist() == [""]
    assert open_dataset(file).table["split"].tolist() == [""]


def test_a_side_without_images(tmp_path):
    write_coco(tmp_path)
    write_json(tmp_path / "annotations" / "instances_test2017.json", coco_content({}))
    assert len(open_dataset(tmp_path)) == 6


def test_broken_files_are_not_passed_over_by_their_name(tmp_path):
    write_coco(tmp_path)
    (tmp_path / "annotations" / "instances_val2017.json").write_text("")
    with pytest.raises(ManifestError, match=r"instances_val2017.json is no JSON"):
        open_dataset(tmp_path)


def test_other_annotations_of_coco_are_not_read_and_named(tmp_path):
    write_coco(tmp_path)
    write_json(tmp_path / "annotations" / "captions_train2017.json", {"images": [{}]})
    manifest = open_dataset(tmp_path)
    assert "JSON files that were not read: 'captions_train2017.json'." in manifest.notes


def test_crowds_are_left_out_and_counted(tmp_path):
    content = coco_content({"1.png": [("RBC", BOX), ("RBC", (0, 0, 64, 48))]})
    content["annotations"][1] |= {"iscrowd": 1, "segmentation": {"counts": [1], "size": [48, 64]}}
    write_field(tmp_path / "1.png")
    write_json(tmp_path / "a.json", content)
    manifest = open_dataset(tmp_path)
    assert len(manifest) == 1
    assert "1 box(es) around crowds were left out." in manifest.notes


def test_margin_and_shape_are_options(tmp_path):
    file = _one_field(tmp_path)
    ends = [
        open_dataset(file, margin=margin, square=square).table["path"].iloc[0].split("=")[1]
        for margin, square in ((0, False), (0.25, False), (0, True), (0.25, True))
    ]
    assert ends == ["10,8,20,24", "5,2,30,36", "8,8,24,24", "2,2,36,36"]


def test_words_of_the_category_are_mapped_onto_classes(tmp_path):
    write_coco(tmp_path)
    manifest = open_dataset(tmp_path, classes="erythrocyte,leukocyte")
    assert set(manifest.table["label"]) == {"erythrocyte", "leukocyte"}


def _change(content, part, index, **values):
    content[part][index] = content[part][index] | values
    return content


def _content():
    return coco_content({"1.png": [("RBC", BOX), ("WBC", BOX)], "2.png": []})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            _change(_content(), "annotations", 1, image_id=7),
            r"'annotation 2 \(7\)' has an image_id",
        ),
        (
            _change(_content(), "annotations", 1, image_id=[1]),
            r"'annotation 2 \(\[1\]\)' has an im",
        ),
        (
            _change(_content(), "annotations", 1, category_id=9),
            r"annotation 2 \(9\)' has a category",
        ),
        (_change(_content(), "annotations", 1, category_id=None), "2 .None.' has a category_id"),
        (
            _change(_content(), "annotations", 1, id=1),
            r"'annotation 1' has an id that stands twice",
        ),
        (_change(_content(), "annotations", 1, id=None), r"annotation None' has an id that is nei"),
        (_change(_content(), "images", 1, id=1), r"'image 1' has an id that stands twice"),
        (_change(_content(), "categories", 1, id=1), r"'category 1' has an id that stands twice"),
        (_change(_content(), "categories", 1, name=" "), r"'category 2' has no name"),
        (_change(_content(), "images", 1, file_name=3), r"'image 2' has no file_name"),
        (_change(_content(), "images", 1, width=-3), r"'image 2' has a width or height that is no"),
        (_change(_content(), "images", 1, height=4.5), r"'image 2' has a width or height that is"),
        (_change(_content(), "images", 1, id=True), r"'image number 2' .* has no id"),
        (_content() | {"images": [5]}, r"'image number 1' \(counted from 1\) has no id"),
        (_content() | {"annotations": [[]]}, r"'annotation number 1' .* is no object"),
        (_content() | {"annotations": {}}, r"it has no list annotations"),
        ({"images": []}, r"it has no list annotations, categories; expected images, annotations"),
        ([], r"it has no list images, annotations, categories"),
    ],
)
def test_what_does_not_fit_together_is_named(tmp_path, content, message):
    file = write_json(tmp_path / "a.json", content)
    with pytest.raises(ManifestError, match=message):
        open_dataset(file, "coco")


@pytest.mark.parametrize(
    ("box", "fault"),
    [
        ([1, 2, 3], "is not four finite numbers"),
        (None, "is not four finite numbers"),
        ([1, 2, "3", 4], "is not four finite numbers"),
        ([1, 2, True, 4], "is not four finite numbers"),
        ([1, 2, math.nan, 4], "is not four finite numbers"),
        ([1, 2, 10**400, 4], "is not four finite numbers"),
        ([1, 2, -3, 4], "negative width or height"),
        ([1, 2, 0, 4], "no width or no height"),
        ([50, 40, 60, 47], "centre outside of the image of 64x48 pixels"),
    ],
)
def test_boxes_that_cannot_be_right_are_named(tmp_path, box, fault):
    file = _one_field(tmp_path, boxes=[("RBC", BOX), ("WBC", BOX)])
    content = json.loads(file.read_text())
    content["annotations"][1]["bbox"] = box
    write_json(file, content)
    with pytest.raises(ManifestError, match=rf"annotation 2 in 1\.png .*{fault}.* not two corners"):
        open_dataset(file)
    content["annotations"][1].pop("id")
    write_json(file, content)
    with pytest.raises(ManifestError, match=r"annotation number 2 in 1\.png"):
        open_dataset(file)
    assert len(open_dataset(file, leave_out_faulty=True)) == 1


def test_an_image_that_stands_twice(tmp_path):
    content = coco_content({"1.png": [("RBC", BOX)], "./1.png": [("WBC", BOX)]})
    write_field(tmp_path / "1.png")
    file = write_json(tmp_path / "a.json", content)
    with pytest.raises(ManifestError, match=r"1 image\(s\) stand twice: '1.png in .*a.json and"):
        open_dataset(file)
    file.unlink()
    for name in ("train.json", "all.json"):
        write_json(tmp_path / name, coco_content({"1.png": [("RBC", BOX)]}))
    with pytest.raises(ManifestError, match=r"1.png in .*all.json and .*train.json"):
        open_dataset(tmp_path)


@pytest.mark.parametrize("name", ["gone.png", "a" * 5000, "a\0b.png", "\ud800.png", "folder/", "."])
def test_missing_images_are_named(tmp_path, capsys, name):
    file = _one_field(tmp_path)
    write_json(file, coco_content({"1.png": [("RBC", BOX)], name: [("RBC", BOX)]}))
    assert main(["data", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert re.match(r"error: 1 of 2 image\(s\) are missing below .*: '", error)
    write_json(file, coco_content({name: [("RBC", BOX)]}))
    with pytest.raises(ManifestError, match="option images"):
        open_dataset(tmp_path)


def test_names_that_lead_out(tmp_path):
    write_field(tmp_path / "other.png")
    write_field(tmp_path / "data" / "1.png")
    content = coco_content({"1.png": [("RBC", BOX)], "../other.png": [("RBC", BOX)]})
    write_json(tmp_path / "data" / "a.json", content)
    with pytest.raises(ManifestError, match="leads out of the data set"):
        open_dataset(tmp_path / "data")


def test_a_size_that_is_not_given_is_read_off_the_image(tmp_path):
    file = _one_field(tmp_path)
    content = json.loads(file.read_text())
    for change in ({"width": 0, "height": 0}, {"width": None, "height": None}):
        content["images"][0] |= change
        write_json(file, content)
        assert len(open_dataset(file)) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b'{"images": [', "is no JSON, or is cut off"),
        (b'{"images": [' + b"[" * 100_000, "nested too deeply"),
        (b'{"images": [{"id": ' + b"1" * 5000 + b"}]}", "is no JSON"),
        (b'{"images": ["\xff"]}', "is not UTF-8 text"),
        (b"", "is no JSON"),
    ],
)
def test_broken_files_are_one_line_on_the_command_line(tmp_path, capsys, text, message):
    file = tmp_path / "a.json"
    file.write_bytes(text)
    assert main(["data", str(file), "--kind", "coco"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert error.count("\n") == 1


def test_a_byte_order_mark_and_other_json_files(tmp_path):
    file = _one_field(tmp_path)
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    write_json(tmp_path / "settings.json", {"colour": "red"})
    assert recognise(tmp_path)[1] == "boxes of COCO in 'annotations.json'"
    assert len(open_dataset(tmp_path)) == 1
    assert recognise(file)[0] == "coco"


def test_files_that_would_fill_the_memory_are_refused_unread(tmp_path, monkeypatch):
    monkeypatch.setattr("pipelines.coco_file.MOST_BYTES", 100)
    with pytest.raises(ManifestError, match="has more than"):
        open_dataset(_one_field(tmp_path))


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ManifestError, match=r"cannot be read: No such file"):
        read_coco(tmp_path / "a.json")
    with pytest.raises(ManifestError, match=r"holds no JSON of COCO object detection"):
        open_dataset(tmp_path, "coco")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["id", "file_name", "image_id", "category_id", "bbox", "width", "name"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(st.fixed_dictionaries({k: st.lists(JSON) for k in ("images", "annotations", "categories")}))
def test_any_json_is_read_or_refused(tmp_path, content):
    file = write_json(tmp_path / "a.json", content)
    try:
        read = read_coco(file)
    except ManifestError:
        return
    assert len(read.images) == len(content["images"])
    assert {one.image for one in read.annotations} <= set(read.images)
    assert {one.category for one in read.annotations} <= set(read.categories)


def test_a_written_manifest_names_the_same_cells(tmp_path, capsys):
    write_coco(tmp_path / "data")
    file = tmp_path / "cells.csv"
    words = ["--option", "margin=0.2", "--option", r"slide=(\d)\.png", "--write", str(file)]
    assert main(["data", str(tmp_path / "data"), *words]) == 0
    assert "validation" in capsys.readouterr().out
    given = open_dataset(tmp_path / "data", margin=0.2, slide=r"(\d)\.png")
    again = read_manifest(file)
    assert again.table["slide"].tolist() == list("112233")
    for one, other in zip(given.paths(), again.paths(), strict=True):
        assert decode_image(one).tobytes() == decode_image(other).tobytes()


def test_a_field_that_cannot_be_decoded_is_told_for_each_of_its_cells(tmp_path):
    write_coco(tmp_path)
    damaged = tmp_path / "train2017" / "2.png"
    damaged.write_bytes(damaged.read_bytes()[:2000])
    unreadable = find_unreadable(open_dataset(tmp_path))
    assert unreadable.index.tolist() == [2, 3]
    assert unreadable["reason"].str.contains("2.png").all()


def test_cells_decode_to_the_pixels_of_their_box(tmp_path):
    file = _one_field(tmp_path, boxes=[("RBC", (10, 8, 20, 20))])
    manifest = open_dataset(file, margin=0)
    whole = np.asarray(decode_image(tmp_path / "1.png"))
    np.testing.assert_array_equal(np.asarray(decode_image(manifest.path(0))), whole[8:28, 10:30])
