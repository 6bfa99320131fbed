from __future__ import annotations

import argparse
import subprocess
import sys

import pytest

from lab_models.cli import smear
from pipelines.datasets import open_dataset
from tflite.runtime.errors import LabError


def run(*words):
    parser = argparse.ArgumentParser()
    smear.add_parser(parser.add_subparsers())
    arguments = parser.parse_args(["smear", *map(str, words)])
    return arguments.run(arguments)


def test_writes_a_data_set_and_says_where(tmp_path, capsys):
    out = tmp_path / "cells"
    run(out, "--images", 30, "--size", 32, "--seed", 4, "--workers", 1)
    said = capsys.readouterr()
    assert str(out) in said.out
    assert "images, " in said.err
    assert len(open_dataset(out)) == 30
    run(out, "--images", 30, "--size", 32, "--seed", 4)
    assert "already" in capsys.readouterr().out


def test_bmp(tmp_path):
    run(tmp_path / "cells", "--images", 25, "--size", 32, "--format", "bmp", "--workers", 1)
    assert not list((tmp_path / "cells").rglob("*.jpg"))
    assert len(open_dataset(tmp_path / "cells")) == 25


def test_a_sheet_alone(tmp_path, capsys):
    run("--sheet", tmp_path / "sheet.png", "--images", 25, "--size", 32, "--columns", 1)
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.png"]
    assert "sheet.png" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "give a folder OUT"),
        (("OUT", "--images", 0), "images must be at least 1"),
        (("OUT", "--size", 7), "size must be"),
        (("OUT", "--workers", 0), "workers must be"),
        (("OUT", "--sheet", "sheet.txt"), "must end in .png"),
    ],
)
def test_one_clear_error_and_nothing_written(tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LabError, match=message):
        run(*words)
    assert not list(tmp_path.iterdir())


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from lab_models.cli import smear; import argparse\n"
        "smear.add_parser(argparse.ArgumentParser().add_subparsers())\n"
        "print([name for name in ('numpy', 'cv2', 'tensorflow') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
