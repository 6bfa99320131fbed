import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tflite.runtime.__main__ import main
from tflite.runtime.classifier import Classifier

pytestmark = pytest.mark.device


@pytest.fixture
def bundle(golden):
    return str(golden / "model_int8.tflite")


def test_images_are_printed_a_line_each(bundle, golden, capsys):
    images = [str(golden / "lymphocyte.png"), str(golden / "large_thrombocyte.jpg")]
    assert main([bundle, *images]) == 0
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [(line[0], line[1], line[3]) for line in lines] == [
        (images[0], "lymphocyte", "lymphocyte"),
        (images[1], "large_thrombocyte", "large_thrombocyte"),
    ]
    assert 0 < float(lines[0][2]) <= 1


@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_rows_can_be_printed(bundle, golden, tmp_path, capsys, format):
    images = [str(golden / "lymphocyte.png"), str(tmp_path / "missing.png")]
    assert main([bundle, *images, "--format", format]) == 1
    printed = capsys.readouterr()
    assert "No such image file" in printed.err
    out = tmp_path / "table"
    main([bundle, *images, "--format", format, "--out", str(out)])
    assert printed.out.splitlines() == out.read_text().splitlines()


def test_folders_are_searched(bundle, golden, capsys):
    assert main([bundle, str(golden)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_a_table_is_written_and_counts_are_printed(bundle, golden, tmp_path, capsys):
    out = tmp_path / "table.jsonl"
    assert main([bundle, str(golden), "--out", str(out), "--threads", "2"]) == 0
    assert len(out.read_text().splitlines()) == 3
    printed = capsys.readouterr().out
    assert "3 images classified" in printed
    assert "segmented_neutrophil        1" in printed


@pytest.mark.parametrize("table", [False, True])
def test_unreadable_images_are_named_and_give_exit_status_1(
    bundle, golden, tmp_path, capsys, table
):
    (tmp_path / "bad.png").write_bytes(b"")
    shutil.copy(golden / "lymphocyte.png", tmp_path)
    arguments = [bundle, str(tmp_path), str(tmp_path / "missing.png")]
    if table:
        arguments += ["--out", str(tmp_path / "table.csv")]
    assert main(arguments) == 1
    captured = capsys.readouterr()
    assert "bad.png is empty" in captured.err
    assert "No such image file" in captured.err
    assert "lymphocyte" in captured.out


def test_many_unreadable_images_are_counted_not_listed(bundle, tmp_path, capsys):
    for number in range(25):
        (tmp_path / f"{number:02}.png").write_bytes(b"")
    assert main([bundle, str(tmp_path), "--out", str(tmp_path / "t.csv")]) == 1
    error = capsys.readouterr().err
    assert error.count("is empty") == 10
    assert "and 15 more" in error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.tflite", "x.png"], "No such bundle"),
        (["BUNDLE", "x.png", "--threads", "0"], "threads must be"),
        (["BUNDLE", "x.png", "--out", "t.xlsx"], "format of t.xlsx"),
        (["BUNDLE", "FOLDER"], "holds no image"),
        (["BUNDLE", "x.png", "--out", "BUNDLE/t.csv"], "BUNDLE"),
    ],
)
def test_errors_are_one_line_and_exit_status_2(bundle, tmp_path, capsys, arguments, message):
    arguments = [a.replace("BUNDLE", bundle).replace("FOLDER", str(tmp_path)) for a in arguments]
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message.replace("BUNDLE", bundle) in error
    assert len(error.splitlines()) == 1


def test_a_swapped_labels_file_is_an_error(bundle_copy, golden, capsys):
    labels = bundle_copy.with_suffix(".labels.txt")
    labels.write_text("".join(reversed(labels.read_text().splitlines(keepends=True))))
    assert main([str(bundle_copy), str(golden)]) == 2
    assert "does not belong" in capsys.readouterr().err


def test_the_limit_of_unknown_can_be_given(bundle, golden, capsys):
    image = str(golden / "lymphocyte.png")
    assert main([bundle, image, "--unknown", "0.99"]) == 0
    path, label, score, predicted = capsys.readouterr().out.rstrip("\n").split("\t")
    assert (path, label, predicted) == (image, "unknown", "lymphocyte")
    assert 0.9 < float(score) < 0.99


def test_unknown_is_counted_where_there_is_any(bundle, golden, tmp_path, capsys):
    out = str(tmp_path / "table.csv")
    assert main([bundle, str(golden), "--out", out]) == 0
    assert "unknown  " not in capsys.readouterr().out
    assert main([bundle, str(golden), "--out", out, "--unknown", "1"]) == 0
    assert "unknown                     3" in capsys.readouterr().out


@pytest.mark.parametrize("restart", [False, True])
def test_an_interrupted_table_goes_on_or_begins_anew(
    bundle, golden, tmp_path, capsys, monkeypatch, restart
):
    out = tmp_path / "table.csv"
    decide = Classifier.decide

    def interrupt(self, scores):
        monkeypatch.setattr(Classifier, "decide", decide)
        raise KeyboardInterrupt

    arguments = [bundle, str(golden), "--out", str(out)]
    monkeypatch.setattr(Classifier, "decide", interrupt)
    assert main(arguments) == 130
    assert "the same command goes on" in capsys.readouterr().err
    assert not out.exists()
    assert main([*arguments, "--restart"] if restart else arguments) == 0
    assert ("1 of them by the stopped run" in capsys.readouterr().out) != restart
    assert len(out.read_text().splitlines()) == 4
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


def test_a_killed_run_goes_on(bundle, golden, tmp_path):
    cells = tmp_path / "cells"
    cells.mkdir()
    for number in range(400):
        shutil.copy(golden / "lymphocyte.png", cells / f"{number:03}.png")
    out = tmp_path / "table.csv"
    command = [sys.executable, "-m", "tflite.runtime", bundle, str(cells), "--out", str(out)]
    root = Path(__file__).parents[3]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=root)
    journal = tmp_path / "table.csv.journal"
    while process.poll() is None and not (journal.exists() and journal.stat().st_size > 2000):
        time.sleep(0.001)
    process.kill()
    process.wait()
    if not journal.exists():
        pytest.skip("the run was over before it could be killed")
    whole = journal.read_bytes().count(b"\n") - 1
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, check=True)
    assert f"400 images classified, {whole} of them by the stopped run" in done.stdout
    assert len(out.read_text().splitlines()) == 401


def test_the_speed_is_told(bundle, golden, tmp_path, capsys):
    assert main([bundle, str(golden), "--out", str(tmp_path / "t.csv")]) == 0
    assert re.search(
        r"\d+ images/s, decoding included; the inference took \d+%", capsys.readouterr().out
    )


def test_file_names_that_are_no_text_are_printed(bundle, golden, tmp_path):
    name = os.fsencode(tmp_path) + b"/cell-\xff.png"
    try:
        shutil.copy(golden / "lymphocyte.png", name)
    except OSError:
        pytest.skip("this file system takes no such names")
    done = subprocess.run(
        [sys.executable, "-m", "tflite.runtime", bundle, name],
        capture_output=True,
        cwd=Path(__file__).parents[3],
        env={**os.environ, "PYTHONUTF8": "1"},
        check=True,
    )
    assert done.stdout.startswith(name + b"\tlymphocyte\t")


def test_it_runs_as_a_program(bundle, golden):
    done = subprocess.run(
        [sys.executable, "-m", "tflite.runtime", bundle, str(golden / "lymphocyte.png")],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    assert "\tlymphocyte\t" in done.stdout
