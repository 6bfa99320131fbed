from __future__ import annotations

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from lab_models.backbones import backbone_spec
from lab_models.networks import Networks, build_networks
from lab_models.phases import HISTORY_COLUMNS, TrainingData, TrainingDivergedError, run_phases
from lab_models.recipes import EarlyStopping, Input, Optimizer, Phase, Recipe
from lab_models.runs import RunDirectory, RunError
from tflite.runtime.errors import LabError

STEPS = 3


def _batch(epoch: int, step: int, batch: int = 8):
    """Red against blue images, a function of epoch and step alone."""
    random = np.random.default_rng([epoch, step])
    labels = random.integers(0, 2, batch)
    images = random.uniform(0, 120, (batch, 32, 32, 3)).astype("float32")
    images[np.arange(batch), ..., labels * 2] += 120
    return images, np.eye(2, dtype="float32")[labels], np.ones(batch, "float32")


def _data(validation: bool = True) -> TrainingData:
    signature = (
        tf.TensorSpec((None, 32, 32, 3)), tf.TensorSpec((None, 2)), tf.TensorSpec((None,))
    )  # fmt: skip

    def batches_from(epoch: int):
        def stream():
            step = epoch * STEPS
            while True:
                yield _batch(*divmod(step, STEPS))
                step += 1

        return tf.data.Dataset.from_generator(stream, output_signature=signature)

    held_back = tf.data.Dataset.from_tensors(_batch(1000, 0, 16)) if validation else None
    return TrainingData(batches_from, STEPS, held_back)


def _recipe(*phases: Phase, backbone: str = "resnet10_half") -> Recipe:
    return Recipe("test", backbone, phases, weights="random", input=Input(32, 32))


def _networks(backbone: str = "resnet10_half") -> Networks:
    keras.utils.set_random_seed(7)
    contract = backbone_spec(backbone).contract(32, 32)
    return build_networks(_recipe(*PHASES, backbone=backbone), contract, ("red", "blue"))


def _train(networks, phases, data, run, callbacks=()):
    return run_phases(networks, _recipe(*phases), lambda phase: data, run, callbacks)


class _StopAt(keras.callbacks.Callback):
    """Stops like a kill: in the middle of an epoch, before anything is saved."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch, self.now = epoch, 0

    def on_epoch_begin(self, epoch, logs=None):
        self.now = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self.now == self.epoch and batch == 1:
            raise KeyboardInterrupt


PHASES = (
    Phase("top", "frozen", 2, optimizer=Optimizer("adam", 1e-2)),
    Phase(
        "all", "full", 4,
        optimizer=Optimizer("adamw", 1e-3, "cosine", warmup_epochs=1, weight_decay=0.01),
        average_weights=0.6, early_stopping=EarlyStopping("val_loss", 3),
    ),
)  # fmt: skip


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    run = RunDirectory(tmp_path_factory.mktemp("unbroken"))
    networks = _networks()
    history = _train(networks, PHASES, _data(), run)
    return networks.classifier.model.get_weights(), history


@pytest.mark.parametrize("epoch", [0, 1, 2, 4])
def test_a_stopped_run_ends_where_the_unbroken_one_does(tmp_path, unbroken, epoch):
    weights, history = unbroken
    run = RunDirectory(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        _train(_networks(), PHASES, _data(), run, (_StopAt(epoch),))
    resumed = _networks()
    resumed_history = _train(resumed, PHASES, _data(), run)
    columns = [c for c in HISTORY_COLUMNS if c != "seconds"]
    pd.testing.assert_frame_equal(resumed_history[columns], history[columns], rtol=1e-4)
    for mine, theirs in zip(resumed.classifier.model.get_weights(), weights):
        np.testing.assert_allclose(mine, theirs, atol=1e-5)


def test_history_on_disk_is_the_history_given(tmp_path):
    history = _train(_networks(), PHASES[:1], _data(), RunDirectory(tmp_path))
    on_disk = pd.read_csv(tmp_path / "history.csv")
    pd.testing.assert_frame_equal(on_disk, history)
    assert list(on_disk.columns) == list(HISTORY_COLUMNS)
    assert list(on_disk["epoch"]) == [1, 2]


def test_a_finished_phase_is_not_trained_again(tmp_path):
    run = RunDirectory(tmp_path)
    first = _networks()
    _train(first, PHASES[:1], _data(), run)
    again = _networks()
    history = _train(again, PHASES[:1], _data(), run)
    assert len(history) == 2
    weights = first.classifier.model.get_weights()
    for mine, theirs in zip(again.classifier.model.get_weights(), weights):
        np.testing.assert_array_equal(mine, theirs)


class _Spy(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.weights = []

    def on_epoch_end(self, epoch, logs=None):
        self.weights.append(self.model.get_weights())


def test_averaged_weights_are_validated_and_kept(tmp_path):
    phase = Phase("all", "full", 3, optimizer=Optimizer("adam", 1e-3), average_weights=0.5)
    networks, spy = _networks(), _Spy()
    history = _train(networks, (phase,), _data(), RunDirectory(tmp_path), (spy,))
    average = spy.weights[0]
    for epoch, weights in enumerate(spy.weights[1:], start=1):
        momentum = min(0.5, (1 + epoch) / (4 + epoch))
        average = [momentum * a + (1 - momentum) * w for a, w in zip(average, weights)]
    for mine, theirs in zip(networks.classifier.model.get_weights(), average):
        np.testing.assert_allclose(mine, theirs, atol=1e-5)
    loss, _ = networks.classifier.model.evaluate(_data().validation, verbose=0)
    assert loss == pytest.approx(history["val_loss"].iloc[-1], rel=1e-4)


def test_averaging_works_without_validation_images(tmp_path):
    phase = Phase("all", "full", 2, optimizer=Optimizer("adam", 1e-3), average_weights=0.5)
    networks, spy = _networks(), _Spy()
    _train(networks, (phase,), _data(validation=False), RunDirectory(tmp_path), (spy,))
    differing = [
        not np.allclose(a, b, atol=1e-7)
        for a, b in zip(networks.classifier.model.get_weights(), spy.weights[-1])
    ]
    assert any(differing)


def test_early_stopping_restores_the_best_epoch(tmp_path):
    # So high a rate makes the validation loss jump; the best epoch is not the last.
    phase = Phase(
        "wild", "full", 8, optimizer=Optimizer("adam", 0.1),
        early_stopping=EarlyStopping("val_loss", patience=2),
    )  # fmt: skip
    networks = _networks()
    history = _train(networks, (phase,), _data(), RunDirectory(tmp_path))
    best = history["val_loss"].idxmin()
    assert len(history) == min(8, best + 1 + 2)
    loss, _ = networks.classifier.model.evaluate(_data().validation, verbose=0)
    assert loss == pytest.approx(history["val_loss"].min(), rel=1e-3)


def test_plateau_cuts_the_rate(tmp_path):
    settings = Optimizer(
        "sgd", 1e-6, "plateau", plateau_patience=1, plateau_factor=0.5, plateau_min_delta=10
    )
    phase = Phase("slow", "frozen", 4, optimizer=settings)
    history = _train(_networks(), (phase,), _data(), RunDirectory(tmp_path))
    np.testing.assert_allclose(history["learning_rate"], [1e-6, 1e-6, 5e-7, 2.5e-7], rtol=1e-5)


def test_divergence_is_an_error_that_says_what_to_do(tmp_path):
    phase = Phase("wild", "full", 2, optimizer=Optimizer("sgd", 10.0))

    def poisoned(epoch):
        images, labels, weights = _batch(0, 0)
        return tf.data.Dataset.from_tensors((images * np.nan, labels, weights)).repeat()

    data = TrainingData(poisoned, STEPS, None)
    with pytest.raises(
        TrainingDivergedError, match=r"phase 'wild', step 1\. Lower the learning rate"
    ):
        _train(_networks(), (phase,), data, RunDirectory(tmp_path))
    assert not (tmp_path / "checkpoints" / "state.npz").exists()


def test_watching_needs_validation_images(tmp_path):
    with pytest.raises(LabError, match="Phase 'all' watches the validation loss"):
        _train(_networks(), PHASES, _data(validation=False), RunDirectory(tmp_path))


def test_a_damaged_or_foreign_checkpoint_is_named(tmp_path):
    run = RunDirectory(tmp_path)
    _train(_networks(), PHASES[:1], _data(), run)
    other = _networks("resnet18_half")
    with pytest.raises(RunError, match="does not fit this network"):
        _train(other, PHASES[:1], _data(), run)
    (run.checkpoints / "state.npz").write_bytes(b"broken")
    with pytest.raises(RunError, match=r"state\.npz is damaged"):
        _train(_networks(), PHASES[:1], _data(), run)


def test_mixed_precision_trains_to_finite_float32_weights(tmp_path):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        networks = _networks()
        history = _train(networks, PHASES[:1], _data(), RunDirectory(tmp_path))
    finally:
        keras.config.set_dtype_policy(before)
    assert np.isfinite(history["loss"]).all()
    assert {w.dtype for w in networks.classifier.model.get_weights()} == {np.dtype("float32")}
