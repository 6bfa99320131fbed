"""The commands evaluate, compare and predict."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from lab_models.cli import compare, evaluate, predict
from tests.lab_models.fake_run import add_networks, make_fake_run

CLASSES = ("a", "b", "c")
COMMANDS = (evaluate, compare, predict)


def call(*words):
    """Parses and runs one command, with the errors and exit status of the real program."""
    import argparse
    import sys

    from tflite.runtime.errors import LabError

    parser = argparse.ArgumentParser()
    subparsers = parser.add_subparsers(required=True)
    for command in COMMANDS:
        command.add_parser(subparsers)
    parsed = parser.parse_args([str(word) for word in words])
    try:
        return parsed.run(parsed) or 0
    except LabError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


@pytest.fixture
def run(tmp_path):
    return make_fake_run(
        tmp_path / "fake" / "now", CLASSES, per_class=8, images=tmp_path / "images"
    )


def test_evaluate_makes_the_report_anew(run, capsys):
    assert call("evaluate", run.path, "--layout", "pca", "--class", "b", "--draws", 50) == 0
    printed = capsys.readouterr().out
    accuracy = json.loads(run.metrics.read_text())["splits"]["test"]["accuracy"]["value"]
    assert f"accuracy {accuracy:.4f}" in printed
    assert str(run.report) in printed
    assert "Missed: b named otherwise" in run.report.read_text()


def test_evaluate_on_data_goes_to_a_folder_of_its_own(run, tmp_path, capsys):
    add_networks(run)
    data = tmp_path / "other"
    for name in CLASSES:
        (data / name).mkdir(parents=True)
        for n in range(2):
            shade = np.full((20, 20, 3), 40 * n + len(name), np.uint8)
            Image.fromarray(shade).save(data / name / f"{n}_{name}.png")
    words = ("evaluate", run.path, "--data", data, "--map", "c=b", "--layout", "pca")
    assert call(*words) == 0
    assert (run.path / "evaluations" / "other" / "report.html").exists()
    assert not run.report.exists()
    assert "6 images are predicted" in capsys.readouterr().out
    (data / "c").rename(data / "zebra")
    words = ("evaluate", run.path, "--data", data, "--layout", "pca", "--name", "mapped")
    assert call(*words) == 2
    assert "all with --classes model" in capsys.readouterr().err
    assert call(*words, "--classes", "model", "--option", "class_level=0") == 0
    assert "4 images are predicted" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--map", "a=b"], "--map needs --data"),
        (["--include-training"], "--include-training needs --data"),
        (["--classes", "hal"], "--classes needs --data"),
        (["--option", "subset=tiny"], "--option needs --data"),
        (["--split", "nonsense"], "no image of the split 'nonsense'"),
        (["--class", "zebra"], "no class 'zebra'"),
        (["--layout", "cubist"], "must be one of"),
        (["--confidence", "95"], "between 0 and 1"),
        (["--data", "nowhere"], "has no model.keras"),
    ],
)
def test_evaluate_refuses_what_does_not_fit(run, capsys, words, message):
    assert call("evaluate", run.path, *words) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert not run.report.exists()


def test_compare_prints_and_writes(run, tmp_path, capsys):
    other = make_fake_run(tmp_path / "fake" / "later", CLASSES, per_class=8, seed=1)
    out = tmp_path / "pages" / "compare.html"
    assert call("compare", run.path, other.path, "--out", out) == 0
    printed = capsys.readouterr().out
    assert "macro F1" in printed
    assert "McNemar p =" in printed
    assert out.read_text().startswith("<!DOCTYPE html>")
    assert call("compare", run.path) == 2
    assert "at least two runs" in capsys.readouterr().err


def test_predict_writes_a_table(run, tmp_path, capsys):
    add_networks(run)
    out = tmp_path / "table.csv"
    folder = tmp_path / "images" / "test"
    assert call("predict", run.path, folder, "--out", out) == 0
    table = pd.read_csv(out)
    assert list(table.columns) == ["path", "predicted", "score", *(f"score:{c}" for c in CLASSES)]
    assert len(table) == 24
    (folder / "bad.png").write_bytes(b"")
    assert call("predict", run.path, folder, "--out", out) == 1
    printed = capsys.readouterr()
    assert "bad.png is empty or no image" in printed.err
    assert "24 images" in printed.out


def test_predict_writes_nothing_where_nothing_can_be_read(run, tmp_path, capsys):
    add_networks(run)
    bad = tmp_path / "bad.jpg"
    bad.write_text("text")
    out = tmp_path / "table.csv"
    assert call("predict", run.path, bad, "--out", out) == 2
    assert call("predict", run.path, tmp_path / "nowhere", "--out", out) == 2
    assert call("predict", run.path, bad, "--out", tmp_path) == 2
    assert not out.exists()
    assert "is a folder" in capsys.readouterr().err
