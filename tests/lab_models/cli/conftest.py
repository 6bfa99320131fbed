"""A tiny finished run, for the commands that work on one."""

import csv
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from lab_models.recipes import get_recipe
from lab_models.runs import RunDirectory
from tflite.runtime.contract import InputContract

CLASSES = ("basophil", "eosinophil", "monocyte")
SIZE = 16


def build_model(activation="relu"):
    """An untrained classifier of three classes, the same at every call."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(1)
    inputs = keras.Input((SIZE, SIZE, 3))
    x = layers.Conv2D(20, 3, activation=activation)(layers.Rescaling(1 / 127.5, -1)(inputs))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(3, activation="softmax", name="predictions")(x))


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A finished run of 36 images, 18 of them for training; not to be written to."""
    root = tmp_path_factory.mktemp("images")
    run = RunDirectory(tmp_path_factory.mktemp("runs") / "tiny" / "2026-01-01_00-00-00")
    run.path.mkdir(parents=True)
    generator = np.random.default_rng(0)
    rows = []
    for number in range(36):
        name = f"{number:02}.png"
        pixels = generator.integers(0, 256, (20, 24, 3), np.uint8)
        Image.fromarray(pixels).save(root / name)
        split = ("train", "train", "validation", "test")[number // 3 % 4]
        rows.append({"path": name, "label": CLASSES[number % 3], "split": split})
    with run.manifest.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    contract = {"classes": CLASSES, "input": InputContract(SIZE, SIZE).to_dict()}
    run.contract_json.write_text(json.dumps(contract))
    recipe = get_recipe("pbc_tiny").at_scale("demo").changed({"phases.0.batch_size": 6})
    run.recipe_json.write_text(json.dumps(recipe.to_dict()))
    run.environment.write_text(json.dumps({"data_root": str(root)}))
    split = {"accuracy": 0.5, "images": 9, "per_class": {"recall": [1]}}
    run.metrics.write_text(json.dumps({"splits": {"validation": split}}))
    build_model().save(run.model)
    run.finished.touch()
    return run


@pytest.fixture
def run_copy(finished, tmp_path):
    """The finished run, to be written to."""
    return RunDirectory(shutil.copytree(finished.path, tmp_path / "tiny" / "run"))
