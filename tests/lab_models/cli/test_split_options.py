from __future__ import annotations

import pytest

from lab_models.cli import main
from pipelines.manifest import read_manifest
from tests.pipelines.disk import manifest_of


def sides(file):
    return read_manifest(file).table["split"].value_counts().to_dict()


@pytest.fixture
def images(tmp_path):
    manifest_of(tmp_path / "images", {"x": 40, "y": 20})
    return str(tmp_path / "images")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("--split-by image", {"train": 48, "validation": 12}),
        ("--split image --validation 0.5", {"train": 30, "validation": 30}),
        ("--test 0.25 --validation 0.25", {"train": 30, "validation": 15, "test": 15}),
        ("--folds 3 --fold 2 --validation 0", {"train": 40, "test": 20}),
        ("--subset a --subset-sizes a=20,b=40", {"train": 10, "test": 6, "validation": 4}),
        ("--split-by auto --fraction 0.25", {"train": 12, "validation": 12}),
        ("--split-by near_duplicates", {"train": 48, "validation": 12}),
    ],
)
def test_writes_what_was_asked_for(tmp_path, images, capsys, words, expected):
    file = tmp_path / "m.csv"
    assert main(["data", images, *words.split(), "--write", str(file)]) == 0
    assert sides(file) == expected
    said = capsys.readouterr().out
    assert all(side in said for side in expected)
    assert f"Manifest: {file}" in said


def test_writes_every_fold(tmp_path, images, capsys):
    assert main(["data", images, "--folds", "3", "--write", str(tmp_path / "m.csv")]) == 0
    assert sorted(path.name for path in tmp_path.glob("*.csv")) == [
        "m_fold1.csv",
        "m_fold2.csv",
        "m_fold3.csv",
    ]
    assert capsys.readouterr().out.count("over all folds every image is tested") == 3


def test_holds_slides_out_and_sets_a_given_split_aside(tmp_path):
    slides = [f"s{number % 6}" for number in range(60)]
    manifest_of(tmp_path, {"x": 60})
    rows = [f"x/{number}.png,x,{slide},train" for number, slide in enumerate(slides)]
    (tmp_path / "in.csv").write_text("\n".join(["path,label,slide,split", *rows]) + "\n")
    words = ["data", str(tmp_path / "in.csv"), "--anew", "--test-slide", "s1", "--test-slide", "s2"]
    assert main([*words, "--write", str(tmp_path / "out.csv")]) == 0
    table = read_manifest(tmp_path / "out.csv").table
    assert set(table.loc[table["split"] == "test", "slide"]) == {"s1", "s2"}
    assert (table["split"] == "validation").any()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--split-by day", "there is no such column"),
        ("--fold 2", "Fold 2 is wanted of how many"),
        ("--folds 3 --fold 4", "the last 3, got 4"),
        ("--folds 3 --test 0.2", "leave --test... out"),
        ("--folds 3 --split-by given", "by must be auto, image"),
        ("--subset tiny", "has no subset tiny: 60 images, 400 are asked for"),
        ("--subset-sizes few", "takes NAME=NUMBER with commas between them, got 'few'"),
        ("--fraction 0.5", "no training side yet"),
        ("--fraction 2 --split-by image", "above 0 and at most 1"),
    ],
)
def test_what_does_not_go_is_one_message_and_nothing_is_written(
    tmp_path, images, capsys, words, message
):
    file = tmp_path / "m.csv"
    assert main(["data", images, *words.split(), "--write", str(file)]) == 2
    said = capsys.readouterr()
    assert message in said.err
    assert said.out == ""
    assert not list(tmp_path.glob("*.csv"))


def test_a_missing_class_is_refused_unless_allowed(tmp_path, capsys):
    manifest_of(tmp_path, {"x": 20, "rare_cell": 1})
    assert main(["data", str(tmp_path), "--split-by", "image"]) == 2
    assert "rare cell train 1, validation 0" in capsys.readouterr().err
    assert main(["data", str(tmp_path), "--split-by", "image", "--allow-missing-classes"]) == 0
    assert "not on every side: rare cell" in capsys.readouterr().out


def test_a_fraction_keeps_whole_slides(tmp_path, capsys):
    manifest_of(tmp_path, {"x": 60})
    rows = [f"x/{number}.png,x,s{number % 10}" for number in range(60)]
    (tmp_path / "in.csv").write_text("\n".join(["path,label,slide", *rows]) + "\n")
    words = ["data", str(tmp_path / "in.csv"), "--split-by", "slide", "--fraction-by", "slide"]
    file = tmp_path / "out.csv"
    assert main([*words, "--fraction", "0.5", "--write", str(file)]) == 0
    table = read_manifest(file).table
    assert table["split"].value_counts().to_dict() == {"train": 24, "validation": 12}
    assert table.loc[table["split"] == "train", "slide"].nunique() == 4
    assert "24 of 48 images (0.5), 4 of 8 slides (0.5)" in capsys.readouterr().out
    assert main(words) == 2
    assert "--fraction-by needs --fraction SHARE" in capsys.readouterr().err
