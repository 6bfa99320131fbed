import csv
import json

import numpy as np
import pytest
from PIL import Image

from lab_models.cli import export as command
from lab_models.cli.export import export_run
from lab_models.runs import RunDirectory
from tflite.benchmark import BenchmarkSettings
from tflite.calibration import CalibrationSettings
from tflite.convert import PostTraining
from tflite.export import ExportSettings
from tflite.qat import QatSettings
from tflite.representative import RepresentativeSettings
from tflite.runtime.bundle import read_bundle
from tflite.runtime.classifier import Classifier
from tflite.runtime.contract import InputContract
from tflite.runtime.errors import LabError

CLASSES = ("basophil", "eosinophil", "monocyte")
SIZE = 16


def make_model():
    import keras
    from keras import layers

    keras.utils.set_random_seed(1)
    inputs = keras.Input((SIZE, SIZE, 3))
    x = layers.Conv2D(4, 3, activation="relu")(layers.Rescaling(1 / 127.5, -1)(inputs))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(3, activation="softmax", name="predictions")(x))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run with 36 images, 18 of them for training; not to be written to."""
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
    run.recipe_json.write_text(json.dumps({"name": "tiny"}))
    run.environment.write_text(json.dumps({"data_root": str(root)}))
    split = {"accuracy": 0.5, "images": 9, "per_class": {"recall": [1]}}
    run.metrics.write_text(json.dumps({"splits": {"validation": split}}))
    make_model().save(run.model)
    run.finished.touch()
    return run


@pytest.fixture
def run_copy(finished, tmp_path):
    import shutil

    return RunDirectory(shutil.copytree(finished.path, tmp_path / "tiny" / "run"))


# A random network answers at random near its borders; parity has its own tests.
SETTINGS = ExportSettings(
    quantization=("float32",),
    representative=RepresentativeSettings(images=6),
    benchmark=None,
)


def parse(*words):
    import argparse

    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    return parser.parse_args(["export", *(str(word) for word in words)])


def test_the_command_exports_the_newest_run_and_prints_the_tables(run_copy, capsys):
    words = ("--runs-folder", run_copy.path.parents[1], "--representative-images", 6)
    arguments = parse(*words, "--runs", 2, "--threads", 1, "--allow-mismatch")
    assert arguments.run(arguments) == 0
    printed = capsys.readouterr().out
    assert f"run: {run_copy.path}" in printed
    assert "Parity on 9 validation images" in printed
    assert "Latency of one image" in printed
    assert f"bundle: {run_copy.tflite / 'model_int8.tflite'}" in printed
    bundle = run_copy.tflite / "model_int8.tflite"
    assert Classifier(bundle).labels == CLASSES
    sidecar = read_bundle(bundle).sidecar
    assert sidecar.recipe == "tiny"
    assert sidecar.metrics == {"validation": {"accuracy": 0.5, "images": 9}}
    assert sum(sidecar.calibration["per_class"].values()) == 6


def test_calibration_takes_the_training_split_and_parity_the_validation_split(run_copy):
    export = export_run(run_copy, SETTINGS, say=lambda text: None)
    with (export.folder / "parity.csv").open(newline="") as file:
        compared = {row["path"] for row in csv.DictReader(file)}
    with run_copy.manifest.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert compared == {row["path"] for row in rows if row["split"] == "validation"}


def test_options_become_settings():
    settings = command._settings(
        parse(
            *("--quantization", "float32", "--quantization", "int8_full"),
            *("--representative-images", "50", "--seed", "7", "--validation-images", "80"),
            *("--runs", "9", "--threads", "4", "--allow-mismatch"),
        )
    )
    assert settings == ExportSettings(
        quantization=("float32", "int8_full"),
        representative=RepresentativeSettings(50, 7),
        post_training=PostTraining(CalibrationSettings(seed=7)),
        benchmark=BenchmarkSettings((4,), runs=9),
        validation_images=80,
        allow_mismatch=True,
    )
    cured = command._settings(
        parse("--cure", "auto", "--observer", "percentile", "--percentile", "99", "--seed", "7",
              "--float-layers", "2")
    )  # fmt: skip
    assert cured.cure == "auto"
    assert cured.post_training == PostTraining(
        CalibrationSettings("percentile", 99.0, seed=7), float_layers=2
    )
    assert command._qat_settings(parse()) == QatSettings()
    trained = command._qat_settings(parse("--fine-tune-epochs", "5", "--fine-tune-rate", "0.01"))
    assert trained == QatSettings(epochs=5, learning_rate=0.01)
    with pytest.raises(LabError, match="No cure 'sleep'"):
        command._settings(parse("--cure", "sleep"))
    assert command._settings(parse("--runs", "0")).benchmark is None
    assert command._settings(parse()) == ExportSettings()


def test_images_that_were_moved_are_found_with_data_root(run_copy, tmp_path):
    environment = json.loads(run_copy.environment.read_text())
    real = environment["data_root"]
    run_copy.environment.write_text(json.dumps({"data_root": str(tmp_path / "gone")}))
    with pytest.raises(LabError, match=r"no longer in .*gone.*--data-root"):
        export_run(run_copy, SETTINGS, say=lambda text: None)
    from pathlib import Path

    export = export_run(run_copy, SETTINGS, data_root=Path(real), say=lambda text: None)
    assert export.parity.images == 9


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("FINISHED", "unfinished run"),
        ("model.keras", "has no model.keras"),
        ("manifest.csv", "has no manifest.csv"),
        ("contract.json", "has no contract.json"),
        ("environment.json", "has no environment.json"),
    ],
)
def test_a_run_that_lacks_a_file_says_which(run_copy, name, message):
    (run_copy.path / name).unlink()
    with pytest.raises(LabError, match=message):
        export_run(run_copy, SETTINGS, say=lambda text: None)
    assert not run_copy.tflite.exists()


def test_a_damaged_model_says_so(run_copy):
    run_copy.model.write_bytes(b"not a model")
    with pytest.raises(LabError, match=r"model\.keras cannot be loaded"):
        export_run(run_copy, SETTINGS, say=lambda text: None)


def test_a_folder_that_is_no_run_and_no_run_at_all_say_so(tmp_path):
    with pytest.raises(LabError, match="no run directory"):
        export_run(RunDirectory(tmp_path), SETTINGS)
    arguments = parse("--runs-folder", tmp_path)
    with pytest.raises(LabError, match="No finished run"):
        arguments.run(arguments)
