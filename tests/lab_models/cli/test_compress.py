"""``lab-models compress`` and the batches it trains on, with a tiny run."""

import csv

import pytest

from lab_models.cli import compress as command
from lab_models.cli.compress import CompressionPlan, compress_run
from lab_models.fine_tuning_data import fine_tuning_data, run_manifest
from tflite.runtime.errors import LabError


def test_batches_are_those_of_training(finished):
    data = fine_tuning_data(finished)
    assert data.steps == 3
    images, labels, weights = next(iter(data.training))
    assert images.shape == (6, 16, 16, 3)
    assert labels.shape == (6, 3)
    assert weights.shape == (6,)
    assert sum(len(batch[0]) for batch in data.validation) == 9


def test_images_that_moved_are_asked_for(finished, tmp_path):
    with pytest.raises(LabError, match="--data-root"):
        run_manifest(finished, tmp_path / "gone")


def test_pruned_and_clustered_models_are_written_with_their_table(finished, tmp_path, capsys):
    plan = CompressionPlan((0.5,), (4,), epochs=1, steps=2, representative_images=9)
    variants = compress_run(finished, plan, tmp_path / "out")
    assert [(v.name, v.recipe) for v in variants] == [
        (name, recipe)
        for name in ("trained", "pruned_0.5", "clustered_4")
        for recipe in ("float32", "int8_full")
    ]
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"pruned_0.5.keras", "clustered_4.keras", "compression.csv"} <= names
    assert {f"{v.name}_{v.recipe}.tflite" for v in variants} <= names
    with (tmp_path / "out" / "compression.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["variant"] for row in rows] == [v.name for v in variants]
    assert float(rows[2]["zero_weights"]) > 0.4
    assert "epoch 1 of 1" in capsys.readouterr().out


def test_bad_plans_are_refused_before_anything_is_written(finished, tmp_path):
    with pytest.raises(LabError, match="sparsity"):
        compress_run(finished, CompressionPlan((1.5,)), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_command_line(finished, tmp_path, monkeypatch, capsys):
    from lab_models.cli import main

    seen = {}

    def pretend(directory, plan, folder, data_root, say):
        seen.update(plan=plan, folder=folder)
        return []

    monkeypatch.setattr(command, "compress_run", pretend)
    monkeypatch.setattr("lab_models.cli.COMMANDS", ("compress",))
    assert main(["compress", str(finished.path), "--clusters", "8", "--epochs", "1"]) == 0
    assert seen["plan"] == CompressionPlan((), (8,), 1)
    assert seen["folder"] == finished.path / "compressed"
    assert main(["compress", str(finished.path)]) == 0
    assert seen["plan"].sparsities == (0.5,)
    assert str(finished.path) in capsys.readouterr().out
