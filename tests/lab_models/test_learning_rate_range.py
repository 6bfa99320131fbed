"""The learning-rate range test."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from lab_models.callbacks import LearningRateRangeTest
from lab_models.report.figures import save_figure


@pytest.fixture(scope="module")
def line():
    generator = np.random.default_rng(0)
    x = generator.normal(size=(320, 4)).astype(np.float32)
    # Without noise the loss would reach 0, and nothing diverges from there.
    noise = generator.normal(size=(320, 1)).astype(np.float32)
    return x, x @ np.array([[1.0], [-2.0], [3.0], [0.5]], np.float32) + 0.3 * noise


def make_model(optimizer="sgd"):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
    model.compile(optimizer, "mse")
    return model


@pytest.mark.parametrize("scale", ["geometric", "linear"])
def test_rates_rise_as_planned_and_the_fit_ends(line, scale):
    model = make_model()
    test = LearningRateRangeTest(1e-5, 1e-2, 25, scale)
    model.fit(*line, batch_size=32, epochs=100, verbose=0, callbacks=[test])
    assert len(test.rates) == 25
    steps = np.diff(np.log(test.rates) if scale == "geometric" else test.rates)
    np.testing.assert_allclose(steps, steps[0], rtol=1e-6)
    assert (test.rates[0], test.rates[-1]) == (pytest.approx(1e-5), pytest.approx(1e-2))


def test_losses_are_those_of_single_batches(line):
    """With a rate of nearly nothing the weights stay, and every batch has its own loss."""
    x, y = line
    model = make_model()
    test = LearningRateRangeTest(1e-12, 2e-12, 20)
    model.fit(x, y, batch_size=32, epochs=9, shuffle=False, verbose=0, callbacks=[test])
    single = [np.mean((model(x[n : n + 32]) - y[n : n + 32]) ** 2) for n in range(0, 320, 32)]
    np.testing.assert_allclose(test.losses, single * 2, rtol=1e-3)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_model_and_optimiser_are_put_back(line, optimizer):
    x, y = line
    model, fresh = make_model(optimizer), make_model(optimizer)
    test = LearningRateRangeTest(1e-4, 1.0, 30)
    model.fit(x, y, epochs=50, verbose=0, callbacks=[test])
    assert float(model.optimizer.learning_rate) == float(fresh.optimizer.learning_rate)
    for trained in (model, fresh):
        trained.fit(x, y, epochs=2, shuffle=False, verbose=0)
    for one, other in zip(model.get_weights(), fresh.get_weights()):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_divergence_stops_it_and_the_suggestion_lies_below(line):
    test = LearningRateRangeTest(1e-4, 100.0, 200)
    make_model().fit(*line, batch_size=32, epochs=100, verbose=0, callbacks=[test])
    assert len(test.rates) < 200
    assert 1e-4 < test.suggestion < 0.5
    assert test.suggestion < test.rates[-1]


def test_a_loss_that_is_no_number_stops_it(line):
    x, y = line
    test = LearningRateRangeTest(1e-4, 1.0, 50)
    make_model().fit(x, y * np.nan, epochs=9, verbose=0, callbacks=[test])
    assert len(test.rates) == 1
    assert test.suggestion is None


def test_it_draws_itself(line, tmp_path):
    test = LearningRateRangeTest(1e-4, 1.0, 20)
    with pytest.raises(ValueError, match="has not run"):
        test.draw()
    make_model().fit(*line, epochs=9, verbose=0, callbacks=[test])
    assert save_figure(test.draw(), tmp_path / "range.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"lowest": 0}, "0 < lowest"),
        ({"lowest": 2.0, "highest": 1.0}, "0 < lowest"),
        ({"steps": 2}, "steps >= 3"),
        ({"scale": "square"}, "'square'"),
        ({"diverged": 1}, "diverged above 1"),
        ({"smoothing": 1}, "smoothing"),
    ],
)
def test_bad_arguments_are_refused(arguments, match):
    with pytest.raises(ValueError, match=match):
        LearningRateRangeTest(**arguments)


def test_schedules_and_grouped_steps_are_refused(line):
    schedule = keras.optimizers.schedules.CosineDecay(0.1, 10)
    with pytest.raises(ValueError, match="instead of a schedule"):
        make_model(keras.optimizers.SGD(schedule)).fit(
            *line, verbose=0, callbacks=[LearningRateRangeTest()]
        )
    model = make_model()
    model.compile("sgd", "mse", steps_per_execution=2)
    with pytest.raises(ValueError, match="steps_per_execution=1"):
        model.fit(*line, verbose=0, callbacks=[LearningRateRangeTest()])
