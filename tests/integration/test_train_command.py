from __future__ import annotations

import json
import shutil

import keras
import numpy as np
import pandas as pd
import pytest

from lab_models.cli import main
from lab_models.runs import RunDirectory
from lab_models.train import go_on, load_recipe
from tests.integration.conftest import draw_classes, train_words


def test_leaves_every_file_of_a_run(finished_run):
    for path in (
        finished_run.recipe_json, finished_run.contract_json, finished_run.manifest,
        finished_run.quarantine, finished_run.environment, finished_run.history,
        finished_run.model, finished_run.encoder, finished_run.predictions,
        finished_run.features, finished_run.metrics, finished_run.report,
        finished_run.model_card, finished_run.finished,
    ):  # fmt: skip
        assert path.exists(), path.name
    assert not list(finished_run.path.rglob(".*"))  # no temporary files left


def test_records_what_was_changed_from_the_recipe(finished_run):
    changes = json.loads(finished_run.environment.read_text())["changes"]
    assert changes["batch_size"] == {"recipe": 32, "run": 8}
    assert changes["seed"]["run"] == 5
    assert load_recipe(finished_run).batch_size == 8


def test_history_covers_both_phases(finished_run):
    history = pd.read_csv(finished_run.history)
    assert list(history["phase"]) == ["head", "all", "all"]
    assert np.isfinite(history.select_dtypes("number").to_numpy()).all()


def test_predictions_can_be_traced_and_repeated(finished_run, colour_folders):
    from tflite.runtime.preprocess import prepare_image

    table = pd.read_csv(finished_run.predictions)
    manifest = pd.read_csv(finished_run.manifest)
    assert list(manifest.loc[table["index"], "path"]) == list(table["path"])
    assert set(table["split"]) <= {"validation", "test"}
    model = keras.saving.load_model(finished_run.model)
    images = [prepare_image(colour_folders / p, finished_run.contract) for p in table["path"]]
    scores = model.predict(np.stack(images).astype("float32"), verbose=0)
    columns = [f"score:{name}" for name in finished_run.classes]
    np.testing.assert_allclose(table[columns].to_numpy(), scores, atol=1e-5)
    with np.load(finished_run.features) as stored:
        np.testing.assert_array_equal(stored["index"], table["index"])
        np.testing.assert_allclose(np.linalg.norm(stored["features"], axis=1), 1, atol=1e-5)


def test_the_saved_model_carries_no_optimiser_and_no_own_code(finished_run):
    model = keras.saving.load_model(finished_run.model)
    assert not getattr(model, "optimizer", None)
    encoder = keras.saving.load_model(finished_run.encoder)
    assert encoder.output_shape[1:] == (256,)


class _Stop(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        if epoch == 1:
            raise KeyboardInterrupt


def test_a_stopped_run_goes_on_to_the_same_end(finished_run, tmp_path):
    copy = RunDirectory(tmp_path / "copy")
    copy.path.mkdir()
    for path in (
        finished_run.recipe_json, finished_run.contract_json, finished_run.manifest,
        finished_run.quarantine, finished_run.environment,
    ):  # fmt: skip
        shutil.copy(path, copy.path)
    with pytest.raises(KeyboardInterrupt):
        go_on(copy, callbacks=(_Stop(),))
    assert not copy.finished.exists()
    assert main(["train", "--resume", str(copy.path)]) == 0
    first, second = (pd.read_csv(r.predictions) for r in (finished_run, copy))
    pd.testing.assert_frame_equal(first, second, atol=1e-4)


def test_a_finished_run_is_not_trained_again(finished_run, capsys):
    assert main(["train", "--resume", str(finished_run.path)]) == 2
    assert "is finished already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "--recipe", "hal_t302"], "Did you mean 'hal_t3002'"),
        (["train", "--scale", "huge"], "has no scale 'huge'"),
        (["train", "--set", "batch_size"], "--set takes FIELD=VALUE"),
        (["train", "--set", "data.map_classes=mars"], "There is no set of classes 'mars'"),
        (
            [
                "train", "--set", "batch_size=0", "--set", "dropout=7",
                "--set", "phases.0.epochs=-1",
            ],
            "3 bad fields",
        ),
        (["train", "--data", "/no/such/folder"], "/no/such/folder"),
        (["train", "--resume", "/no/such/run"], "a run directory was expected"),
        (["evaluate", "/no/such/run"], "/no/such/run"),
        (["export", "/no/such/run"], "/no/such/run"),
        (["recipes", "hal"], "There is no recipe 'hal'"),
    ],
)  # fmt: skip
def test_bad_input_gives_one_message_and_leaves_nothing(words, message, capsys, tmp_path):
    words = [*words, "--out", str(tmp_path / "runs")] if words[0] == "train" else words
    assert main(words) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert message in err
    assert "Traceback" not in err
    assert not (tmp_path / "runs").exists()


def _spoil(folder, how):
    if how == "one class":
        for name in ("green", "grey"):
            shutil.rmtree(folder / name)
    elif how == "one image per class":
        for path in folder.rglob("*.png"):
            if int(path.stem):
                path.unlink()
    elif how == "few images":
        for path in sorted(folder.rglob("*.png")):
            if int(path.stem) > 2:
                path.unlink()


@pytest.mark.parametrize(
    ("how", "message"),
    [("one class", "class"), ("one image per class", "Add images"), ("few images", "batch")],
)
def test_data_unfit_to_train_is_refused_before_anything_is_written(how, message, capsys, tmp_path):
    folder = draw_classes(tmp_path / "data")
    _spoil(folder, how)
    assert main(train_words(folder, tmp_path / "runs")) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_unreadable_files_are_left_out_named_and_kept(capsys, tmp_path):
    from lab_models.recipes import get_recipe
    from lab_models.train import start_run
    from tests.integration.conftest import TINY

    folder = draw_classes(tmp_path / "data")
    bad = folder / "green" / "bad.png"
    bad.write_bytes(b"no image")
    (folder / "grey" / "empty.jpg").touch()
    recipe = get_recipe("pbc_small").at_scale("demo").changed(TINY)
    run = start_run(recipe, folder, tmp_path / "runs")
    assert sorted(pd.read_csv(run.quarantine)["path"]) == ["green/bad.png", "grey/empty.jpg"]
    assert "green/bad.png" not in set(pd.read_csv(run.manifest)["path"])
    assert bad.exists()
    assert "2 files cannot be read" in capsys.readouterr().out


def test_missing_images_of_a_run_are_named(tmp_path, capsys):
    from lab_models.recipes import get_recipe
    from lab_models.train import start_run
    from tests.integration.conftest import TINY

    folder = draw_classes(tmp_path / "data")
    recipe = get_recipe("pbc_small").at_scale("demo").changed(TINY)
    run = start_run(recipe, folder, tmp_path / "runs")
    (folder / "green" / "00.png").unlink()
    assert main(["train", "--resume", str(run.path)]) == 2
    assert "green/00.png" in capsys.readouterr().err
    shutil.rmtree(folder)
    assert main(["train", "--resume", str(run.path)]) == 2
    assert "no longer at" in capsys.readouterr().err


def test_weights_that_are_not_there_leave_no_run(colour_folders, tmp_path, capsys):
    words = [*train_words(colour_folders, tmp_path / "runs"), "--weights", "/no/such.weights.h5"]
    assert main(words) == 2
    assert "No weights file at /no/such.weights.h5" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_class_weights_balanced_sampling_and_mixed_precision_train_too(colour_folders, tmp_path):
    words = train_words(colour_folders, tmp_path)
    for change in (
        'precision="mixed_bfloat16"', 'data.sampling="balanced"', 'data.class_weights="effective"',
        "augment.rand_augment_operations=1", 'phases.0.loss.name="focal"',
        'phases.1.optimizer.name="lion"',
    ):  # fmt: skip
        words += ["--set", change]
    assert main(words) == 0
