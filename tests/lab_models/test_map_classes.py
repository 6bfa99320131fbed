"""Recipes that map the classes of the data before they train."""

from __future__ import annotations

import pandas as pd
import pytest

from lab_models.recipes import get_recipe
from lab_models.runs import read_json
from lab_models.sanity.parts import read_data
from lab_models.train import load_recipe, start_run
from pipelines.datasets import open_dataset
from pipelines.errors import ManifestError
from pipelines.manifest import make_manifest
from tests.pipelines.disk import manifest_of

FOLDERS = {"Lymphocytes": 12, "Monocyte": 12, "hairy cell": 4, "neutrophil": 6}
SHORT = {"data.subset": "", "data.split.by": "auto", "batch_size": 4}


def recipe_onto(classes):
    return get_recipe("pbc_tiny").at_scale("demo").changed({**SHORT, "data.map_classes": classes})


def start(classes, data, runs):
    said = []
    run = start_run(recipe_onto(classes), data, runs, say=said.append)
    return run, " ".join(said)


def test_the_run_records_what_was_mapped_and_what_was_left_out(tmp_path):
    manifest_of(tmp_path / "cells", FOLDERS)
    run, said = start("lymphocyte,monocyte,blast", tmp_path / "cells", tmp_path / "runs")
    assert run.classes == ("lymphocyte", "monocyte")
    table = pd.read_csv(run.manifest)
    pairs = set(zip(table["label_given"], table["label"]))
    assert pairs == {
        ("Lymphocytes", "lymphocyte"), ("hairy cell", "lymphocyte"), ("Monocyte", "monocyte"),
    }  # fmt: skip
    assert load_recipe(run).data.map_classes == "lymphocyte,monocyte,blast"
    environment = read_json(run.environment)
    assert environment["changes"]["data.map_classes"]["run"] == "lymphocyte,monocyte,blast"
    for words in (said, environment["split_statement"]):
        assert "6 image(s) left out: Among the classes asked for there is none of" in words
        assert "Classes asked for without any image: blast." in words


def test_a_manifest_is_mapped_once(tmp_path):
    folder = tmp_path / "cells"
    manifest_of(folder, FOLDERS)
    for manifest in (open_dataset(folder), open_dataset(folder, classes="monocyte,lymphocyte")):
        run, _ = start("monocyte,lymphocyte", manifest, tmp_path / "runs")
        assert run.classes == ("monocyte", "lymphocyte")
        assert set(pd.read_csv(run.manifest)["label_given"]) > {"Lymphocytes", "hairy cell"}


def test_sources_keep_the_order_of_the_classes(tmp_path):
    manifest = manifest_of(tmp_path, FOLDERS, source="here")
    recipe = recipe_onto("monocyte,lymphocyte").changed({"data.sources": ["here"]})
    run = start_run(recipe, manifest, tmp_path / "runs", say=lambda _: None)
    assert run.classes == ("monocyte", "lymphocyte")


def test_words_of_one_data_set_only_are_not_mapped_twice(tmp_path):
    manifest = manifest_of(tmp_path, {"real": 10, "fake": 10})
    run, _ = start("particles", make_manifest(manifest.table, tmp_path), tmp_path / "runs")
    assert run.classes == ("real", "fake")


def test_nothing_to_map_leaves_nothing_behind(tmp_path):
    manifest_of(tmp_path / "cells", {"zebra": 4, "gnu": 4})
    with pytest.raises(ManifestError, match=r"No class of .* can be mapped onto blast, monocyte"):
        start("blast,monocyte", tmp_path / "cells", tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_the_shortcut_test_maps_as_the_recipe_does(tmp_path):
    manifest_of(tmp_path, FOLDERS)
    assert read_data(tmp_path, classes="hal").manifest.classes == (
        "lymphocyte", "monocyte", "hairy_cell",
    )  # fmt: skip
    assert len(read_data(tmp_path).manifest.classes) == 4
