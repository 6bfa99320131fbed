"""Whole contrastive trainings, as small as they can be: three steps, the joint way, starts."""

from __future__ import annotations

import json
import shutil

import keras
import numpy as np
import pandas as pd
import pytest

from lab_models.cli import main
from lab_models.contrastive.collapse import FIGURES
from lab_models.recipes import get_recipe
from lab_models.runs import RunDirectory
from lab_models.train import go_on, load_recipe

COMPARE = {"classes_per_batch": 3, "images_per_class": 3}
VIEWS = {"rotation": 0.5, "horizontal_flip": True}


def _phase(name, task, trainable, epochs, **further):
    compared = {"batch_size": 9, "augment": VIEWS, "contrastive": COMPARE}
    return {
        "name": name, "task": task, "trainable": trainable, "epochs": epochs,
        **(compared if task != "classifier" else {}), **further,
    }  # fmt: skip


THREE_STEPS = [
    _phase("head", "projection", "frozen", 1, cached_views=3),
    _phase("both", "projection", "full", 2, average_weights=0.5),
    _phase("classifier", "classifier", "frozen", 2, augment=VIEWS, cached_views=2),
]


def words(data, runs, phases, *further, recipe="pbc_small_contrastive"):
    values = {
        "input.height": 32, "input.width": 32, "data.subset": "", "data.split.by": "auto",
        "batch_size": 8, "projection.units": 8, "phases": phases,
    }  # fmt: skip
    result = ["train", "--recipe", recipe, "--scale", "demo", "--data", str(data)]
    result += ["--out", str(runs), "--seed", "5"]
    for name, value in values.items():
        result += ["--set", f"{name}={json.dumps(value)}"]
    return [*result, *map(str, further)]


def newest(runs) -> RunDirectory:
    return RunDirectory(max(runs.glob("*/*"), key=lambda p: p.stat().st_mtime_ns))


@pytest.fixture(scope="module")
def contrastive_run(colour_folders, tmp_path_factory) -> RunDirectory:
    runs = tmp_path_factory.mktemp("contrastive")
    assert main(words(colour_folders, runs, THREE_STEPS)) == 0
    return newest(runs)


def test_leaves_the_projection_beside_the_classifier(contrastive_run):
    assert contrastive_run.finished.exists()
    projection = keras.saving.load_model(contrastive_run.projection)
    encoder = keras.saving.load_model(contrastive_run.encoder)
    images = np.random.default_rng(0).uniform(0, 255, (4, 32, 32, 3)).astype("float32")
    features = encoder.predict(images, verbose=0)
    np.testing.assert_allclose(
        projection.head.predict(features, verbose=0),
        projection.predict(images, verbose=0),
        atol=1e-5,
    )
    # The classifier stands on the same encoder and needs no code of ours to load.
    model = keras.saving.load_model(contrastive_run.model)
    assert "normalized_features" in [layer.name for layer in model.layers]
    for mine, theirs in zip(model.get_layer("pooled_features").output.shape, encoder.output.shape):
        assert mine == theirs


def test_history_names_the_steps_and_watches_for_collapse(contrastive_run):
    history = pd.read_csv(contrastive_run.history)
    assert list(history["phase"]) == ["head", "both", "both", "classifier", "classifier"]
    watched = history[list(FIGURES)].notna().all(axis=1)
    assert list(watched) == [True, True, True, False, False]
    assert np.isfinite(history["loss"]).all()
    assert np.isfinite(history["val_loss"]).all()
    assert list(history["accuracy"].notna()) == [False, False, False, True, True]


def test_stored_features_are_gone_when_their_phase_is_over(contrastive_run):
    assert not list(contrastive_run.path.rglob("*.npy"))


def test_the_report_shows_the_contrastive_training(contrastive_run):
    assert "effective rank" in contrastive_run.report.read_text(encoding="utf-8")


class _StopAfter(keras.callbacks.Callback):
    def __init__(self, epochs):
        super().__init__()
        self.epochs = epochs

    def on_epoch_end(self, epoch, logs=None):
        if epoch + 1 == self.epochs:
            raise KeyboardInterrupt


@pytest.mark.parametrize("epochs", [1, 2, 4])
def test_a_stopped_run_goes_on_to_the_same_end(contrastive_run, tmp_path, epochs):
    copy = RunDirectory(tmp_path / "copy")
    copy.path.mkdir()
    for path in (
        contrastive_run.recipe_json, contrastive_run.contract_json, contrastive_run.manifest,
        contrastive_run.quarantine, contrastive_run.environment,
    ):  # fmt: skip
        shutil.copy(path, copy.path)
    with pytest.raises(KeyboardInterrupt):
        go_on(copy, callbacks=(_StopAfter(epochs),), say=lambda line: None)
    go_on(copy, say=lambda line: None)
    mine, theirs = (pd.read_csv(r.predictions) for r in (copy, contrastive_run))
    scores = [column for column in mine if column.startswith("score:")]
    np.testing.assert_allclose(mine[scores], theirs[scores], atol=1e-5)


def test_a_classifier_on_the_encoder_of_another_run(contrastive_run, colour_folders, tmp_path):
    further = ("--encoder", contrastive_run.path, "--skip", "head", "--skip", "both")
    assert main(words(colour_folders, tmp_path, THREE_STEPS, *further)) == 0
    run = newest(tmp_path)
    assert [phase.name for phase in load_recipe(run).phases] == ["classifier"]
    before, after = (keras.saving.load_model(r.encoder) for r in (contrastive_run, run))
    for mine, theirs in zip(before.get_weights(), after.get_weights()):
        np.testing.assert_array_equal(mine, theirs)


def test_the_joint_way(colour_folders, tmp_path):
    phases = [_phase("joint", "joint", "full", 2, contrastive={**COMPARE, "micro_batch": 4})]
    assert main(words(colour_folders, tmp_path, phases, recipe="pbc_small_joint")) == 0
    history = pd.read_csv(newest(tmp_path).history)
    assert history[["accuracy", "val_accuracy", *FIGURES]].notna().all().all()


def _error(capsys, *arguments) -> str:
    assert main(words(*arguments)) == 2
    return capsys.readouterr().err


def test_starts_that_do_not_fit_are_named(contrastive_run, colour_folders, tmp_path, capsys):
    base = (colour_folders, tmp_path, THREE_STEPS, "--encoder", contrastive_run.path)
    error = _error(capsys, *base, "--set", "backbone=resnet18_half")
    assert "backbone is 'resnet10_half' there and 'resnet18_half' here" in error
    error = _error(capsys, *base, "--set", "projection.units=16")
    assert "projection is (units=8" in error
    error = _error(capsys, *base, "--seed", "6")
    assert "held back here were trained on" in error
    error = _error(capsys, *base, "--skip", "heads")
    assert "'heads' is no phase of pbc_small_contrastive; there are head, both" in error
    error = _error(capsys, colour_folders, tmp_path, THREE_STEPS, "--encoder", tmp_path)
    assert "is no run directory" in error
    assert not list(tmp_path.iterdir())


def _with(phase, **contrastive):
    return [{**phase, "contrastive": {**COMPARE, **contrastive}}]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"temperature": 0}, r"temperature must be a number above 0"),
        ({"classes_per_batch": 1, "images_per_class": 9}, "one class has no negatives"),
        ({"images_per_class": 4}, "3 x 4 = 12, got 9"),
        ({"classes_per_batch": 9, "images_per_class": 1}, "9 "),
        ({"loss": "supervised_minority", "minority": ["green", "gren"]}, "green"),
        ({"loss": "supcon"}, "loss must be one of supcon_out"),
    ],
)
def test_bad_contrastive_settings_are_named(colour_folders, tmp_path, capsys, changes, message):
    phases = _with(_phase("both", "projection", "full", 1), **changes)
    assert message in _error(capsys, colour_folders, tmp_path / "runs", phases)
    assert not (tmp_path / "runs").exists()


def test_no_units_are_named(colour_folders, tmp_path, capsys):
    error = _error(capsys, colour_folders, tmp_path, THREE_STEPS, "--set", "projection.units=0")
    assert "projection.units must be a whole number of at least 1, got 0" in error


def test_a_class_with_one_image_is_repeated_and_said_so(colour_folders, tmp_path, capsys):
    data = tmp_path / "data"
    shutil.copytree(colour_folders, data)
    (data / "rare").mkdir()
    shutil.copy(data / "grey" / "00.png", data / "rare" / "only.png")
    image = next((data / "rare").iterdir())
    image.write_bytes((data / "green" / "01.png").read_bytes())
    (data / "green" / "01.png").unlink()
    phases = [_phase("both", "projection", "full", 1), THREE_STEPS[2]]
    assert main(words(data, tmp_path / "runs", phases)) == 0
    assert "rare (1)" in capsys.readouterr().out


def test_values_of_the_study():
    for name, units, dropout in (("hal_c3001", 16, 0.3), ("hal_c3002", 128, 0.2),
                                 ("hal_c3003", 128, 0.3)):  # fmt: skip
        recipe = get_recipe(name)
        assert (recipe.projection.units, recipe.dropout) == (units, dropout)
        assert recipe.projection.dropout == 0.2
        assert recipe.batch_size == 16
        assert [p.epochs for p in recipe.phases] == [7, 10, 20]
        assert [p.optimizer.learning_rate for p in recipe.phases] == [1e-3, 1e-5, 1e-3]
        assert [p.trainable for p in recipe.phases] == ["frozen", "full", "frozen"]
        assert [p.task for p in recipe.phases] == ["projection", "projection", "classifier"]
        assert {p.contrastive.temperature for p in recipe.phases[:2]} == {0.1}
        assert recipe.augment_of(recipe.phases[1]).contrast == 0.5
        assert recipe.augment_of(recipe.phases[2]).contrast == 0.1
    validation = get_recipe("hal_c3001_validation")
    assert [p.epochs for p in validation.phases] == [7, 7, 20]
    assert [p.optimizer.learning_rate for p in validation.phases] == [1e-5, 1e-5, 1e-3]


def test_its_classifier_converts_to_int8(contrastive_run, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(contrastive_run.path, copy)
    # Nine validation images cannot bear the limits of parity; that all is int8 is checked anyway.
    assert main(["export", str(copy), "--allow-mismatch"]) == 0
    assert (copy / "tflite" / "model_int8.tflite").exists()
