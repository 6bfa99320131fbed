from __future__ import annotations

import pytest

from pipelines.errors import ManifestError
from pipelines.leaks import check_leaks
from tests.pipelines.disk import manifest_of, write_image

SIDES = ["train", "train", "test", "test"]


@pytest.mark.parametrize("column", ["slide", "patient"])
def test_a_name_on_two_sides_is_a_leak(tmp_path, column):
    manifest = manifest_of(tmp_path, {"x": 4}, split=SIDES, **{column: ["a", "b", "b", "c"]})
    with pytest.raises(
        ManifestError, match=rf"same {column} is on two sides: 'b' \(2 rows; test: row 2 .*row 1"
    ):
        check_leaks(manifest)


def test_rows_without_a_name_or_a_side_are_no_leak(tmp_path):
    manifest = manifest_of(
        tmp_path, {"x": 4}, split=["train", "", "test", ""], slide=["", "a", "", "a"]
    )
    check_leaks(manifest)


def test_identical_files_on_two_sides_are_a_leak(tmp_path):
    manifest = manifest_of(tmp_path, {"x": 4}, split=SIDES)
    for number in (0, 1, 3):
        write_image(manifest.path(number), "twin")
    with pytest.raises(ManifestError, match=r"same file content is on two sides: .3 rows; test"):
        check_leaks(manifest)
    check_leaks(manifest, content=False)


def test_identical_files_on_one_side_are_none(tmp_path):
    manifest = manifest_of(tmp_path, {"x": 4}, split=SIDES)
    write_image(manifest.path(0), "twin")
    write_image(manifest.path(1), "twin")
    check_leaks(manifest)


@pytest.mark.parametrize(
    ("split_by", "column", "refused"),
    [
        ("image", "slide", False),
        ("image", "patient", False),
        ("slide", "patient", False),
        ("slide", "slide", True),
        ("patient", "patient", True),
        ("given", "slide", True),
        ("source", "slide", True),
    ],
)
def test_what_was_not_kept_together_on_purpose_is_no_leak(tmp_path, split_by, column, refused):
    manifest = manifest_of(tmp_path, {"x": 4}, split=SIDES, split_by=split_by, **{column: "a"})
    if refused:
        with pytest.raises(ManifestError, match=f"the same {column} is on two sides"):
            check_leaks(manifest)
    else:
        check_leaks(manifest)


def test_a_given_side_is_not_excused_by_images_dealt_singly(tmp_path):
    manifest = manifest_of(
        tmp_path, {"x": 4}, split=SIDES, slide="a", split_by=["image", "image", "given", "given"]
    )
    with pytest.raises(ManifestError, match="same slide"):
        check_leaks(manifest)


def test_many_leaks_are_counted(tmp_path):
    manifest = manifest_of(
        tmp_path,
        {"x": 10},
        split=["train", "test"] * 5,
        slide=[f"s{number // 2}" for number in range(10)],
    )
    with pytest.raises(ManifestError, match="and 2 more"):
        check_leaks(manifest)


@pytest.mark.parametrize("way", ["image", "slide", "near_duplicates", "given"])
def test_known_near_duplicates_on_two_sides_leak_whatever_the_way(tmp_path, way):
    twins = ["", "x/1.png", "x/1.png", ""]
    manifest = manifest_of(tmp_path, {"x": 4}, split=SIDES, split_by=way, near_duplicates=twins)
    message = (
        r"same group of near duplicates is on two sides: 'x/1.png' \(2 rows; .*split the images"
    )
    with pytest.raises(ManifestError, match=message):
        check_leaks(manifest)


def test_a_column_that_images_were_dealt_by_must_be_whole(tmp_path):
    columns = {"day": [1, 2, 2, 3], "split_by": "day"}
    manifest = manifest_of(tmp_path, {"x": 4}, split=SIDES, **columns)
    with pytest.raises(ManifestError, match=r"same day is on two sides: '2' .*keep each day"):
        check_leaks(manifest)
    given = manifest.with_table(manifest.table.assign(split_by=["day", "day", "given", "given"]))
    check_leaks(given)  # those that came with their side were not dealt by day
