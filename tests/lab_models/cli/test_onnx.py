import argparse
import json

import pytest

from lab_models.cli import onnx as command
from lab_models.runs import RunDirectory
from tflite.onnx_export import onnx_session
from tflite.runtime.contract import InputContract
from tflite.runtime.errors import LabError

CLASSES = ("basophil", "eosinophil", "monocyte")
SIZE = 16


def make_model():
    import keras
    from keras import layers

    inputs = keras.Input((SIZE, SIZE, 3))
    x = layers.Conv2D(4, 3, activation="relu")(layers.Rescaling(1 / 255)(inputs))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(3, activation="softmax", name="predictions")(x))


@pytest.fixture
def directory(tmp_path):
    run = RunDirectory(tmp_path / "tiny" / "run")
    run.path.mkdir(parents=True)
    contract = {"classes": CLASSES, "input": InputContract(SIZE, SIZE).to_dict()}
    run.contract_json.write_text(json.dumps(contract))
    run.recipe_json.write_text(json.dumps({"name": "tiny"}))
    make_model().save(run.model)
    run.finished.touch()
    return run


def parse(*words):
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    return parser.parse_args(["onnx", *map(str, words)])


def test_the_file_is_written_and_compared(directory, capsys):
    assert command.run(parse(directory.path)) == 0
    out = capsys.readouterr().out
    assert "against Keras on 8 random images" in out
    path = directory.path / "model.onnx"
    assert str(path) in out
    assert onnx_session(path.read_bytes()).get_outputs()[0].shape == ["batch", 3]


def test_a_run_that_is_not_finished_or_damaged_leaves_nothing(directory):
    directory.model.write_bytes(directory.model.read_bytes()[:1000])
    with pytest.raises(LabError, match="cannot be loaded"):
        command.run(parse(directory.path))
    directory.finished.unlink()
    with pytest.raises(LabError):
        command.run(parse(directory.path))
    assert not list(directory.path.glob("*onnx*"))


def test_another_suffix_is_refused(directory, tmp_path):
    with pytest.raises(LabError, match=r"ending in .onnx was expected"):
        command.run(parse(directory.path, "--out", tmp_path / "model.tflite"))
