from __future__ import annotations

import pandas as pd
import pytest

from lab_models.cli import main
from pipelines.datasets import open_dataset
from pipelines.manifest import read_manifest
from tests.pipelines.disk import manifest_of, write_bad_file


@pytest.mark.parametrize("words", [["pack"], ["data", "pack"]])
def test_packs_what_data_would_write(tmp_path, capsys, words):
    manifest_of(tmp_path / "cells", {"Lymphocytes": 6, "HAC": 6, "neutrophil": 3})
    source = str(tmp_path / "cells")
    chosen = ["--classes", "hal", "--split-by", "image", "--seed", "2", "--test", "0.2"]
    assert main([*words, source, "--out", str(tmp_path / "pack"), *chosen]) == 0
    said = capsys.readouterr().out
    assert "12 images of 2 classes" in said
    assert "12 images in 1 shard(s)" in said
    assert main(["data", source, "--write", str(tmp_path / "m.csv"), *chosen]) == 0
    written = read_manifest(tmp_path / "m.csv").table
    packed = open_dataset(tmp_path / "pack").table
    same = [name for name in written.columns if name != "path"]
    pd.testing.assert_frame_equal(packed[same], written[same])


def test_unreadable_images(tmp_path, capsys):
    manifest_of(tmp_path / "cells", {"x": 3, "y": 3})
    write_bad_file(tmp_path / "cells" / "y", "empty.jpg")
    words = ["pack", str(tmp_path / "cells"), "--out", str(tmp_path / "pack")]
    assert main(words) == 2
    assert "empty.jpg is empty or no image" in capsys.readouterr().err
    assert not (tmp_path / "pack").exists()
    assert main([*words, "--leave-out-unreadable"]) == 1
    assert "1 file(s) cannot be read and are left out" in capsys.readouterr().out
    assert "empty.jpg" in (tmp_path / "pack" / "quarantine.csv").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--shard-megabytes", "0"], "more than 0 megabytes"),
        (["--folds", "3"], "A pack holds one split"),
        (["--fraction-by", "slide"], "--fraction-by needs"),
        (["--option", "colour"], "NAME=VALUE"),
        (["--workers", "0"], "At least 1 worker"),
    ],
)
def test_bad_options_get_one_message(tmp_path, capsys, words, message):
    manifest_of(tmp_path / "cells", {"x": 3, "y": 3})
    out = tmp_path / "pack"
    assert main(["pack", str(tmp_path / "cells"), "--out", str(out), *words]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert message in said
    assert not out.exists()


@pytest.mark.parametrize("out", ["cells", "cells/pack", "cells/x/pack"])
def test_a_pack_inside_its_source_is_refused(tmp_path, capsys, out):
    manifest_of(tmp_path / "cells", {"x": 3, "y": 3})
    assert main(["pack", str(tmp_path / "cells"), "--out", str(tmp_path / out)]) == 2
    assert "which holds what is to be packed" in capsys.readouterr().err
    assert not list(tmp_path.rglob("shard-*"))


def test_a_pack_may_lie_beside_the_table_it_is_made_of(tmp_path):
    manifest_of(tmp_path / "cells", {"x": 3, "y": 3})
    table, out = str(tmp_path / "m.csv"), str(tmp_path / "pack")
    assert main(["data", str(tmp_path / "cells"), "--write", table]) == 0
    assert main(["pack", table, "--out", out]) == 0
    assert open_dataset(out).table["packed_from"][0] == "cells/x/0.png"


def test_an_interrupted_packing_says_how_to_go_on(tmp_path, capsys, monkeypatch):
    def stop(*arguments):
        raise KeyboardInterrupt

    manifest_of(tmp_path / "cells", {"x": 3, "y": 3})
    words = ["pack", str(tmp_path / "cells"), "--out", str(tmp_path / "pack")]
    monkeypatch.setattr("pipelines.shards.pack.write_pack", stop)
    assert main(words) == 130
    assert "repeat the command" in capsys.readouterr().err
    monkeypatch.undo()
    assert main(words) == 0
    assert "1 of them from an earlier call" in capsys.readouterr().out


def test_one_fold_may_be_packed(tmp_path):
    manifest_of(tmp_path / "cells", {"x": 6, "y": 6})
    words = ["pack", str(tmp_path / "cells"), "--out", str(tmp_path / "pack")]
    assert main([*words, "--folds", "3", "--fold", "2"]) == 0
    assert len(open_dataset(tmp_path / "pack").rows("test")) == 4
