"""Whole commands on a pack, beside the same commands on the folder it was made of."""

from __future__ import annotations

import shutil

import pandas as pd
import pytest

from lab_models.cli import main
from lab_models.runs import RunDirectory
from pipelines.datasets import open_dataset
from pipelines.manifest import read_manifest
from tests.integration.conftest import train_words


@pytest.fixture(scope="module")
def pack(colour_folders, tmp_path_factory):
    folder = tmp_path_factory.mktemp("packs") / "pack"
    words = ["data", "pack", str(colour_folders), "--out", str(folder)]
    assert main([*words, "--shard-megabytes", "0.05"]) == 0
    assert len(list(folder.glob("shard-*"))) > 3
    return folder


@pytest.fixture(scope="module")
def packed_run(pack, tmp_path_factory):
    runs = tmp_path_factory.mktemp("runs")
    assert main(train_words(pack, runs)) == 0
    (path,) = (runs / "pbc_small").iterdir()
    return RunDirectory(path)


def test_a_training_on_the_pack_is_that_on_the_folder(finished_run, packed_run, colour_folders):
    one, two = (pd.read_csv(run.predictions) for run in (finished_run, packed_run))
    assert one.drop(columns="path").equals(two.drop(columns="path"))
    timeless = [pd.read_csv(r.history).drop(columns="seconds") for r in (finished_run, packed_run)]
    assert timeless[0].equals(timeless[1])
    manifest = read_manifest(packed_run.manifest, check_files=False).table
    named = manifest["packed_from"].iloc[two["index"]]
    assert named.tolist() == one["path"].tolist()
    assert packed_run.report.read_text().count("data:image") > 0


def test_the_run_on_the_folder_knows_its_images_in_the_pack(finished_run, pack, tmp_path, capsys):
    run = shutil.copytree(finished_run.path, tmp_path / "run")
    assert main(["evaluate", str(run), "--data", str(pack), "--draws", "10"]) == 0
    trained = len(read_manifest(finished_run.manifest, check_files=False).rows("train"))
    assert f"The model was trained on {trained} of the images." in capsys.readouterr().out


def test_an_encoder_trained_on_the_folder_is_not_judged_by_its_images_in_the_pack(
    finished_run, pack, tmp_path, capsys
):
    words = train_words(pack, tmp_path / "runs")
    words[words.index("--seed") + 1] = "6"
    assert main([*words, "--encoder", str(finished_run.path)]) == 2
    assert "held back here were trained on" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists() or not list((tmp_path / "runs").rglob("recipe.json"))


@pytest.mark.slow
def test_the_other_commands_take_a_pack(packed_run, pack, tmp_path, capsys):
    run = str(shutil.copytree(packed_run.path, tmp_path / "run"))
    assert main(["evaluate", run, "--draws", "10"]) == 0
    words = ["export", run, "--representative-images", "16", "--runs", "0", "--allow-mismatch"]
    assert main(words) == 0
    assert (tmp_path / "run" / "tflite" / "model_int8.tflite").exists()
    table = tmp_path / "table.csv"
    assert main(["predict", run, str(pack), "--out", str(table)]) == 0
    assert len(pd.read_csv(table)) == len(open_dataset(pack))
    capsys.readouterr()
    assert main(["data", str(pack), "--option", "verify=true"]) == 0
    assert "Every image can be read." in capsys.readouterr().out


def test_a_pack_is_inspected_and_cleaned(colour_folders, tmp_path, capsys):
    folders = shutil.copytree(colour_folders, tmp_path / "cells")
    shutil.copy(folders / "green" / "00.png", folders / "green" / "99.png")
    pack, out, clean = (str(tmp_path / name) for name in ("pack", "out", "clean.csv"))
    assert main(["pack", str(folders), "--out", pack]) == 0
    assert main(["inspect", pack, "--out", out, "--no-cache"]) == 0
    assert "[exact_duplicates]: 1 finding(s), 2 image(s)" in capsys.readouterr().out
    assert main(["clean", out, "--apply", "exact_duplicates", "--out", clean]) == 0
    assert len(read_manifest(clean)) == 48


def test_folds_of_a_pack_are_manifests_that_point_into_it(pack, tmp_path):
    words = ["data", str(pack), "--folds", "3", "--write", str(tmp_path / "m.csv")]
    assert main(words) == 0
    folds = [read_manifest(tmp_path / f"m_fold{i}.csv") for i in (1, 2, 3)]
    tested = [name for fold in folds for name in fold.table["packed_from"][fold.rows("test")]]
    assert sorted(tested) == sorted(open_dataset(pack).table["packed_from"])
