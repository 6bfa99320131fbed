"""``lab-models compress`` and the batches it trains on, with a tiny run."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from lab_models.cli import compress as command
from lab_models.cli.compress import CompressionPlan, compress_run
from lab_models.fine_tuning_data import fine_tuning_data, run_manifest
from lab_models.recipes import get_recipe
from lab_models.runs import RunDirectory
from tflite.runtime.contract import InputContract
from tflite.runtime.errors import LabError

CLASSES = ("basophil", "eosinophil", "monocyte")
SIZE = 16


def _model():
    import keras
    from keras import layers

    keras.utils.set_random_seed(1)
    inputs = keras.Input((SIZE, SIZE, 3))
    x = layers.Conv2D(20, 3, activation="relu")(layers.Rescaling(1 / 127.5, -1)(inputs))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(3, activation="softmax", name="predictions")(x))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run of 36 images, 18 of them for training."""
    root = tmp_path_factory.mktemp("images")
    run = RunDirectory(tmp_path_factory.mktemp("runs") / "tiny" / "2026-01-01_00-00-00")
    run.path.mkdir(parents=True)
    generator = np.random.default_rng(0)
    rows = []
    for number in range(36):
        pixels = generator.integers(0, 256, (20, 24, 3), np.uint8)
        Image.fromarray(pixels).save(root / f"{number:02}.png")
        split = ("train", "train", "validation", "test")[number // 3 % 4]
        rows.append({"path": f"{number:02}.png", "label": CLASSES[number % 3], "split": split})
    with run.manifest.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    contract = {"classes": CLASSES, "input": InputContract(SIZE, SIZE).to_dict()}
    run.contract_json.write_text(json.dumps(contract))
    recipe = get_recipe("pbc_tiny").at_scale("demo").changed({"phases.0.batch_size": 6})
    run.recipe_json.write_text(json.dumps(recipe.to_dict()))
    run.environment.write_text(json.dumps({"data_root": str(root)}))
    _model().save(run.model)
    run.finished.touch()
    return run


def test_batches_are_those_of_training(finished):
    data = fine_tuning_data(finished)
    assert data.steps == 3
    images, labels, weights = next(iter(data.training))
    assert images.shape == (6, SIZE, SIZE, 3)
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
