from __future__ import annotations

import pytest

from pipelines.datasets import open_dataset
from pipelines.errors import ManifestError
from pipelines.inspection.kinds import kind_module
from pipelines.inspection.measure import measure_images
from pipelines.inspection.settings import InspectionSettings
from pipelines.manifest import write_manifest
from tests.pipelines.disk import manifest_of, write_images, write_table


def test_a_laboratorys_table(tmp_path):
    write_images(tmp_path / "img", ["a.png", "b.png"])
    file = write_table(
        tmp_path / "cells.csv",
        "File;Class;Split;Slide;Stain",
        "img\\a.png; x;Val; s1 ;MGG",
        "img\\b.png;y;train;s2;",
    )
    manifest = open_dataset(file, path_column="File", label_column="Class")
    assert manifest.table["path"].tolist() == ["img/a.png", "img/b.png"]
    assert manifest.table["label"].tolist() == ["x", "y"]
    assert manifest.table["Stain"].tolist() == ["MGG", ""]
    assert manifest.table["split"].tolist() == ["validation", "train"]
    assert manifest.table["slide"].tolist() == ["s1", "s2"]


def test_reads_a_manifest_of_ours(tmp_path):
    manifest = manifest_of(
        tmp_path, {"x": 2, "y": 1}, experts=[1, 2, 0], agreement=[1, 0.5, None], split="train"
    )
    write_manifest(manifest, tmp_path / "ours.csv")
    assert open_dataset(tmp_path / "ours.csv").table.equals(manifest.table)


def test_paths_may_be_relative_to_another_folder(tmp_path):
    write_images(tmp_path / "img", ["a.png"])
    file = write_table(tmp_path / "lists" / "cells.csv", "path,label", "a.png,x")
    assert len(open_dataset(file, root=tmp_path / "img")) == 1
    with pytest.raises(ManifestError, match=r"1 of 1 files are missing .*row 0 \('a\.png'\)"):
        open_dataset(file)


def test_a_column_that_is_there_twice_in_effect(tmp_path):
    file = write_table(tmp_path / "cells.csv", "path,file,label", "a.png,b.png,x")
    with pytest.raises(ManifestError, match="has a column 'path' besides"):
        open_dataset(file, path_column="file")


def test_a_table_without_its_columns(tmp_path):
    file = write_table(tmp_path / "cells.csv", "image,class", "a.png,x")
    with pytest.raises(ManifestError, match=r"lacks the column.*names 'image', 'class'"):
        open_dataset(file)


def test_a_table_without_rows(tmp_path):
    file = write_table(tmp_path / "cells.csv", "path,label")
    with pytest.raises(ManifestError, match="not one image"):
        open_dataset(file)


def test_a_split_that_is_unknown(tmp_path):
    write_images(tmp_path, ["a.png"])
    file = write_table(tmp_path / "cells.csv", "path,label,split", "a.png,x,left")
    with pytest.raises(ManifestError, match="the split is none of train, validation, test: row 0"):
        open_dataset(file)


def test_labels_that_differ_in_spelling_are_read_and_told(tmp_path):
    write_images(tmp_path, [f"{number}.png" for number in range(4)])
    rows = ["0.png,Blast", "1.png,blast", "2.png,blast", "3.png,monocyte"]
    manifest = open_dataset(write_table(tmp_path / "cells.csv", "path,label", *rows))
    assert manifest.classes == ("Blast", "blast", "monocyte")
    assert "spelling only are read as different classes: 'Blast' and 'blast'" in manifest.notes[-1]
    findings = kind_module("label_spelling").find(
        manifest, measure_images(manifest), InspectionSettings()
    )
    assert [(finding.paths, finding.label) for finding in findings] == [(("0.png",), "blast")]
