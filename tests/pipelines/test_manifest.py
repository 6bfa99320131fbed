from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import ManifestError
from pipelines.manifest import (
    COLUMNS,
    SPLITS,
    check_manifest,
    make_manifest,
    read_manifest,
    write_manifest,
)
from tests.pipelines.disk import manifest_of, write_image, write_table
from tests.pipelines.untimed import UNTIMED


def table_of(**columns):
    return pd.DataFrame({"path": ["a.png", "b.png"], "label": ["x", "y"], **columns})


def test_fills_missing_columns_and_keeps_further_ones():
    manifest = make_manifest(table_of(stain=["old", None]).set_index([[7, 9]]), "root")
    assert list(manifest.table.columns) == [*COLUMNS, "stain"]
    assert manifest.table.index.tolist() == [0, 1]
    assert manifest.table["slide"].tolist() == ["", ""]
    assert manifest.table["stain"].tolist() == ["old", ""]
    assert manifest.table["experts"].tolist() == [0, 0]
    assert manifest.table["agreement"].isna().all()


def test_does_not_change_the_table_given():
    table = table_of()
    before = table.copy()
    make_manifest(table, "root")
    pd.testing.assert_frame_equal(table, before)


def test_classes_follow_the_study_or_the_order_given():
    table = pd.DataFrame({"path": ["a", "b"], "label": ["hairy_cell", "basophil"]})
    assert make_manifest(table, ".").classes == ("basophil", "hairy_cell")
    manifest = make_manifest(table, ".", ["hairy_cell", "basophil", "blast"])
    assert manifest.classes == ("hairy_cell", "basophil", "blast")
    assert manifest.label_ids.tolist() == [0, 1]
    assert manifest.label_ids.dtype == np.int32


def test_rows_of_a_side_come_in_order():
    manifest = make_manifest(table_of(split=["test", "train"]), "root")
    assert manifest.rows("train").tolist() == [1]
    assert manifest.rows("validation").tolist() == []
    assert manifest.rows("test").dtype == np.int64
    with pytest.raises(ManifestError, match="no split 'dev'"):
        manifest.rows("dev")


def test_paths_are_below_the_root(tmp_path):
    manifest = make_manifest(table_of(), tmp_path)
    assert manifest.path(1) == tmp_path / "b.png"
    assert manifest.paths() == [tmp_path / "a.png", tmp_path / "b.png"]
    assert len(manifest) == 2


def test_with_table_numbers_anew_and_keeps_classes_and_notes():
    manifest = make_manifest(table_of(), "root").with_notes("one").with_notes("two")
    half = manifest.with_table(manifest.table[1:])
    assert half.table.index.tolist() == [0]
    assert half.classes == ("x", "y")
    assert half.notes == ("one", "two")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"path": ["a.png", ""]}, r"there is no path: row 1 \(''\)"),
        ({"path": ["a.png", "a.png"]}, r"in the table twice: row 0 \('a.png'\), row 1"),
        ({"path": ["a\n.png", "b.png"]}, "the path holds a line break"),
        ({"label": ["x", ""]}, "there is no label: row 1"),
        ({"label": ["x", "x "]}, "label begins or ends with a space: row 1"),
        ({"slide": ["", "s\t1"]}, "the slide holds .* control character: row 1"),
        ({"split": ["train", "dev"]}, "the split is none of train, validation, test: row 1"),
        ({"agreement": [0.5, 1.5]}, "agreement is not between 0 and 1: row 1"),
        ({"agreement": ["0.5", "half"]}, "agreement takes numbers from 0 to 1.* row 1 has 'half'"),
        ({"agreement": [0.5, np.inf]}, "infinite"),
        ({"experts": ["1", "1.5"]}, "experts takes whole numbers from 0.* row 1 has '1.5'"),
        ({"experts": [-1, 2]}, "row 0 has -1"),
    ],
)
def test_names_rows_with_values_that_are_not_allowed(columns, message):
    with pytest.raises(ManifestError, match=message):
        make_manifest(table_of().assign(**columns), "root")


def test_tells_all_faults_at_once():
    table = table_of(split=["dev", ""]).assign(label=["", "y"])
    with pytest.raises(ManifestError) as error:
        make_manifest(table, "root")
    assert "there is no label" in str(error.value)
    assert "the split is none of" in str(error.value)


def test_unknown_labels_are_named():
    with pytest.raises(ManifestError, match=r"labels 'y' are not among x: row 1 \('b.png'\)"):
        make_manifest(table_of(), "root", ["x"])


def test_a_missing_column_or_an_empty_table_is_an_error():
    with pytest.raises(ManifestError, match="label is missing among 'path', 'class'"):
        make_manifest(pd.DataFrame({"path": ["a"], "class": ["x"]}), "root")
    with pytest.raises(ManifestError, match="not one image in the table of root"):
        make_manifest(table_of()[:0], "root")


def test_missing_files_are_counted_and_the_first_named(tmp_path):
    manifest = manifest_of(tmp_path, {"x": 6, "y": 1})
    for number in range(5):
        manifest.path(number).unlink()
    with pytest.raises(ManifestError, match=r"5 of 7 files are missing .* row 2 .* and 2 more"):
        check_manifest(manifest)
    check_manifest(manifest, files=False)


def test_a_folder_in_place_of_a_file_is_missing(tmp_path):
    manifest = manifest_of(tmp_path, {"x": 1})
    manifest.path(0).unlink()
    manifest.path(0).mkdir()
    with pytest.raises(ManifestError, match="1 of 1 files are missing"):
        check_manifest(manifest)


def test_an_empty_class_is_an_error_unless_allowed(tmp_path):
    write_image(tmp_path / "a.png")
    file = write_table(tmp_path / "m.csv", "path,label", "a.png,x")
    with pytest.raises(ManifestError, match="no image has the label 'y'"):
        read_manifest(file, classes=["x", "y"])
    assert read_manifest(file, classes=["x", "y"], every_class=False).classes == ("x", "y")


def test_a_leak_is_refused_when_read(tmp_path):
    manifest = manifest_of(tmp_path, {"x": 2}, slide="s1", split=["train", "test"])
    write_manifest(manifest, tmp_path / "m.csv")
    with pytest.raises(ManifestError, match="the same slide is on two sides: 's1'"):
        read_manifest(tmp_path / "m.csv")


def test_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    file = write_table(tmp_path / "m.csv", "old")
    manifest = make_manifest(table_of(), tmp_path)

    def fail(*arguments, **options):
        raise OSError("disk full")

    monkeypatch.setattr(pd.DataFrame, "to_csv", fail)
    with pytest.raises(OSError, match="disk full"):
        write_manifest(manifest, file)
    assert file.read_text() == "old\n"
    assert list(tmp_path.iterdir()) == [file]


def test_rebased_paths_are_found_from_the_files_folder(tmp_path):
    manifest = manifest_of(tmp_path / "cells", {"x": 2})
    write_manifest(manifest, tmp_path / "lists" / "m.csv", rebase=True)
    again = read_manifest(tmp_path / "lists" / "m.csv")
    assert again.table["path"].tolist() == ["../cells/x/0.png", "../cells/x/1.png"]
    write_manifest(manifest, tmp_path / "cells" / "m.csv", rebase=True)
    assert read_manifest(tmp_path / "cells" / "m.csv").table.equals(manifest.table)


def test_absolute_paths_stay_when_a_table_moves(tmp_path):
    for name in ("a.png", "b.png", "dark.png"):
        write_image(tmp_path / "elsewhere" / name)
    elsewhere = str(tmp_path / "elsewhere")
    table = pd.DataFrame(
        {
            "path": [f"{elsewhere}/a.png", "b.png"],
            "label": ["x", "y"],
            "image:dark_field": ["", f"{elsewhere}/dark.png"],
        }
    )
    manifest = make_manifest(table, elsewhere)
    write_manifest(manifest, tmp_path / "lists" / "m.csv", rebase=True)
    again = read_manifest(tmp_path / "lists" / "m.csv")
    assert again.table["path"].tolist() == [f"{elsewhere}/a.png", "../elsewhere/b.png"]
    assert again.table["image:dark_field"].tolist() == ["", f"{elsewhere}/dark.png"]


def test_further_columns_may_hold_line_breaks_of_any_kind(tmp_path):
    remarks = ["one\r\ntwo", "\rthree"]
    manifest = make_manifest(table_of(remark=remarks), tmp_path)
    write_manifest(manifest, tmp_path / "m.csv")
    again = read_manifest(tmp_path / "m.csv", check_files=False)
    assert again.table["remark"].tolist() == remarks


text = st.text(st.characters(exclude_categories=("C", "Z"), include_characters=" "), max_size=8)
name = text.map(str.strip)
row = st.fixed_dictionaries(
    {
        "label": name.filter(bool),
        "source": text,
        "slide": text,
        "patient": text,
        "experts": st.integers(0, 9),
        "agreement": st.floats(0, 1) | st.just(np.nan),
        "split": st.sampled_from((*SPLITS, "")),
        "remark": st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0")),
    }
)


@settings(UNTIMED, max_examples=60)
@given(rows=st.lists(row, min_size=1, max_size=6), names=st.lists(name, min_size=6, unique=True))
def test_reads_back_what_was_written(tmp_path_factory, rows, names):
    table = pd.DataFrame(rows)
    table["path"] = [f"{number}{name}" for number, name in zip(range(len(rows)), names)]
    # No row may leak: the check on reading is tested elsewhere.
    table["slide"] = [f"{slide}{number}" for number, slide in enumerate(table["slide"])]
    table["patient"] = ""
    folder = tmp_path_factory.mktemp("round")
    manifest = make_manifest(table, folder)
    write_manifest(manifest, folder / "m.csv")
    again = read_manifest(folder / "m.csv", check_files=False)
    pd.testing.assert_frame_equal(again.table, manifest.table, check_exact=True)
    assert again.classes == manifest.classes


@pytest.fixture
def packed(tmp_path):
    """A shard of one image of 100 bytes, an archive of three, a field."""
    (tmp_path / "s.tfrecord").write_bytes(bytes(100))
    np.savez_compressed(tmp_path / "a.npz", images=np.zeros((3, 8, 8, 3), np.uint8))
    write_image(tmp_path / "field.png")
    return tmp_path


PARTS = ["s.tfrecord#bytes=40,60", "a.npz#array=images,2", "field.png#xywh=0,0,4,4"]


def test_paths_may_name_parts_of_files(packed):
    table = pd.DataFrame({"path": [*PARTS, "field.png"], "label": list("xyxy")})
    manifest = make_manifest(table, packed)
    check_manifest(manifest)
    folder = packed / "lists"
    folder.mkdir()
    write_manifest(manifest, folder / "m.csv", rebase=True)
    back = read_manifest(folder / "m.csv")
    assert back.table["path"].tolist() == [f"../{p}" for p in (*PARTS, "field.png")]


@pytest.mark.parametrize(
    "path",
    [
        "t.tfrecord#bytes=40,60",
        "s.tfrecord#bytes=40,61",
        "a.npz#array=images,3",
        "a.npz#array=labels,0",
        "s.tfrecord#array=images,0",
        "gone.png#xywh=0,0,4,4",
    ],
)
def test_parts_beyond_their_file_are_missing(packed, path):
    manifest = make_manifest(pd.DataFrame({"path": [*PARTS, path], "label": list("xyxy")}), packed)
    with pytest.raises(ManifestError, match="1 of 4 files are missing") as caught:
        check_manifest(manifest)
    assert path in str(caught.value)


def test_one_item_on_two_sides_is_a_leak(packed):
    images = np.zeros((2, 8, 8, 3), np.uint8)
    np.savez(packed / "b.npz", images=images)
    paths = ["b.npz#array=images,0", "b.npz#array=images,1"]
    table = pd.DataFrame({"path": paths, "label": list("xx"), "split": ["train", "test"]})
    with pytest.raises(ManifestError, match="same file content is on two sides"):
        check_manifest(make_manifest(table, packed))


def test_further_images_of_a_row_are_checked_and_move_along(tmp_path):
    for name in ("a.png", "b.png", "a_dark.png"):
        write_image(tmp_path / name)
    manifest = make_manifest(table_of(**{"image:dark_field": ["a_dark.png", None]}), tmp_path)
    assert manifest.further_images == ("image:dark_field",)
    check_manifest(manifest)
    (tmp_path / "lists").mkdir()
    write_manifest(manifest, tmp_path / "lists" / "m.csv", rebase=True)
    back = read_manifest(tmp_path / "lists" / "m.csv")
    assert back.table["image:dark_field"].tolist() == ["../a_dark.png", ""]
    (tmp_path / "a_dark.png").unlink()
    with pytest.raises(ManifestError, match=r"image:dark_field are missing.*row 0"):
        check_manifest(manifest)


def test_further_images_hold_no_control_characters(tmp_path):
    with pytest.raises(ManifestError, match="image:dark holds a line break"):
        make_manifest(table_of(**{"image:dark": ["a\nb.png", ""]}), tmp_path)
