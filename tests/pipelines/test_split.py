from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pipelines.errors import ManifestError
from pipelines.manifest import make_manifest, read_manifest, write_manifest
from pipelines.split import SplitSettings, check_leaks, describe_split, split_manifest
from tests.pipelines.disk import manifest_of, write_image
from tests.pipelines.untimed import UNTIMED


def sides_of(manifest):
    return dict(zip(manifest.table["path"], manifest.table["split"]))


def counts_of(manifest):
    return manifest.table["split"].value_counts().to_dict()


def slides(number, per_slide):
    return [f"s{image // per_slide}" for image in range(number)]


def test_images_are_dealt_in_the_fractions_of_each_class(tmp_path):
    manifest = split_manifest(manifest_of(tmp_path, {"x": 20, "y": 10}), SplitSettings(test=0.3))
    assert counts_of(manifest) == {"train": 15, "test": 9, "validation": 6}
    y = manifest.table[manifest.table["label"] == "y"]
    assert y["split"].value_counts().to_dict() == {"train": 5, "test": 3, "validation": 2}
    assert set(manifest.table["split_by"]) == {"image"}


def test_without_settings_a_fifth_is_for_validation(tmp_path):
    assert counts_of(split_manifest(manifest_of(tmp_path, {"x": 10}))) == {
        "train": 8,
        "validation": 2,
    }


def test_same_seed_same_split_whatever_the_order(tmp_path):
    manifest = manifest_of(tmp_path, {"x": 12, "y": 5})
    mixed = manifest.with_table(manifest.table.sample(frac=1, random_state=4))
    assert sides_of(split_manifest(manifest)) == sides_of(split_manifest(mixed))
    other = split_manifest(manifest, SplitSettings(seed=5))
    assert sides_of(split_manifest(manifest)) != sides_of(other)


@pytest.mark.parametrize("column", ["slide", "patient"])
def test_auto_keeps_known_names_on_one_side(tmp_path, column):
    manifest = manifest_of(tmp_path, {"x": 30}, **{column: slides(30, 3)})
    manifest = split_manifest(manifest)
    assert set(manifest.table["split_by"]) == {column}
    assert manifest.table.groupby(column)["split"].nunique().max() == 1
    assert counts_of(manifest) == {"train": 24, "validation": 6}


def test_auto_prefers_patients_to_slides(tmp_path):
    patients = [f"p{image // 6}" for image in range(30)]
    manifest = split_manifest(
        manifest_of(tmp_path, {"x": 30}, slide=slides(30, 3), patient=patients)
    )
    assert set(manifest.table["split_by"]) == {"patient"}


def test_auto_takes_images_if_there_are_few_slides_and_says_so(tmp_path):
    manifest = split_manifest(manifest_of(tmp_path, {"x": 20}, slide=slides(20, 5)))
    assert set(manifest.table["split_by"]) == {"image"}
    words = describe_split(manifest)
    assert "The slides are known but were not kept on one side" in words
    assert "3 of 4 are on several sides, and the accuracy on new ones may be lower" in words


def test_auto_takes_images_if_slides_cannot_fill_the_sides(tmp_path):
    # Each class is on a slide of its own: whole slides would take one away from training.
    labels = "abcdefghij"
    manifest = manifest_of(
        tmp_path, dict.fromkeys(labels, 4), slide=["s" + name for name in labels for _ in range(4)]
    )
    assert set(split_manifest(manifest).table["split_by"]) == {"image"}
    with pytest.raises(ManifestError, match="no training image of"):
        split_manifest(manifest, SplitSettings(by="slide"))


def test_images_without_a_slide_are_dealt_singly(tmp_path):
    manifest = manifest_of(tmp_path, {"x": 40}, slide=[*slides(30, 3), *[""] * 10])
    manifest = split_manifest(manifest)
    assert counts_of(manifest) == {"train": 32, "validation": 8}
    assert "10 images without a slide were dealt singly" in describe_split(manifest)


def test_asked_for_slides_must_be_known_for_every_image(tmp_path):
    manifest = manifest_of(tmp_path, {"x": 4}, slide=["a", "b", "", "c"])
    with pytest.raises(
        ManifestError, match=r"cannot be split by slide: 1 of 4 have none, row 2 .'x/2.png'"
    ):
        split_manifest(manifest, SplitSettings(by="slide"))


def test_asked_for_images_ignores_slides_and_can_be_read_back(tmp_path):
    manifest = manifest_of(tmp_path, {"x": 30}, slide=slides(30, 3))
    manifest = split_manifest(manifest, SplitSettings(by="image"))
    assert manifest.table.groupby("slide")["split"].nunique().max() == 2
    write_manifest(manifest, tmp_path / "m.csv")
    again = read_manifest(tmp_path / "m.csv")
    assert split_manifest(again).table.equals(manifest.table)


def test_any_column_can_be_kept_on_one_side(tmp_path):
    days = [image // 3 for image in range(30)]
    manifest = split_manifest(manifest_of(tmp_path, {"x": 30}, day=days), SplitSettings(by="day"))
    assert manifest.table.groupby("day")["split"].nunique().max() == 1
    assert counts_of(manifest) == {"train": 24, "validation": 6}
    write_manifest(manifest, tmp_path / "m.csv")
    again = read_manifest(tmp_path / "m.csv")
    assert "whole values of the column day were dealt (10)" in describe_split(again)
    broken = again.table.assign(split=["validation", "train", "train", *again.table["split"][3:]])
    with pytest.raises(ManifestError, match="the same day is on two sides: '0' "):
        check_leaks(again.with_table(broken))


@pytest.mark.parametrize(
    ("day", "message"),
    [
        (["1", "", "2", "3"], "split by day: 1 of 4 have none, row 1"),
        (None, "split by 'day': there is no such column.*: patient, slide, source$"),
    ],
)
def test_a_column_to_split_by_must_be_known(tmp_path, day, message):
    columns = {} if day is None else {"day": day}
    with pytest.raises(ManifestError, match=message.rstrip("$")):
        split_manifest(manifest_of(tmp_path, {"x": 4}, **columns), SplitSettings(by="day"))


def near_duplicates_of(rows, group_size):
    return [f"x/{row - row % group_size}.png" if row < 30 else "" for row in range(rows)]


@pytest.mark.parametrize("by", ["auto", "image", "near_duplicates", "slide"])
def test_known_near_duplicates_stay_together_whatever_the_grouping(tmp_path, by):
    manifest = manifest_of(
        tmp_path, {"x": 60}, slide=slides(60, 2), near_duplicates=near_duplicates_of(60, 3)
    )
    manifest = split_manifest(manifest, SplitSettings(by=by, test=0.2))
    table = manifest.table
    assert table[:30].groupby("near_duplicates")["split"].nunique().max() == 1
    assert set(table["split_by"]) == {"slide" if by in ("auto", "slide") else "near_duplicates"}
    check_leaks(manifest)
    if by == "image":
        assert "30 near duplicates in 10 groups were kept together" in describe_split(manifest)
        assert "were not searched" not in describe_split(manifest)
    broken = table.assign(split=["train", "test", *table["split"][2:]])
    with pytest.raises(ManifestError, match="the same group of near duplicates is on two sides"):
        check_leaks(manifest.with_table(broken), content=False)


def test_near_duplicates_are_searched_when_asked_for(tmp_path):
    manifest = manifest_of(tmp_path, {"x": 10})
    for row in range(1, 5):
        turned = Image.open(manifest.path(0)).transpose(Image.Transpose(row))
        turned.save(manifest.path(row))
    manifest = split_manifest(manifest, SplitSettings(by="near_duplicates", validation=0.4))
    assert manifest.table["split"][:5].nunique() == 1
    assert "5 images in 1 groups" in manifest.notes[0]


def test_a_class_that_cannot_be_on_every_side_is_refused_if_so_set(tmp_path):
    manifest = manifest_of(tmp_path, {"x": 10, "rare_cell": 1})
    with pytest.raises(ManifestError, match=r"dealt by image: rare cell train 1, validation 0\."):
        split_manifest(manifest, SplitSettings(require_every_class=True))
    held = manifest_of(tmp_path / "b", {"x": 9, "y": 2}, slide=[*["a", "b", "c"] * 3, "a", "b"])
    settings = SplitSettings(by="image", test_slides=("c",), require_every_class=True)
    assert counts_of(split_manifest(held, settings))["test"] == 3  # held out as it is


def test_by_source_keeps_sources_whole(tmp_path):
    sources = ["a"] * 20 + ["b"] * 5 + ["c"] * 5
    manifest = manifest_of(tmp_path, {"x": 30}, source=sources)
    manifest = split_manifest(manifest, SplitSettings(by="source", validation=0.2, test=0.2))
    assert manifest.table.groupby("source")["split"].nunique().max() == 1
    assert counts_of(manifest) == {"train": 20, "validation": 5, "test": 5}


@pytest.mark.parametrize(
    ("column", "settings"),
    [
        ("source", SplitSettings(test_sources=("s1",))),
        ("slide", SplitSettings(test_slides=("s1",), minimum_groups=2)),
    ],
)
def test_named_ones_are_held_out_as_a_whole(tmp_path, column, settings):
    manifest = manifest_of(tmp_path, {"x": 30}, **{column: slides(30, 10)})
    manifest = split_manifest(manifest, settings)
    table = manifest.table
    assert set(table[table["split"] == "test"][column]) == {"s1"}
    assert set(table[table[column] == "s1"]["split_by"]) == {"held_out"}
    assert set(table[table[column] != "s1"]["split"]) == {"train", "validation"}
    words = f"Held out as a whole for the test: 10 images of {column} s1."
    assert words in describe_split(manifest)


def test_a_name_to_hold_out_must_exist(tmp_path):
    manifest = manifest_of(tmp_path, {"x": 4}, source="a")
    with pytest.raises(ManifestError, match=r"No image has the source 'b'.* there are: 'a'"):
        split_manifest(manifest, SplitSettings(test_sources=("b",)))
    with pytest.raises(ManifestError, match=r"No image has the slide 'b'.* there are: none"):
        split_manifest(manifest, SplitSettings(test_slides=("b",)))


def test_a_given_split_is_kept(tmp_path):
    given_sides = ["train", "validation"] * 5
    manifest = split_manifest(manifest_of(tmp_path, {"x": 10}, split=given_sides))
    assert manifest.table["split"].tolist() == given_sides
    assert set(manifest.table["split_by"]) == {"given"}
    assert "was kept for train and validation" in describe_split(manifest)


@pytest.mark.parametrize("rest", ["train", ""])
def test_validation_is_carved_out_of_what_is_not_test(tmp_path, rest):
    split = [rest] * 20 + ["test"] * 5
    manifest = split_manifest(manifest_of(tmp_path, {"x": 25}, split=split))
    assert counts_of(manifest) == {"train": 16, "test": 5, "validation": 4}
    assert manifest.table["split"].tolist()[20:] == ["test"] * 5


def test_images_on_no_side_train_if_the_other_sides_are_given(tmp_path):
    split = ["", "", "validation", "test"]
    manifest = split_manifest(manifest_of(tmp_path, {"x": 4}, split=split))
    assert manifest.table["split"].tolist() == ["train", "train", "validation", "test"]


def test_a_given_split_can_be_set_aside(tmp_path):
    manifest = manifest_of(tmp_path, {"x": 10}, split=["train"] + ["test"] * 9)
    manifest = split_manifest(manifest, SplitSettings(keep_given=False))
    assert counts_of(manifest) == {"train": 8, "validation": 2}


def test_given_must_be_there_when_asked_for(tmp_path):
    with pytest.raises(ManifestError, match="No split came with"):
        split_manifest(manifest_of(tmp_path, {"x": 4}), SplitSettings(by="given"))


@pytest.mark.parametrize("column", ["slide", "patient"])
def test_a_given_split_that_leaks_is_refused(tmp_path, column):
    manifest = manifest_of(tmp_path, {"x": 4}, split=["train", "test"] * 2, **{column: "s1"})
    with pytest.raises(ManifestError, match=f"the same {column} is on two sides"):
        split_manifest(manifest, SplitSettings(validation=0))


def test_a_given_split_with_identical_files_is_refused(tmp_path):
    manifest = manifest_of(tmp_path, {"x": 4}, split=["train", "validation"] * 2)
    write_image(manifest.path(0), "twin")
    write_image(manifest.path(1), "twin")
    with pytest.raises(ManifestError, match=r"file content is on two sides.*row 0.*row 1"):
        split_manifest(manifest)


def test_identical_files_stay_together_and_doubtful_labels_are_named(tmp_path):
    manifest = manifest_of(tmp_path, {"x": 10, "y": 10})
    for row in (0, 1, 2, 15):
        write_image(manifest.path(row), "twin")
    manifest = split_manifest(manifest, SplitSettings(validation=0.4))
    assert manifest.table["split"].iloc[[0, 1, 2, 15]].nunique() == 1
    assert "1 image(s) are in the data several times with different labels" in manifest.notes[-1]
    assert "row 15 ('y/5.png')" in describe_split(manifest) or "and 1 more" in manifest.notes[-1]


def test_identical_files_join_slides(tmp_path):
    manifest = manifest_of(tmp_path, {"x": 40}, slide=slides(40, 4))
    for row in (0, 4, 8, 12):
        write_image(manifest.path(row), "twin")
    manifest = split_manifest(manifest)
    assert manifest.table["split"].iloc[:16].nunique() == 1
    check_leaks(manifest)


def test_one_image_a_class_cannot_be_split(tmp_path):
    with pytest.raises(
        ManifestError, match=r"leaves validation without an image. .*class: x 1, y 1\. Add images"
    ):
        split_manifest(manifest_of(tmp_path, {"x": 1, "y": 1}))


def test_one_image_a_class_can_be_trained_on(tmp_path):
    manifest = split_manifest(manifest_of(tmp_path, {"x": 1, "y": 1}), SplitSettings(validation=0))
    assert counts_of(manifest) == {"train": 2}


def test_a_class_with_one_image_is_trained_on_and_named(tmp_path):
    manifest = split_manifest(manifest_of(tmp_path, {"x": 10, "rare_cell": 1}))
    assert sides_of(manifest)["rare_cell/0.png"] == "train"
    assert "not on every side: rare cell train 1, validation 0." in describe_split(manifest)


def test_a_class_that_is_held_out_whole_is_an_error(tmp_path):
    manifest = manifest_of(tmp_path, {"x": 4, "y": 2}, source=["a"] * 4 + ["b"] * 2)
    with pytest.raises(ManifestError, match=r"no training image of 'y'.* other sides: y 2"):
        split_manifest(manifest, SplitSettings(test_sources=("b",)))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"by": "label"}, "by must be one of auto, given, .* got 'label'"),
        ({"validation": 1.0}, "validation must be from 0 to below 1, got 1.0"),
        ({"test": -0.1}, "test must be"),
        ({"validation": 0.6, "test": 0.4}, "must leave something to train on"),
        ({"test_slides": "s1"}, "test_slides must be a list of names, got 's1'"),
        ({"minimum_groups": 1}, "minimum_groups must be at least 2"),
        ({"by": "", "test": 2}, "by must be .*; test must be"),
    ],
)
def test_bad_settings_are_all_named(fields, message):
    with pytest.raises(ManifestError, match=message):
        SplitSettings(**fields)


def test_lists_from_json_become_tuples():
    assert SplitSettings(test_slides=["s1"]).test_slides == ("s1",)  # type: ignore[arg-type]


rows = st.lists(
    st.tuples(st.sampled_from("abcd"), st.integers(0, 15), st.sampled_from(["", "train", "test"])),
    min_size=12,
    max_size=60,
)


@settings(UNTIMED, max_examples=50)
@given(rows=rows, seed=st.integers(0, 5), by=st.sampled_from(["auto", "slide", "image"]))
def test_never_leaks_and_never_loses_an_image(rows, seed, by):
    table = pd.DataFrame(rows, columns=["label", "slide", "split"])
    # A slide has one given side, or none.
    table["split"] = table.groupby("slide")["split"].transform("first")
    table["slide"] = "s" + table["slide"].astype(str)
    table["path"] = [f"{number}.png" for number in range(len(table))]
    manifest = make_manifest(table, "nowhere")  # files that are not there are like no other
    refusal = ""
    try:
        result = split_manifest(manifest, SplitSettings(by=by, test=0.2, seed=seed))
    except ManifestError as error:
        refusal = str(error)
    if refusal:
        given_away = (table["split"] == "test").groupby(table["label"]).all().any()
        assert "without an image" in refusal or "no training image" in refusal
        # Slides may make a split impossible, and so may a test side that takes a whole class;
        # single images never do, as long as there is one for each side.
        assert by == "slide" or given_away or (table["split"] != "test").sum() < 3 * 4
        return
    assert result.table["path"].tolist() == table["path"].tolist()
    assert set(result.table["split"]) == {"train", "validation", "test"}
    assert set(result.table["label"]) == set(result.table.loc[result.rows("train"), "label"])
    check_leaks(result, content=False)
    given_test = np.flatnonzero(table["split"] == "test")
    assert set(given_test) <= set(result.rows("test"))
    if by == "slide":
        assert result.table.groupby("slide")["split"].nunique().max() == 1
    mixed = manifest.with_table(manifest.table.sample(frac=1, random_state=seed))
    again = split_manifest(mixed, SplitSettings(by=by, test=0.2, seed=seed))
    assert sides_of(again) == sides_of(result)
    assert describe_split(again) == describe_split(result)
