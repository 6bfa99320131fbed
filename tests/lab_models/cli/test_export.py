import csv
import json
import re

import pytest

from lab_models.cli import export as command
from lab_models.cli.export import export_run
from lab_models.runs import RunDirectory
from tests.lab_models.cli.conftest import build_model
from tflite.benchmark import BenchmarkSettings
from tflite.calibration import CalibrationSettings
from tflite.convert import PostTraining
from tflite.distillation import DistillationSettings
from tflite.export import ExportSettings
from tflite.qat import QatSettings
from tflite.representative import RepresentativeSettings
from tflite.runtime.bundle import read_bundle
from tflite.runtime.classifier import Classifier
from tflite.runtime.errors import LabError

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
    assert Classifier(bundle).labels == ("basophil", "eosinophil", "monocyte")
    sidecar = read_bundle(bundle).sidecar
    assert sidecar.recipe == "pbc_tiny"
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
    assert command._distillation_settings(parse()) == DistillationSettings()
    distilled = command._distillation_settings(parse("--fine-tune-epochs", "5"))
    assert distilled == DistillationSettings(epochs=5)
    with pytest.raises(LabError, match="No cure 'sleep'"):
        command._settings(parse("--cure", "sleep"))
    assert command._settings(parse("--runs", "0")).benchmark is None
    assert command._settings(parse()) == ExportSettings()


def test_the_help_names_the_lengths_and_rates_that_are_taken(capsys):
    with pytest.raises(SystemExit):
        parse("--help")
    words = " ".join(capsys.readouterr().out.split())
    qat, swap = QatSettings(), DistillationSettings()
    epochs = f"{qat.epochs} for quantisation-aware training, {swap.epochs} for activation_swap"
    assert epochs in words
    rates = re.search(r"highest learning rate \(default: (\S+) and (\S+)\)", words)
    assert [float(rate) for rate in rates.groups()] == [qat.learning_rate, swap.learning_rate]


def test_activations_are_swapped_and_the_record_says_how(run_copy, capsys):
    build_model("swish").save(run_copy.model)
    words = ("--quantization", "int8_full", "--cure", "activation_swap", "--fine-tune-epochs", 2)
    arguments = parse(run_copy.path, *words, "--runs", 0, "--allow-mismatch")
    assert arguments.run(arguments) == 0
    printed = capsys.readouterr().out
    assert "1 activations are now ReLU6" in printed
    assert "epoch 2 of 2" in printed
    assert "cure of int8_full: activation_swap" in printed
    sidecar = read_bundle(run_copy.tflite / "model_int8.tflite").sidecar
    assert sidecar.calibration["cure"] == "activation_swap"
    training = sidecar.calibration["training"]
    assert (training["swapped_activations"], training["epochs"]) == (1, 2)
    # The float file is the run's own network.
    assert read_bundle(run_copy.tflite / "model_float32.tflite").sidecar.calibration == {}


def test_a_run_without_such_activations_says_so(run_copy):
    settings = ExportSettings(
        ("int8_full",), RepresentativeSettings(images=6), cure="activation_swap", benchmark=None
    )
    with pytest.raises(LabError, match="the network has no swish, hard swish or GELU"):
        export_run(run_copy, settings, say=lambda text: None)
    assert not run_copy.tflite.exists()


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
