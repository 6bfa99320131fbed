from __future__ import annotations

from pipelines.split import SplitSettings, split_manifest
from pipelines.split_report import class_counts, describe_split
from tests.pipelines.disk import manifest_of


def test_says_that_nothing_is_known_of_slides(tmp_path):
    manifest = split_manifest(manifest_of(tmp_path, {"x": 10}))
    words = describe_split(manifest, SplitSettings(seed=7))
    assert words.startswith("Images: train 8, validation 2. Between train and validation the")
    assert "Neither slides nor patients are known" in words
    assert words.endswith("Seed of the split: 7.")


def test_slides_do_not_promise_patients(tmp_path):
    slides = [f"s{number // 2}" for number in range(20)]
    words = describe_split(split_manifest(manifest_of(tmp_path, {"x": 20}, slide=slides)))
    assert "train 16 of 8 slides, validation 4 of 2 slides" in words
    assert "whole slides were dealt (10), stratified by class: no slide is on two sides" in words
    assert "Patients are not known" in words


def test_three_sides_are_listed(tmp_path):
    manifest = split_manifest(manifest_of(tmp_path, {"x": 10}), SplitSettings(test=0.2))
    assert "Between train, validation and test the images" in describe_split(manifest)


def test_patients_promise_all_there_is(tmp_path):
    patients = [f"p{number // 2}" for number in range(20)]
    words = describe_split(split_manifest(manifest_of(tmp_path, {"x": 20}, patient=patients)))
    assert "no patient is on two sides" in words
    assert "not known" not in words


def test_asked_for_slides_where_patients_are_known(tmp_path):
    names = [str(number // 2) for number in range(20)]
    manifest = manifest_of(tmp_path, {"x": 20}, slide=names, patient="p")
    words = describe_split(split_manifest(manifest, SplitSettings(by="slide")))
    assert "Slides of one patient may be on different sides." in words


def test_a_manifest_that_is_not_split(tmp_path):
    manifest = manifest_of(tmp_path, {"x": 2})
    assert describe_split(manifest) == "The images are not split yet."
    half = manifest.with_table(manifest.table.assign(split=["train", ""]))
    assert "1 images are on no side" in describe_split(half)


def test_notes_are_told(tmp_path):
    manifest = split_manifest(manifest_of(tmp_path, {"x": 5}).with_notes("Three were left out."))
    assert "Three were left out." in describe_split(manifest)


def test_counts_hold_every_class_and_side(tmp_path):
    manifest = manifest_of(tmp_path, {"b": 2, "a": 1}, split=["train", "test", ""])
    counts = class_counts(manifest)
    assert counts.index.tolist() == ["a", "b"]
    assert counts.columns.tolist() == ["train", "validation", "test", ""]
    assert counts.to_numpy().tolist() == [[0, 0, 0, 1], [1, 0, 1, 0]]


def test_another_column_does_not_promise_slides(tmp_path):
    days = [str(number // 4) for number in range(20)]
    slides = ["torn" if number in (0, 19) else f"s{number // 4}" for number in range(20)]
    manifest = manifest_of(tmp_path, {"x": 20}, day=days, slide=slides)
    split = ["train"] * 4 + ["test"] * 16
    torn = manifest.with_table(manifest.table.assign(split=split, split_by="day"))
    words = describe_split(torn)
    assert "whole values of the column day were dealt (5)" in words
    assert "Of the slides 1 of 6 are on several sides." in words
    whole = torn.with_table(torn.table.assign(slide=days))
    assert "Of the slides none is on several sides." in describe_split(whole)


def test_the_search_for_near_duplicates_is_told(tmp_path):
    manifest = manifest_of(tmp_path, {"x": 10}, near_duplicates=["a", "a", *[""] * 8])
    words = describe_split(split_manifest(manifest))
    assert "files of identical content and near duplicates were kept together" in words
    assert "2 near duplicates in 1 groups" in words
    none = manifest.with_table(manifest.table.assign(near_duplicates=""))
    assert "searched; there are none" in describe_split(split_manifest(none))
