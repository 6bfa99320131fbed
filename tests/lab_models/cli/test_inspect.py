from __future__ import annotations

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


def test_a_foreign_folder_is_refused_before_the_work(tmp_path, capsys):
    manifest_of(tmp_path / "cells", {"x": 2})
    folder = str(tmp_path / "cells")
    assert main(["inspect", folder, "--out", folder]) == 2
    assert "not of an inspection" in capsys.readouterr().err
