from __future__ import annotations

import pytest

from pipelines.datasets import open_dataset, recognise
from pipelines.errors import ManifestError
from tests.pipelines.datasets.trees import write_experts, write_experts_data
from tests.pipelines.disk import write_image, write_images, write_table
from tflite.runtime.errors import LabError


def names(manifest):
    return [name.rsplit("/", 1)[-1] for name in manifest.table["path"]]


def test_all_must_agree_unless_told_otherwise(tmp_path):
    write_experts_data(tmp_path)
    assert recognise(tmp_path) == ("experts", "the folder holds an experts.csv")
    manifest = open_dataset(tmp_path)
    assert names(manifest) == ["d.png", "e.png", "a.png", "c.png"]
    assert manifest.table["split"].tolist() == ["test", "test", "train", "train"]
    assert manifest.table["experts"].tolist() == [2, 1, 1, 2]
    assert manifest.table["agreement"].tolist() == [1.0] * 4
    assert "1 of 3 images of the training side do not count: 1 experts disagree." in manifest.notes
    assert "Labels that no image has that counts: monocyte." in manifest.notes


def test_other_rules_for_the_test_side(tmp_path):
    write_experts_data(tmp_path)
    manifest = open_dataset(tmp_path, test_experts=2)
    assert names(manifest) == ["d.png", "a.png", "c.png"]
    assert any("test side do not count: 1 fewer than 2 expert(s)" in n for n in manifest.notes)
    assert names(open_dataset(tmp_path, experts=2, test_experts=1)) == ["d.png", "e.png", "c.png"]
    assert names(open_dataset(tmp_path, experts=2)) == ["d.png", "c.png"]


def test_a_majority_is_enough_if_asked_for(tmp_path):
    write_images(tmp_path, ["x/a.png", "x/b.png"])
    votes = ["x/a.png,E1,blast", "x/a.png,E2,blast", "x/a.png,E3,monocyte", "x/b.png,E1,blast"]
    write_experts(tmp_path, [*votes, "x/b.png,E2,monocyte"])
    with pytest.raises(ManifestError, match=r"No image below .* counts\. 2 of 2 images of"):
        open_dataset(tmp_path)
    table = open_dataset(tmp_path, agreement=0.6).table
    assert table[["path", "label", "experts"]].values.tolist() == [["x/a.png", "blast", 3]]
    assert table["agreement"].tolist() == pytest.approx([2 / 3])
    assert len(open_dataset(tmp_path, agreement=0.5)) == 1


def test_columns_of_the_table_are_kept(tmp_path):
    write_images(tmp_path, ["a.png", "b.png", "c.png"])
    write_table(
        tmp_path / "experts.csv",
        "path;expert;label;slide;split;source",
        "a.png;E1;blast;s1;Val;h1",
        "a.png;E2;blast;s1;Val;h1",
        "b.png;E1;monocyte;s2;test;h2",
    )
    manifest = open_dataset(tmp_path)
    assert manifest.table["slide"].tolist() == ["s1", "s2"]
    assert manifest.table["split"].tolist() == ["validation", "test"]
    assert manifest.table["source"].tolist() == ["h1", "h2"]
    assert "1 image(s) have no vote in experts.csv and are left out." in manifest.notes


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["path,label", "a.png,blast"], r"lacks the column.s. expert"),
        (["path,expert,label"], r"has no line below its first"),
        (["path,expert,label", "a.png,,blast"], r"lines without expert: row 0"),
        (["path,expert,label", "a.png,E1,"], r"lines without label: row 0"),
        (["path,expert,label", "z.png,E1,blast"], r"names 1 file.s. that are not below .*'z.png'"),
        (["path,expert,label", "../a.png,E1,blast"], r"names 1 file.s. that are not below"),
        (
            ["path,expert,label", "a.png,E1,Blast", "a.png,E2,blast"],
            r"several ways: 'Blast', 'blast'",
        ),
        (
            ["path,expert,label,slide", "a.png,E1,blast,s1", "a.png,E2,blast,s2"],
            r"contradicts itself: 'a.png' have several values of slide",
        ),
        (["path,expert,label,split", "a.png,E1,blast,left"], r"the split is none of train"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path, lines, message):
    write_image(tmp_path / "a.png")
    write_table(tmp_path / "experts.csv", *lines)
    with pytest.raises(ManifestError, match=message):
        open_dataset(tmp_path)


@pytest.mark.parametrize(
    "rule", [{"experts": 0}, {"experts": -1}, {"agreement": 0}, {"test_agreement": 1.1}]
)
def test_rules_out_of_range(tmp_path, rule):
    write_experts_data(tmp_path)
    with pytest.raises(LabError, match=r"whole number of experts from 1|fraction above 0 up to 1"):
        open_dataset(tmp_path, **rule)


def test_files_that_differ_by_capitals_and_links(tmp_path):
    data = tmp_path / "data"
    write_experts_data(data)
    write_image(tmp_path / "x.png")
    (data / "train" / "s1" / "x.png").symlink_to(tmp_path / "x.png")
    with pytest.raises(ManifestError, match="leads out of the data set"):
        open_dataset(data)
    (data / "train" / "s1" / "x.png").unlink()
    write_image(data / "train" / "s1" / "A.png")
    with pytest.raises(ManifestError, match="differ by capitals only"):
        open_dataset(data)
