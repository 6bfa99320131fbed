"""``lab-models export`` with the recipes and cures that train, on a run trained here."""

import json
import shutil

import pytest

from lab_models.cli import main
from lab_models.runs import RunDirectory
from tflite.runtime.bundle import read_bundle


@pytest.fixture
def run_copy(finished_run, tmp_path):
    return RunDirectory(shutil.copytree(finished_run.path, tmp_path / "runs" / "tiny" / "run"))


def export(run, *words):
    options = ("--representative-images", "16", "--runs", "0", "--fine-tune-epochs", "1")
    return main(["export", str(run.path), *options, *words])


@pytest.mark.slow
def test_quantisation_aware_training_makes_a_bundle_of_its_own(run_copy):
    assert export(run_copy, "--quantization", "int8_qat", "--allow-mismatch") == 0
    sidecar = read_bundle(run_copy.tflite / "model_int8_qat.tflite").sidecar
    assert sidecar.quantization_recipe == "int8_qat"
    assert sidecar.calibration["cure"] == "quantization_aware_training"
    assert sidecar.input_quantization.takes_pixels


def test_the_search_for_a_cure_is_recorded(run_copy):
    assert export(run_copy, "--cure", "auto", "--allow-mismatch") == 0
    parity = json.loads((run_copy.tflite / "parity.json").read_text())
    tried = parity["cures"]["int8_full"]["tried"]
    assert tried[0]["cure"] == "none"
    assert parity["cures"]["int8_full"]["cure"] in [attempt["cure"] for attempt in tried]
    assert "Score calibration" in run_copy.report.read_text()
