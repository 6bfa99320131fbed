from __future__ import annotations

import json
import subprocess
import sys

import pytest

from lab_models.cli import main
from lab_models.sanity import run as sanity_run
from pipelines.smear import write_smears
from tests.lab_models.sanity.tiny import CHANGES, SMEARS, untrained


@pytest.fixture(scope="module")
def smears(tmp_path_factory):
    root = tmp_path_factory.mktemp("cli") / "smears"
    write_smears(root, SMEARS, workers=1)
    return root


def words(data, out, *more):
    changes = [f"--set={name}={json.dumps(value)}" for name, value in CHANGES.items()]
    return ["sanity", "--data", str(data), "--out", str(out), "--seeds", "0", *changes, *more]


def test_prints_tables_and_verdict_and_where_the_page_is(smears, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sanity_run, "find_or_train", untrained)
    assert main(words(smears, tmp_path, "--only", "subsets")) == 0
    said = capsys.readouterr().out
    assert "training 2 of 2: A+B+C, seed 0" in said
    assert "study HAL-T3002    0.4836 0.8825" in said
    assert "Of C, " in said
    assert f"page: {tmp_path / 'sanity.html'}" in said
    assert (tmp_path / "sanity.html").exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--only", "probe"], "tests must be among"),
        (["--column", "ward", "--only", "leave-one-out"], "no column 'ward'"),
        (["--class", "hair"], "no class 'hair'"),
        (["--set", "batch_size"], "--set takes FIELD=VALUE"),
        (["--recipe", "hal_t302"], "Did you mean"),
        (["--data", "/no/such/folder"], "/no/such/folder"),
        (["--confidence", "2"], "confidence must lie between 0 and 1"),
    ],
)
def test_one_clear_error_before_anything_is_trained(smears, tmp_path, capsys, more, message):
    assert main(words(smears, tmp_path / "out", *more)) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert message in err
    assert not (tmp_path / "out").exists()


def test_says_how_to_go_on_after_an_interruption(smears, tmp_path, capsys, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(sanity_run, "find_or_train", interrupt)
    assert main(words(smears, tmp_path)) == 130
    assert "to go on: the same command again" in capsys.readouterr().err


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from lab_models.cli import sanity; import argparse\n"
        "sanity.add_parser(argparse.ArgumentParser().add_subparsers())\n"
        "print([name for name in ('numpy', 'cv2', 'tensorflow') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_the_whole_command_trains_once_and_goes_on(smears, tmp_path, capsys):
    assert main(words(smears, tmp_path)) == 0
    runs = sorted(path.parent for path in tmp_path.glob("trainings/*/*/*/*/FINISHED"))
    assert len(runs) == 5  # two parts, three sources
    first = json.loads((tmp_path / "sanity.json").read_text())
    (runs[0] / "FINISHED").unlink()  # stopped between its last epoch and its end
    capsys.readouterr()
    assert main(words(smears, tmp_path)) == 0
    said = capsys.readouterr().out
    assert said.count("goes on with") == 1
    assert sorted(p.parent for p in tmp_path.glob("trainings/*/*/*/*/FINISHED")) == runs
    second = json.loads((tmp_path / "sanity.json").read_text())
    assert second["verdict"] == first["verdict"]
    assert main(words(smears, tmp_path, "--set", "batch_size=8")) == 2
    assert "another recipe: batch_size is 16 there, 8 now" in capsys.readouterr().err
