"""Callbacks on small models, with every form of data they take."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import sklearn.metrics
import tensorflow as tf
from keras import layers

from lab_models.callbacks import ConfusionMatrix, FeatureScatter, MacroF1
from lab_models.report.projection import ProjectionSettings

CLASSES = 3
PCA = ProjectionSettings(method="pca")


@pytest.fixture(scope="module")
def images():
    generator = np.random.default_rng(0)
    labels = np.arange(24) % CLASSES
    pixels = generator.normal(size=(24, 8, 8, 3)) + labels[:, None, None, None]
    return pixels.astype(np.float32), labels


def make_model(outputs=CLASSES, activation="softmax", loss="sparse_categorical_crossentropy"):
    keras.utils.set_random_seed(0)
    pixels = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, name="map")(pixels)
    x = layers.GlobalAveragePooling2D(name="pooled")(x)
    model = keras.Model(pixels, layers.Dense(outputs, activation=activation)(x))
    model.compile("adam", loss)
    return model


def as_arrays(x, y):
    return x, y


def as_one_hot(x, y):
    return x, np.eye(CLASSES)[y]


def as_pairs(x, y):
    return tf.data.Dataset.from_tensor_slices((x, y)).batch(7)


def as_weighted_one_hot(x, y):
    weights = np.ones(len(y), np.float32)
    return tf.data.Dataset.from_tensor_slices((x, np.eye(CLASSES)[y], weights)).batch(7)


def as_elements(x, y):
    elements = {"image": x, "label": y, "weight": np.ones(len(y)), "index": np.arange(len(y))}
    return tf.data.Dataset.from_tensor_slices(elements).batch(7)


def as_list(x, y):
    return [(x[:10], y[:10, None]), (x[10:], y[10:, None])]


FORMS = (as_arrays, as_one_hot, as_pairs, as_weighted_one_hot, as_elements, as_list)


@pytest.mark.parametrize("form", FORMS)
def test_macro_f1_and_matrix_are_those_of_the_epoch(images, form):
    x, y = images
    model = make_model()
    data = form(x, y)
    macro, matrix = MacroF1(data), ConfusionMatrix(data)
    history = model.fit(x, y, epochs=2, verbose=0, callbacks=[macro, matrix]).history
    answers = model.predict(x, verbose=0).argmax(axis=1)
    expected = sklearn.metrics.f1_score(y, answers, average="macro", labels=range(CLASSES))
    assert history["val_macro_f1"][-1] == pytest.approx(expected)
    assert len(matrix.matrices) == 2
    np.testing.assert_array_equal(
        matrix.matrices[-1], sklearn.metrics.confusion_matrix(y, answers, labels=range(CLASSES))
    )


def test_other_callbacks_can_watch_the_value(images):
    x, y = images
    stop = keras.callbacks.EarlyStopping("macro", mode="max", patience=1, baseline=2.0)
    model = make_model()
    fitted = model.fit(x, y, epochs=5, verbose=0, callbacks=[MacroF1((x, y), "macro"), stop])
    assert len(fitted.epoch) == 2


def test_a_single_sigmoid_means_two_classes(images):
    x, y = images
    two = (y > 0).astype(int)
    model = make_model(1, "sigmoid", "binary_crossentropy")
    matrix = ConfusionMatrix((x, two))
    model.fit(x, two, epochs=1, verbose=0, callbacks=[matrix])
    answers = (model.predict(x, verbose=0)[:, 0] > 0.5).astype(int)
    np.testing.assert_array_equal(
        matrix.matrices[0], sklearn.metrics.confusion_matrix(two, answers, labels=[0, 1])
    )


def test_matrices_are_drawn_one_an_epoch_or_always_the_newest(images, tmp_path):
    x, y = images
    callbacks = [
        ConfusionMatrix((x, y), "abc", tmp_path / "m{epoch:02d}.png"),
        ConfusionMatrix((x, y), plot=tmp_path / "newest.png", normalised=False),
    ]
    model = make_model()
    model.fit(x, y, epochs=2, verbose=0, callbacks=callbacks)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["m01.png", "m02.png", "newest.png"]
    model.fit(x, y, epochs=1, verbose=0, callbacks=callbacks[:1])
    assert len(callbacks[0].matrices) == 1


@pytest.mark.parametrize("layer", ["map", "pooled"])
def test_features_are_scattered_every_few_epochs(images, tmp_path, layer):
    x, y = images
    scatter = FeatureScatter((x, y), layer, 2, tmp_path / "{epoch}.png", settings=PCA)
    make_model().fit(x, y, epochs=4, verbose=0, callbacks=[scatter])
    assert sorted(scatter.places) == [2, 4]
    assert scatter.places[2].shape == (24, 2)
    assert (scatter.places[2] != scatter.places[4]).any()
    np.testing.assert_array_equal(scatter.labels, y)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2.png", "4.png"]


def test_watching_does_not_change_the_training(images):
    x, y = images
    plain, watched = make_model(), make_model()
    callbacks = [MacroF1((x, y)), ConfusionMatrix((x, y)), FeatureScatter((x, y), "map")]
    callbacks[2].settings = PCA
    for model, used in ((plain, []), (watched, callbacks)):
        model.fit(x, y, epochs=2, shuffle=False, verbose=0, callbacks=used)
    for one, other in zip(plain.get_weights(), watched.get_weights()):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda x, y: MacroF1((x, y[:5])), ValueError, "24 images and 5 labels"),
        (lambda x, y: MacroF1((x, y + 1)), ValueError, r"labels must lie in 0\.\.2; got 1 to 3"),
        (lambda x, y: MacroF1(as_pairs(x, y).repeat()), ValueError, "never ends"),
        (lambda x, y: MacroF1([]), ValueError, "holds no image"),
        (lambda x, y: MacroF1(5), TypeError, "got int"),
        (lambda x, y: FeatureScatter((x, y), "nonsense"), ValueError, "it has: .*pooled"),
        (lambda x, y: FeatureScatter((x, y), "pooled", every=0), ValueError, "at least 1 epoch"),
        (
            lambda x, y: ConfusionMatrix((x, y), ["a"], "never.png"),
            ValueError,
            "3 class names are needed, got 1",
        ),
    ],
)
def test_what_does_not_fit_is_said(images, make, error, match):
    x, y = images
    model = make_model()
    with pytest.raises(error, match=match):
        model.fit(x, y, epochs=1, verbose=0, callbacks=[make(x, y)])
