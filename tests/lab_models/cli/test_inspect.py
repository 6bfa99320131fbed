from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab_models.cli import main
from pipelines.manifest import read_manifest
from tests.pipelines.disk import manifest_of, write_bad_file


@pytest.mark.parametrize("words", [["inspect"], ["data", "inspect"]])
def test_inspects_and_cleans(tmp_path, capsys, words):
    manifest = manifest_of(tmp_path / "cells", {"x": 3, "y": 2})
    manifest.path(1).write_bytes(manifest.path(0).read_bytes())
    write_bad_file(tmp_path / "cells" / "y", "empty.jpg")
    out = str(tmp_path / "out")
    assert main([*words, str(tmp_path / "cells"), "--out", out]) == 1
    said = capsys.readouterr().out
    assert "Exact duplicates [exact_duplicates]: 1 finding(s), 2 image(s)" in said
    assert "1 file(s) cannot be read" in said
    assert "page.html" in said
    assert (tmp_path / "out.measurements").is_dir()
    cleaned = str(tmp_path / "clean.csv")
    clean = [*words[:-1], "clean"]
    assert main([*clean, out, "--apply", "exact_duplicates", "--out", cleaned]) == 0
    assert "exact_duplicates: 1 image(s) left out" in capsys.readouterr().out
    assert len(read_manifest(cleaned)) == 4


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--setting", "blurrd=5"], "no setting 'blurrd'; there are repeats"),
        (["--setting", "repeats=2.5"], "takes a whole number"),
        (["--setting", "blurred=-1"], "blurred must be above 0"),
        (["--setting", "blurred"], "NAME=VALUE"),
    ],
)
def test_bad_settings_are_told_before_anything_is_read(tmp_path, capsys, words, message):
    assert main(["inspect", str(tmp_path), "--out", str(tmp_path / "out"), *words]) == 2
    assert message in capsys.readouterr().err


def test_no_measurements_are_kept_if_not_wanted(tmp_path):
    manifest_of(tmp_path / "cells", {"x": 2})
    words = [str(tmp_path / "cells"), "--out", str(tmp_path / "out"), "--no-cache"]
    assert main(["inspect", *words]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cells", "out"]


def test_a_terminal_shows_what_is_being_done(tmp_path, capsys, monkeypatch):
    manifest_of(tmp_path / "cells", {"x": 2})
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert main(["inspect", str(tmp_path / "cells"), "--out", str(tmp_path / "out")]) == 0
    shown = capsys.readouterr().err.split("\r\033[K")
    assert "images measured: 2 of 2" in shown
    assert "parts compared for near duplicates: 1 of 1" in shown
    assert "looking for: likely wrong labels: 11 of 11" in shown
    assert shown[-2:] == ["writing the page", ""]


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.05)


def children_of(process):
    return [
        int(word) for word in Path(f"/proc/{process}/task/{process}/children").read_text().split()
    ]


def runs(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_inspection_leaves_nothing_half_written_and_goes_on(tmp_path, how):
    manifest_of(tmp_path / "cells", {"x": 400, "y": 400})
    words = ["inspect", str(tmp_path / "cells"), "--out", str(tmp_path / "out"), "--workers", "2"]
    code = "from lab_models.cli import main; raise SystemExit(main())"
    command = [sys.executable, "-c", code, *words]
    kept = tmp_path / "out.measurements"
    with subprocess.Popen(command, start_new_session=True, stderr=subprocess.PIPE) as running:
        wait_for(lambda: kept.is_dir() and any(kept.iterdir()))
        children = children_of(running.pid)
        if how == signal.SIGINT:
            os.killpg(running.pid, how)  # as a terminal does: workers get it too
        else:
            running.send_signal(how)
        said = running.communicate(timeout=60)[1].decode()
    assert "Traceback" not in said
    assert children
    wait_for(lambda: not any(map(runs, children)))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cells", "out.measurements"]
    before = {path.name: path.stat().st_mtime_ns for path in kept.glob("*.npz")}
    assert main(words) == 0
    after = {path.name: path.stat().st_mtime_ns for path in kept.glob("*.npz")}
    assert before.items() <= after.items()
    assert len(after) == 8


@pytest.mark.parametrize("words", [[], ["--no-cache"]])
def test_ctrl_c_says_how_to_go_on(tmp_path, capsys, monkeypatch, words):
    def stop(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("pipelines.inspection.inspector.inspect_dataset", stop)
    manifest_of(tmp_path / "cells", {"x": 1, "y": 1})
    main(["inspect", str(tmp_path / "cells"), "--out", str(tmp_path / "out"), *words])
    assert ("to go on: repeat the command" in capsys.readouterr().err) == (not words)


def test_a_foreign_folder_is_refused_before_the_work(tmp_path, capsys):
    manifest_of(tmp_path / "cells", {"x": 2})
    folder = str(tmp_path / "cells")
    assert main(["inspect", folder, "--out", folder]) == 2
    assert "not of an inspection" in capsys.readouterr().err
