"""The command ``compare-study``: trains, reuses, goes on, and writes table and page."""

from __future__ import annotations

import shutil

import keras
import pandas as pd
import pytest

from lab_models.cli import main
from lab_models.recipes import get_recipe
from lab_models.runs import RunDirectory
from lab_models.study_comparison import compare_study, find_or_start
from lab_models.study_settings import StudyComparisonSettings
from lab_models.train import go_on, start_run
from tests.integration.conftest import draw_classes

RECIPES = ("hal_r", "hal_t3002")
CHANGES = {
    "input.height": 32,
    "input.width": 32,
    "batch_size": 8,
    "data.split.test": 0.2,
}
OWN = {
    "hal_r": {"phases.0.optimizer.warmup_epochs": 0, "phases.0.epochs": 1},
    "hal_t3002": {"phases.1.optimizer.warmup_epochs": 0, "phases.1.epochs": 1},
}
SETTINGS = StudyComparisonSettings(recipes=RECIPES, changes=CHANGES, own_changes=OWN)


def words(data, runs, *further):
    changes = [f"{field}={value}" for field, value in CHANGES.items()]
    changes += [f"{name}:{f}={v}" for name, fields in OWN.items() for f, v in fields.items()]
    given = ["compare-study", "--recipes", *RECIPES, "--data", str(data), "--out", str(runs)]
    return [*given, *(word for change in changes for word in ("--set", change)), *further]


@pytest.fixture(scope="module")
def compared(colour_folders, tmp_path_factory):
    """A folder of runs after the command: HAL-R was stopped before, HAL-T is new."""
    runs = tmp_path_factory.mktemp("compared")

    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise KeyboardInterrupt

    stopped = start_run(SETTINGS.recipe("hal_r", 0), colour_folders, runs, say=lambda _: None)
    with pytest.raises(KeyboardInterrupt):
        go_on(stopped, callbacks=(Stop(),), say=lambda _: None)
    assert main(words(colour_folders, runs)) == 0
    return runs, stopped


def test_a_stopped_training_goes_on_and_the_others_are_added(compared):
    runs, stopped = compared
    assert [path.name for path in (runs / "hal_r").iterdir()] == [stopped.path.name]
    assert len(list(runs.glob("*/*/FINISHED"))) == 2


def test_table_and_page_hold_both_models(compared):
    runs, _ = compared
    table = pd.read_csv(runs / "compare_study.csv")
    pairs = set(zip(table["recipe"], table["split"]))
    assert pairs == {(name, split) for name in RECIPES for split in ("test", "validation")}
    assert table["training_seconds"].gt(0).all()
    assert table["focus_images"].isna().all()  # no hairy cells among plain colours
    page = (runs / "compare_study.html").read_text()
    assert "HAL-T3002 against HAL-R" in page.replace("\xa0", " ")
    assert not list(runs.rglob(".*"))


def test_a_second_call_trains_nothing(compared, colour_folders, capsys, monkeypatch):
    runs, _ = compared
    monkeypatch.setattr(
        "lab_models.study_comparison.go_on", lambda *_, **__: pytest.fail("trained")
    )
    before = sorted(path.name for path in runs.glob("*/*"))
    assert main(words(colour_folders, runs)) == 0
    assert sorted(path.name for path in runs.glob("*/*")) == before
    printed = capsys.readouterr().out
    assert "[2 of 2] hal_t3002, seed 0: finished before" in printed
    assert "88.21 %" in printed  # the study's
    assert "cannot be seen" in printed  # random weights all over


@pytest.mark.parametrize("change", ["recipe", "seed", "image", "label"])
def test_other_data_recipe_or_seed_is_trained_anew(compared, tmp_path, change, monkeypatch):
    runs, _ = compared
    trained = []
    monkeypatch.setattr("lab_models.study_comparison.go_on", lambda run, say: trained.append(run))
    monkeypatch.setattr("lab_models.study_comparison.read_study_run", lambda *_: None)
    monkeypatch.setattr("lab_models.study_comparison.put_together", lambda *_: None)
    changes, seeds = dict(CHANGES), (0,)
    data = draw_classes(tmp_path / "colours")
    copy = tmp_path / "runs"
    shutil.copytree(runs, copy)
    for path in copy.glob("*/*/environment.json"):
        text = path.read_text()
        root = pd.read_json(path, typ="series")["data_root"]
        path.write_text(text.replace(root, str(data)))
    if change == "recipe":
        changes["dropout"] = 0.3
    elif change == "seed":
        seeds = (1,)
    elif change == "image":
        (data / "green" / "00.png").unlink()
    else:
        (data / "green" / "00.png").rename(data / "grey" / "zz.png")
    settings = StudyComparisonSettings(
        recipes=("hal_t3002",),
        changes=changes,
        seeds=seeds,
        own_changes={"hal_t3002": OWN["hal_t3002"]},
    )
    compare_study(settings, data, copy, say=lambda _: None)
    (run,) = trained
    assert not (runs / "hal_t3002" / run.path.name).exists()


def test_a_run_of_another_version_is_named_and_not_used(compared, colour_folders, tmp_path):
    runs, _ = compared
    copy = tmp_path / "runs"
    shutil.copytree(runs, copy)
    (recipe,) = copy.glob("hal_r/*/recipe.json")
    recipe.write_text(recipe.read_text().replace('"dropout"', '"drop_out"'))
    new = start_run(SETTINGS.recipe("hal_r", 0), colour_folders, copy, say=lambda _: None)
    said = []
    run, done = find_or_start(
        SETTINGS.recipe("hal_r", 0), colour_folders, copy, tmp_path, said.append, said.append
    )
    # The one that was laid down and never trained goes on.
    assert (run, done) == (new, False)
    assert len(list((copy / "hal_r").iterdir())) == 2
    assert any(str(recipe.parent) in line and "cannot be read" in line for line in said)


def test_equal_data_and_recipe_are_recognised(compared, colour_folders, monkeypatch):
    runs, _ = compared
    monkeypatch.setattr(
        "lab_models.study_comparison.go_on", lambda *_, **__: pytest.fail("trained")
    )
    comparison = compare_study(SETTINGS, colour_folders, runs, say=lambda _: None)
    assert [run.reused for run in comparison.runs] == [True, True]
    assert comparison.split == "test"
    assert [(t.first, t.second, t.seed) for t in comparison.tests] == [(*RECIPES, 0)]


@pytest.mark.parametrize(
    ("further", "message"),
    [
        (["--recipes", *RECIPES, "hal_t9"], "no recipe 'hal_t9'"),
        (["--scale", "huge"], "has no scale 'huge'"),
        (["--seeds", "1", "1"], "seeds must be one or more different ones"),
        (["--recipes", "hal_t3002"], "Changes are given for hal_r"),
        (["--set", "hal_r:phases.7.epochs=1"], "no field of a recipe"),
        (["--set", "hal_r:data.split.validation=0.4"], "different images or splits"),
        (["--data", "/no/such/folder"], "/no/such/folder"),
    ],
)
def test_bad_input_gives_one_message_and_leaves_nothing(
    further, message, colour_folders, tmp_path, capsys
):
    runs = tmp_path / "runs"
    assert main(words(colour_folders, runs, *further)) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.startswith("error: ")
    assert not runs.exists()


def test_a_training_that_fails_keeps_the_finished_ones(compared, colour_folders, tmp_path):
    runs, _ = compared
    copy = tmp_path / "runs"
    shutil.copytree(runs, copy)
    shutil.rmtree(copy / "hal_t3002")
    settings = StudyComparisonSettings(
        recipes=RECIPES,
        weights="/no/such.weights.h5",
        changes=CHANGES,
        own_changes=OWN,
    )
    with pytest.raises(ValueError, match="No weights file"):
        compare_study(settings, colour_folders, copy, say=lambda _: None)
    assert [path.name for path in copy.iterdir() if path.is_dir()] == ["hal_r"]
    assert RunDirectory(next((copy / "hal_r").iterdir())).finished.exists()


def test_the_control_keeps_its_random_weights():
    settings = StudyComparisonSettings(recipes=RECIPES, scale="full", weights="imagenet")
    assert settings.recipe("hal_r", 0).weights == "random"
    assert settings.recipe("hal_t3002", 7).weights == "imagenet"
    assert settings.recipe("hal_t3002", 7).seed == 7
    assert get_recipe("hal_t3002").changed({"seed": 7}) == settings.recipe("hal_t3002", 7)
