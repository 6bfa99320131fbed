from __future__ import annotations

import pandas as pd

from pipelines.folds import FoldSettings, make_folds
from pipelines.fractions import choose_fraction
from pipelines.manifest import make_manifest
from pipelines.split import SplitSettings, split_manifest
from pipelines.split_report import class_counts, describe_split
from pipelines.subsets import SubsetSettings, choose_subset
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
    assert "no slide is on two sides" in words
    assert (
        "Of the patients 1 of 1 are on several sides, so the accuracy on new ones may be" in words
    )


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
    assert "Of the slides 1 of 6 are on several sides, so the accuracy on new ones may" in words
    whole = torn.with_table(torn.table.assign(slide=days))
    assert "Of the slides none is on several sides." in describe_split(whole)


def test_the_search_for_near_duplicates_is_told(tmp_path):
    manifest = manifest_of(tmp_path, {"x": 10}, near_duplicates=["a", "a", *[""] * 8])
    words = describe_split(split_manifest(manifest))
    assert "files of identical content and near duplicates were kept together" in words
    assert "2 near duplicates in 1 groups" in words
    none = manifest.with_table(manifest.table.assign(near_duplicates=""))
    assert "searched; there are none" in describe_split(split_manifest(none))


def listed(**columns):
    paths = [f"{number}.png" for number in range(len(columns["split"]))]
    table = pd.DataFrame({"path": paths, "label": "x", **columns})
    return make_manifest(table, "nowhere")


def test_a_slide_that_is_held_out_does_not_promise_its_source(tmp_path):
    slides = [f"s{number % 6}" for number in range(30)]
    sources = ["A" if slide in ("s0", "s1", "s2") else "B" for slide in slides]
    manifest = manifest_of(tmp_path, {"x": 30}, slide=slides, source=sources)
    one = describe_split(split_manifest(manifest, SplitSettings(test_slides=("s0",))))
    assert "Held out as a whole for the test: 5 images of slide s0." in one
    assert "1 of 2 sources are on several sides: nothing is said about images of another" in one
    both = SplitSettings(test_slides=("s3", "s4"), test_sources=("A",), minimum_groups=2)
    words = describe_split(split_manifest(manifest, both))
    assert "25 images of source A and of slides s3, s4." in words


def test_a_given_split_is_its_authors_and_is_counted():
    sides = ["train", "train", "test", "test"]
    words = describe_split(listed(slide=["a", "b", "b", "c"], split=sides))
    assert "was kept for train and test; what it promises is for its authors to say." in words
    assert "Of the slides 1 of 3 are on several sides" in words
    assert "Near duplicates were not searched." in words
    whole = describe_split(listed(slide=["a", "b", "c", "c"], patient=["p"] * 4, split=sides))
    assert "Of the slides none is on several sides." in whole
    assert "Of the patients 1 of 1 are on several sides" in whole


def test_names_that_some_images_lack_promise_nothing_about_these():
    sides = ["train", "train", "test", "test", ""]
    words = describe_split(listed(slide=["a", "", "c", "", ""], split=sides))
    assert "2 images have no slide, so they may be of one with images on another side." in words
    both = describe_split(listed(slide=["a", "", "c", "", ""], patient=["", "p", "q", "", ""],
                                 split=sides))  # fmt: skip
    assert "1 images have neither patient nor slide" in both


def test_what_was_dealt_is_counted_again_and_not_believed():
    sides = ["train", "train", "test", "test"]
    dealt = {"split": sides, "split_by": "slide"}
    words = describe_split(listed(slide=["a", "b", "b", "c"], **dealt))
    assert "whole slides were dealt (3), stratified by class: but 1 of them are on several" in words
    assert "no slide is on two sides" not in words


def test_every_way_of_dealing_is_told():
    ways = {"split": ["train", "validation", "test"], "split_by": ["slide", "slide", "image"]}
    words = describe_split(listed(slide=["a", "b", "a"], **ways))
    assert "Between train and validation whole slides were dealt (2)" in words
    assert "Between test the images were dealt singly" in words
    assert "1 of 2 are on several sides, and the accuracy on new ones may be lower" in words


def test_whole_sources_say_what_they_leave_open():
    sides = ["train", "train", "test", "test"]
    words = describe_split(listed(source=["a", "a", "b", "b"], split=sides, split_by="source"))
    assert "whole sources were dealt (2), stratified by class: no source is on two sides" in words
    assert "only a slide or patient of two sources can be on both" in words
    one = describe_split(listed(source=["a"] * 4, split=sides, split_by="image"))
    assert "The one source is on several sides: nothing is said about images of another" in one


def test_near_duplicates_on_two_sides_are_not_said_to_be_together():
    sides = ["train", "train", "test", "test"]
    words = describe_split(listed(near_duplicates=["g", "", "g", ""], split=sides))
    assert "2 near duplicates in 1 groups; 1 of the groups are on several sides;" in words
    assert "kept together" not in words


def test_folds_of_a_subset_do_not_promise_that_every_image_is_tested(tmp_path):
    slides = [f"s{number % 10}" for number in range(60)]
    manifest = manifest_of(tmp_path, {"x": 30, "y": 30}, slide=slides)
    fold = make_folds(manifest, FoldSettings(folds=3, by="slide"))[0]
    assert "every image is tested exactly once" in describe_split(fold)
    part = choose_subset(fold, "few", SubsetSettings(sizes=(("few", 20),)))
    words = describe_split(part)
    assert "over all folds no image is tested more than once" in words
    fewer = describe_split(choose_fraction(fold, 0.5, by="slide"))
    assert "every image is tested exactly once" in fewer
    assert "of the slides (1 is all) were kept as a whole" in fewer
