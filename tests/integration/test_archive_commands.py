"""Whole commands on NumPy archives."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from lab_models.cli import main
from lab_models.runs import RunDirectory
from pipelines.manifest import read_manifest
from tests.integration.conftest import COLOURS
from tests.pipelines.archives import save

SIDES = {"train": 8, "val": 4, "test": 4}


def coloured(images: int, size: int, seed: int) -> dict[str, np.ndarray]:
    """So many noisy pictures of each of three colours, and their numbers."""
    random = np.random.default_rng(seed)
    flat = np.repeat(np.array(list(COLOURS.values())), images, axis=0)[:, None, None, :]
    noisy = flat + random.integers(-40, 40, (len(flat), size, size, 3))
    labels = np.repeat(np.arange(len(COLOURS), dtype=np.uint8), images)[:, None]
    return {"images": np.clip(noisy, 0, 255).astype(np.uint8), "labels": labels}


@pytest.fixture(scope="module")
def archives(tmp_path_factory):
    """One archive of each kind by name; a file, 48 images of three classes."""
    root = tmp_path_factory.mktemp("archives")
    sides = {
        f"{side}_{name}": array
        for seed, (side, count) in enumerate(SIDES.items())
        for name, array in coloured(count, 40, seed).items()
    }
    return {
        "medmnist": save(root / "bloodmnist_40.npz", **sides),
        "an2dl": save(root / "training_set.npz", **coloured(16, 96, 5)),
        "npz": save(root / "cells.npz", **coloured(16, 40, 6)),
    }


@pytest.mark.parametrize("kind", ["medmnist", "an2dl", "npz"])
def test_says_what_an_archive_holds_and_writes_it_as_a_table(archives, kind, tmp_path, capsys):
    file = tmp_path / "m.csv"
    split = [] if kind == "medmnist" else ["--split-by", "image", "--test", "0.25"]
    assert main(["data", str(archives[kind]), "--write", str(file), *split]) == 0
    said = capsys.readouterr().out
    assert "48 images of 3 classes" in said
    assert "Every image can be read." in said
    assert f"Read as {kind}: " in said
    table = read_manifest(file).table
    assert set(table["split"]) == {"train", "validation", "test"}
    assert main(["data", str(file)]) == 0
    assert "48 images of 3 classes" in capsys.readouterr().out


def test_options_reach_the_reader(archives, capsys):
    words = ["data", str(archives["npz"]), "--no-decode", "--option", "names=blast,monocyte,4"]
    assert main([*words, "--option", "images=images"]) == 0
    said = capsys.readouterr().out
    assert all(name in said for name in ("blast", "monocyte", "4"))
    folder = archives["medmnist"].parent
    assert main(["data", str(folder), "--option", "size=40", "--no-decode"]) == 0
    assert "48 images of 3 classes" in capsys.readouterr().out


def test_inspects_an_archive_and_cleans_it(archives, tmp_path, capsys):
    arrays = coloured(16, 96, 5)
    arrays["images"][20:32] = arrays["images"][16]
    file = save(tmp_path / "training_set.npz", **arrays)
    out, clean = tmp_path / "out", tmp_path / "clean.csv"
    assert main(["data", "inspect", str(file), "--out", str(out), "--setting", "repeats=10"]) == 0
    summary = json.loads((out / "summary.json").read_text())
    assert summary["images_in_findings"]["repeated_pictures"] == 13
    assert "training_set.npz#array=images,16" in (out / "page.html").read_text()
    words = ["clean", str(out), "--apply", "repeated_pictures", "--out", str(clean)]
    assert main(words) == 0
    assert len(read_manifest(clean)) == 48 - 13


@pytest.mark.slow
def test_trains_on_an_archive_and_evaluates_on_it(archives, tmp_path):
    words = ["train", "--recipe", "an2dl", "--scale", "demo", "--skip", "partial"]
    words += ["--data", str(archives["medmnist"]), "--out", str(tmp_path)]
    for change in ("input.height=32", "input.width=32", "batch_size=8", "phases.0.epochs=1"):
        words += ["--set", change]
    assert main(words) == 0
    (path,) = (tmp_path / "an2dl").iterdir()
    run = RunDirectory(path)
    assert run.classes == ("basophil", "eosinophil", "erythroblast")
    manifest = pd.read_csv(run.manifest)
    assert set(manifest["path"]) == {
        f"bloodmnist_40.npz#array={side}_images,{item}"
        for side, count in SIDES.items()
        for item in range(3 * count)
    }
    predictions = pd.read_csv(run.predictions)
    assert len(predictions) == 24
    assert "data:image/" in run.report.read_text()
    words = ["evaluate", str(path), "--data", str(archives["medmnist"]), "--split", "test"]
    assert main([*words, "--name", "again"]) == 0
    assert (path / "evaluations" / "again" / "predictions.csv").exists()
