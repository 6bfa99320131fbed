"""Starting from the networks of an earlier run."""

from __future__ import annotations

from types import SimpleNamespace

import keras
import numpy as np
import pytest

from lab_models.runs import RunDirectory, RunError
from lab_models.start_from import load_start


def encoder(mean, variance, units=3):
    image = keras.Input((4, 4, 3))
    pixels = keras.layers.Normalization(mean=None)
    pixels.build((None, 4, 4, 3))
    pixels.adapt_mean.assign(np.full(3, mean, np.float32))
    pixels.adapt_variance.assign(np.full(3, variance, np.float32))
    pixels.finalize_state()
    pooled = keras.layers.GlobalAveragePooling2D()(pixels(image))
    return keras.Model(image, keras.layers.Dense(units)(pooled))


def networks(model):
    return SimpleNamespace(classifier=SimpleNamespace(encoder=model), projection=None)


def test_an_encoder_computes_as_the_one_it_was_taken_from(tmp_path):
    earlier, mine = encoder(100.0, 9.0), encoder(0.0, 1.0)
    earlier.save(tmp_path / "start_encoder.keras")
    load_start(RunDirectory(tmp_path), networks(mine))
    images = np.random.default_rng(0).uniform(0, 255, (2, 4, 4, 3)).astype(np.float32)
    np.testing.assert_allclose(mine(images), earlier(images), rtol=1e-6)


def test_an_encoder_of_another_shape_is_refused(tmp_path):
    encoder(0.0, 1.0, units=4).save(tmp_path / "start_encoder.keras")
    with pytest.raises(RunError, match="do not fit"):
        load_start(RunDirectory(tmp_path), networks(encoder(0.0, 1.0)))


def test_without_an_earlier_run_nothing_changes(tmp_path):
    model = encoder(3.0, 2.0)
    before = model.get_weights()
    load_start(RunDirectory(tmp_path), networks(model))
    for one, other in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)
