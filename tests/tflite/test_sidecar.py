import subprocess

import numpy as np
import pytest

from tflite.quantization_recipes import FLOAT32, INT8_FULL
from tflite.runtime.quantize import TensorQuantization
from tflite.runtime.sidecar import labels_text, read_sidecar, sha256
from tflite.score_calibration import calibrate_scores
from tflite.sidecar import Origin, find_git_commit, make_sidecar, package_versions


def test_quantisation_and_hashes_are_those_of_the_model(int8_file, contract, labels):
    origin = Origin("hal_t3002", {"validation": {"accuracy": 0.9}}, git_commit="abc")
    sidecar = make_sidecar(int8_file, contract, labels, INT8_FULL, origin, {"images": 24})
    assert sidecar.input_quantization.takes_pixels
    assert sidecar.output_quantization.dtype == sidecar.input_quantization.dtype
    assert sidecar.temperature == 1.0
    assert sidecar.rejection_thresholds == dict.fromkeys(labels, 0.0)
    assert (sidecar.model_bytes, sidecar.model_sha256) == (len(int8_file), sha256(int8_file))
    assert sidecar.labels_sha256 == sha256(labels_text(labels).encode())
    assert (sidecar.recipe, sidecar.quantization_recipe) == ("hal_t3002", "int8_full")
    assert (sidecar.git_commit, sidecar.calibration) == ("abc", {"images": 24})
    assert "person confirms" in sidecar.intended_use
    assert read_sidecar(sidecar.to_json(), "it") == sidecar


def test_a_float_model_is_described_as_float(float32_file, contract, labels):
    sidecar = make_sidecar(float32_file, contract, labels, FLOAT32, Origin())
    assert sidecar.input_quantization == TensorQuantization("float32")
    assert sidecar.calibration == {}


def test_calibrated_scores_stand_in_the_sidecar(float32_file, contract, labels):
    logits = np.random.default_rng(0).normal(0, 3, (200, 3))
    scores = calibrate_scores(logits, np.arange(200) % 3, labels)
    sidecar = make_sidecar(float32_file, contract, labels, FLOAT32, Origin(), scores=scores)
    assert sidecar.temperature == scores.temperature != 1.0
    assert sidecar.rejection_thresholds == scores.thresholds
    assert any(sidecar.rejection_thresholds.values())
    assert sidecar.score_calibration["images"] == 200
    assert read_sidecar(sidecar.to_json(), "it") == sidecar


def test_versions_name_the_converter():
    versions = package_versions()
    assert {"tensorflow", "keras", "ai-edge-litert", "numpy"} <= set(versions)


def git(folder, *words):
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)


def test_the_commit_says_whether_files_were_changed(tmp_path):
    git(tmp_path, "init")
    (tmp_path / "a").write_text("1")
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "-m", "a")
    commit = find_git_commit(tmp_path)
    assert len(commit) == 40
    (tmp_path / "a").write_text("2")
    assert find_git_commit(tmp_path) == f"{commit}-dirty"


@pytest.mark.parametrize("name", [".", "missing"])
def test_outside_a_repository_the_commit_is_empty(tmp_path, name):
    assert find_git_commit(tmp_path / name) == ""
