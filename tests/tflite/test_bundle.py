import dataclasses

import pytest

from tflite.bundle import write_bundle
from tflite.c_header import c_header
from tflite.quantization_recipes import INT8_FULL
from tflite.runtime.bundle import read_bundle
from tflite.runtime.classifier import Classifier
from tflite.runtime.errors import BundleError
from tflite.sidecar import Origin, make_sidecar


@pytest.fixture
def sidecar(int8_file, contract, labels):
    return make_sidecar(int8_file, contract, labels, INT8_FULL, Origin())


def test_a_written_bundle_is_four_files_and_classifies(
    tmp_path, int8_file, sidecar, labels, pixels
):
    path = tmp_path / "model_int8.tflite"
    write_bundle(path, int8_file, sidecar)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "model_int8.h", "model_int8.json", "model_int8.labels.txt", "model_int8.tflite",
    ]  # fmt: skip
    assert (tmp_path / "model_int8.labels.txt").read_text().splitlines() == list(labels)
    assert (tmp_path / "model_int8.h").read_text() == c_header(sidecar, "model_int8")
    assert read_bundle(path).sidecar == sidecar
    results = Classifier(path).classify_batch(pixels[:6])
    assert [result.label for result in results] == [*labels, *labels]


def test_tensorflow_reads_the_file_with_its_appendix(tmp_path, int8_file, sidecar):
    from ai_edge_litert.interpreter import Interpreter

    path = tmp_path / "model.tflite"
    write_bundle(path, int8_file, sidecar)
    interpreter = Interpreter(str(path))
    interpreter.allocate_tensors()
    assert interpreter.get_input_details()[0]["shape"].tolist() == [1, 16, 16, 3]


def test_the_sidecar_of_another_model_is_refused(tmp_path, int8_file, sidecar):
    with pytest.raises(BundleError, match="describes another model"):
        write_bundle(tmp_path / "model.tflite", int8_file + b"x", sidecar)
    other = dataclasses.replace(sidecar, model_sha256="0" * 64)
    with pytest.raises(BundleError, match="describes another model"):
        write_bundle(tmp_path / "model.tflite", int8_file, other)
    assert list(tmp_path.iterdir()) == []


def test_another_suffix_is_refused(tmp_path, int8_file, sidecar):
    with pytest.raises(BundleError, match=r"ends in \.tflite"):
        write_bundle(tmp_path / "model.lite", int8_file, sidecar)
