from __future__ import annotations

import pandas as pd
import pytest

from pipelines.errors import ManifestError
from pipelines.manifest import make_manifest
from pipelines.side_checks import check_every_class, check_kept_classes, check_sides


def listed(sides, split_by="image"):
    """One image a letter: x: "ttv" are two training images and one of validation."""
    names = {"t": "train", "v": "validation", "e": "test", "-": ""}
    rows = [(label, names[side]) for label, letters in sides.items() for side in letters]
    table = pd.DataFrame(rows, columns=["label", "split"])
    table["path"] = [f"{number}.png" for number in range(len(table))]
    return make_manifest(table.assign(split_by=split_by), "nowhere", list(sides))


def test_a_full_split_is_accepted():
    full = listed({"x": "tve", "y": "tve"})
    check_sides(full, ("train", "validation", "test"))
    check_every_class(full)
    check_kept_classes(full, full, "All")


def test_an_empty_side_is_told_with_the_counts():
    with pytest.raises(ManifestError, match=r"leaves test without an image\. .*: x 2, y 1\."):
        check_sides(listed({"x": "tv", "y": "t"}), ("train", "validation", "test"))
    check_sides(listed({"x": "tv", "y": "t"}), ("train", "validation"))


def test_a_class_without_training_images_is_told_with_the_counts():
    with pytest.raises(ManifestError, match=r"no training image of 'y'; .*: y 2\."):
        check_sides(listed({"x": "tv", "y": "vv"}), ("train", "validation"))


def test_a_class_missing_where_images_were_dealt_is_told_side_by_side():
    with pytest.raises(ManifestError, match=r"1 class\(es\).* by slide: y train 2, validation 0\."):
        check_every_class(listed({"x": "tv", "y": "tt"}, "slide"))


@pytest.mark.parametrize("way", ["given", "held_out"])
def test_sides_that_were_not_dealt_are_what_they_are(way):
    ways = ["image", "image", way, "image", "image"]
    check_every_class(listed({"x": "tve", "y": "tv"}, ways))


def test_a_part_that_lost_a_class_is_told_with_both_counts():
    whole = listed({"x": "ttvv", "y": "tv"})
    part = whole.with_table(whole.table.iloc[:5])
    message = r"^A half would leave .*: y validation 0; all .* there are: y validation 1\. Ask"
    with pytest.raises(ManifestError, match=message):
        check_kept_classes(whole, part, "A half")
