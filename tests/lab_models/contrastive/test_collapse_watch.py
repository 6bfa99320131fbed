from __future__ import annotations

import csv
import warnings

import keras
import numpy as np
import pytest

from lab_models.contrastive.collapse import CollapseFigures, CollapseSettings
from lab_models.contrastive.collapse_watch import CollapsedError, CollapseWarning, CollapseWatch
from tflite.runtime.errors import LabError

UNITS = 3
GENERATOR = np.random.default_rng(0)
IMAGES = GENERATOR.integers(0, 256, (20, 4, 4, 3)).astype(np.uint8)
LABELS = np.repeat([0, 1], 10)


def figures_of(cosine: float) -> CollapseFigures:
    return CollapseFigures(cosine, 1.5, 0.1, -1.0)


def tiny_model(bias: float = 0.0) -> keras.Model:
    """Embeddings as they come; a large bias puts all of them near one point."""
    keras.utils.set_random_seed(0)
    pixels = keras.Input((4, 4, 3))
    x = keras.layers.Rescaling(1 / 127.5, -1)(keras.layers.Flatten()(pixels))
    outputs = keras.layers.Dense(UNITS, bias_initializer=keras.initializers.Constant(bias))(x)
    model = keras.Model(pixels, outputs)
    model.compile(keras.optimizers.SGD(1e-5), "mse")
    return model


def fit(model: keras.Model, watch: CollapseWatch, epochs: int = 5, **options):
    batch = IMAGES.astype(np.float32), np.zeros((len(IMAGES), UNITS), np.float32)
    callbacks = [watch, *options.pop("callbacks", ())]
    return model.fit(*batch, epochs=epochs, verbose=0, callbacks=callbacks, **options)


class TestHealthyTraining:
    def test_figures_stand_in_the_history_and_for_later_callbacks(self, tmp_path):
        watch = CollapseWatch(IMAGES, LABELS)
        logger = keras.callbacks.CSVLogger(tmp_path / "history.csv")
        history = fit(tiny_model(), watch, epochs=3, callbacks=[logger]).history
        with (tmp_path / "history.csv").open() as file:
            rows = list(csv.DictReader(file))
        for name in ("mean_cosine", "effective_rank", "alignment", "uniformity"):
            values = [getattr(figures, name) for figures in watch.epochs]
            assert history[name] == values
            assert [float(row[name]) for row in rows] == values

    def test_the_default_is_the_model_that_is_trained(self):
        model = tiny_model()
        watch, other = CollapseWatch(IMAGES, LABELS), CollapseWatch(IMAGES, LABELS, embed=model)
        fit(model, watch, epochs=1, callbacks=[other])
        assert watch.epochs == other.epochs

    def test_embed_may_be_any_function_and_batches_do_not_matter(self):
        def embed(images):
            assert images.dtype == np.float32
            return images.reshape(len(images), -1)

        model = tiny_model()
        watches = [CollapseWatch(IMAGES, LABELS, embed, batch_size=size) for size in (3, 64)]
        fit(model, watches[0], epochs=1, callbacks=watches[1:])
        first, second = (watch.epochs[0].to_dict() for watch in watches)
        assert first == pytest.approx(second)

    def test_another_fit_starts_anew(self):
        model, watch = tiny_model(), CollapseWatch(IMAGES, np.eye(2)[LABELS])
        for _ in range(2):
            fit(model, watch, epochs=2)
            assert len(watch.epochs) == 2


class TestCollapse:
    def test_raises_after_patience_and_later_callbacks_saw_the_last_epoch(self):
        model, seen = tiny_model(bias=1000.0), []
        keeper = keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: seen.append(logs["mean_cosine"])
        )
        watch = CollapseWatch(IMAGES, LABELS, settings=CollapseSettings(patience=3))
        with pytest.raises(CollapsedError) as caught:
            fit(model, watch, callbacks=[keeper])
        assert len(seen) == len(watch.epochs) == 3
        message = str(caught.value)
        for part in (
            "embeddings of 20 images",
            "mean cosine 1.000000 (limit 0.9999)",
            "effective rank 1.0 of 3",
            "3 epochs in a row, up to epoch 3",
            "encoder frozen",
            "learning rate (now 1e-05)",
            "class batches",
            "larger batch",
            "temperature",
        ):
            assert part in message
        assert isinstance(caught.value, LabError)

    def test_the_zero_vector_is_caught(self):
        watch = CollapseWatch(IMAGES, LABELS, embed=lambda images: np.zeros((len(images), 4)))
        with pytest.raises(CollapsedError, match=r"mean cosine 1\.000000"):
            fit(tiny_model(), watch)

    @pytest.mark.parametrize(("action", "epochs"), [("stop", 2), ("warn", 5)])
    def test_stop_and_warn_say_it_once(self, action, epochs):
        watch = CollapseWatch(IMAGES, LABELS, action=action)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", CollapseWarning)
            history = fit(tiny_model(bias=1000.0), watch)
        assert len(history.epoch) == epochs
        (warning,) = [w for w in caught if w.category is CollapseWarning]
        assert "have collapsed" in str(warning.message)

    def test_a_rank_below_the_limit_is_a_collapse_where_one_is_set(self):
        def line(images):
            return np.where(images[:, 0, 0, :1] > 127, 1.0, -1.0) * np.ones(4)

        settings = CollapseSettings(smallest_effective_rank=2.0, patience=1)
        fit(tiny_model(), CollapseWatch(IMAGES, LABELS, line), epochs=1)
        with pytest.raises(CollapsedError, match=r"effective rank 1.0 of 4 \(limit 2\)"):
            fit(tiny_model(), CollapseWatch(IMAGES, LABELS, line, settings))


class TestGoingOn:
    def test_earlier_epochs_count(self):
        watch = CollapseWatch(IMAGES, LABELS, earlier=[figures_of(0.99995)])
        with pytest.raises(CollapsedError, match="2 epochs in a row, up to epoch 2"):
            fit(tiny_model(bias=1000.0), watch, initial_epoch=1)

    def test_a_collapsed_training_does_not_go_on(self):
        earlier = [figures_of(0.5), figures_of(0.99995), figures_of(0.99995)]
        with pytest.raises(CollapsedError, match="up to the last one before this start"):
            CollapseWatch(IMAGES, LABELS, earlier=earlier)
        assert CollapseWatch(IMAGES, LABELS, earlier=earlier[:2]).epochs == earlier[:2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"action": "cry"}, r"action must be one of \['raise', 'stop', 'warn'\], got 'cry'"),
        ({"labels": np.zeros(20)}, "at least 2 classes, got 1"),
        ({"labels": LABELS[:5]}, "got 20 images and 5 labels"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
    ],
)
def test_bad_arguments_are_refused(options, message):
    with pytest.raises(LabError, match=message):
        CollapseWatch(**{"images": IMAGES, "labels": LABELS, **options})


def test_a_model_of_several_outputs_needs_embed():
    pixels = keras.Input((4, 4, 3))
    x = keras.layers.Flatten()(pixels)
    model = keras.Model(pixels, [keras.layers.Dense(2)(x), keras.layers.Dense(2)(x)])
    watch = CollapseWatch(IMAGES, LABELS, embed=model)
    with pytest.raises(LabError, match=r"one array .* got list. Give the part"):
        watch.measure()
    watch.embed = lambda images: images
    with pytest.raises(LabError, match=r"got the shape \(20, 4, 4, 3\)"):
        watch.measure()
