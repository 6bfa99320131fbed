from __future__ import annotations

import keras
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab_models.monitoring import best_epoch, plateau_cuts, should_stop

losses = st.lists(st.integers(0, 20).map(lambda v: v / 10), min_size=1, max_size=40)


def test_best_epoch_follows_the_direction_of_the_monitor():
    assert best_epoch([3.0, 1.0, 2.0], "val_loss") == 1
    assert best_epoch([0.3, 0.1, 0.4], "val_accuracy") == 2


def test_small_gains_do_not_count():
    assert best_epoch([1.0, 0.95, 0.8], "val_loss", min_delta=0.1) == 2
    assert best_epoch([1.0, 0.95, 0.91], "val_loss", min_delta=0.1) == 0


def test_stops_after_patience_epochs_without_gain():
    assert not should_stop([1.0, 1.1, 1.2], "val_loss", patience=3)
    assert should_stop([1.0, 1.1, 1.2, 1.3], "val_loss", patience=3)
    assert not should_stop([], "val_loss", patience=1)


@given(losses, st.integers(1, 5), st.sampled_from([0.0, 0.15]))
def test_stops_when_keras_would(values, patience, min_delta):
    model = keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1)])
    theirs = keras.callbacks.EarlyStopping("val_loss", min_delta, patience, mode="min")
    theirs.set_model(model)
    model.stop_training = False
    theirs.on_train_begin()
    for epoch, value in enumerate(values):
        theirs.on_epoch_end(epoch, {"val_loss": value})
        assert should_stop(values[: epoch + 1], "val_loss", patience, min_delta) == bool(
            model.stop_training
        )
        if model.stop_training:
            break


@given(losses, st.integers(1, 5), st.sampled_from([0.0, 0.15]))
def test_cuts_when_keras_would(values, patience, min_delta):
    model = keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(1.0))
    theirs = keras.callbacks.ReduceLROnPlateau(
        "val_loss", factor=0.5, patience=patience, min_delta=min_delta, mode="min"
    )
    theirs.set_model(model)
    theirs.on_train_begin()
    for epoch, value in enumerate(values):
        theirs.on_epoch_end(epoch, {"val_loss": value})
        cuts = plateau_cuts(values[: epoch + 1], patience, min_delta)
        assert float(model.optimizer.learning_rate) == pytest.approx(0.5**cuts)
