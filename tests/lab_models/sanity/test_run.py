from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from lab_models.sanity import run as sanity_run
from lab_models.sanity.run import run_sanity
from lab_models.sanity.settings import MaskSettings, ProbeSettings, SanityError, SanitySettings
from lab_models.sanity.text import results_text
from pipelines.datasets import open_dataset
from pipelines.manifest import write_manifest
from tests.lab_models.sanity.tiny import tiny_recipe, untrained

QUIET = {"say": lambda line: None}


@pytest.fixture(scope="module")
def tested(smears, tmp_path_factory):
    """Everything, on untrained networks: the folder and the results."""
    folder = tmp_path_factory.mktemp("out")
    settings = SanitySettings(
        seeds=(0,),
        masks=MaskSettings(examples=2),
        probes=ProbeSettings(folds=2, iterations=100),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sanity_run, "find_or_train", untrained)
        return folder, run_sanity(tiny_recipe(), smears, folder, settings, **QUIET)


def test_everything_is_tested(tested):
    _, results = tested
    assert {(t.part, t.on) for t in results.tested} == {
        (part, on) for part in ("part_1", "part_2") for on in ("A+B", "C", "D")
    }
    assert {left.source for left in results.left_out} == {"WBCTest", "WBCTrain", "hairy_db"}
    assert results.single_source["part_2"] == {"hairy_cell": "hairy_db"}
    assert {m.on for m in results.masked} == {"A+B", "C", "A+C"}
    assert {p.probe.column for p in results.probed} == {"source", "slide"}
    assert len(results.examples) == 4


def test_page_and_tables_are_written(tested):
    folder, results = tested
    page = (folder / "sanity.html").read_text()
    assert "http" not in page.replace("http://www.w3.org", "")
    for part in ("Verdict", "Beside the study", "Probes", "Masks", "Leave one source out"):
        assert part in page
    content = json.loads((folder / "sanity.json").read_text())
    assert content["focus"] == "hairy_cell"
    assert content["verdict"][0] in results_text(results)
    assert len(list((folder / "plots").glob("confusion_*.png"))) == 4
    assert not list(folder.glob(".*"))


def test_the_figures_are_those_of_the_answers(tested):
    folder, _ = tested
    table, answers = pd.read_csv(folder / "sanity.csv"), pd.read_csv(folder / "answers.csv")
    assert set(table["test"]) == {"subsets", "masks", "probes", "leave-one-out"}
    for (part, on), rows in answers.groupby(["part", "on"]):
        chosen = table[(table["test"] == "subsets") & (table["part"] == part) & (table["on"] == on)]
        stored = chosen.set_index("figure")["value"]
        right = rows["label"] == rows["predicted"]
        assert stored["accuracy"] == pytest.approx(right.mean(), abs=1e-5)
        called = (rows["predicted"] == "hairy_cell") & (rows["label"] != "hairy_cell")
        assert stored["called_focus"] == called.sum()


def test_no_network_is_tested_on_what_it_was_trained_on(tested):
    folder, results = tested
    answers = pd.read_csv(folder / "answers.csv")
    for part in ("part_1", "part_2"):
        used = pd.read_csv(f"{results.runs[f'{part}, seed 0']}/manifest.csv")
        trained = set(used["path"][used["split"] == "train"])
        assert not trained & set(answers["path"][answers["part"] == part])


def test_answers_are_those_of_the_run_itself(tested):
    """Images reach the network here as they do in the run's own report."""
    folder, results = tested
    answers = pd.read_csv(folder / "answers.csv")
    reported = pd.read_csv(f"{results.runs['part_1, seed 0']}/predictions.csv")
    reported = reported[reported["split"] == "test"].set_index("path")
    ours = answers[(answers["part"] == "part_1") & (answers["on"] == "A+B")].set_index("path")
    assert set(ours.index) == set(reported.index)
    scores = reported.filter(like="score:").max(axis=1)
    np.testing.assert_allclose(ours["score"], scores[ours.index], atol=1e-5)


def test_data_without_subsets(smears, tmp_path, monkeypatch):
    monkeypatch.setattr(sanity_run, "find_or_train", untrained)
    manifest = open_dataset(smears)
    manifest = manifest.with_table(manifest.table.drop(columns=["subset", "split"]))
    write_manifest(manifest, tmp_path / "cells.csv", rebase=True)
    settings = SanitySettings(seeds=(0,), tests=("probes", "masks"))
    out = tmp_path / "out"
    results = run_sanity(tiny_recipe(), tmp_path / "cells.csv", out, settings, **QUIET)
    assert results.trained_on == {"all": "all images"}
    assert {m.on for m in results.masked} == {"validation"}
    assert results.probed
    assert "Beside the study" not in (out / "sanity.html").read_text()


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"focus": "hair"}, "no class 'hair'"), ({"column": "ward", "tests": ("probes",)}, "'ward'")],
)
def test_what_is_wrong_is_said_before_anything_is_trained(smears, tmp_path, settings, message):
    with pytest.raises(SanityError, match=message):
        run_sanity(tiny_recipe(), smears, tmp_path, SanitySettings(**settings), **QUIET)
    assert not list(tmp_path.iterdir())


def test_data_that_is_not_there(tmp_path):
    with pytest.raises(ValueError, match="nothing at"):
        run_sanity(tiny_recipe(), tmp_path / "no", tmp_path, **QUIET)
