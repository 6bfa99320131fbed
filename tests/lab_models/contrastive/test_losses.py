from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from lab_models.contrastive.losses import (
    CONTRASTIVE_LOSSES,
    SupConOutLoss,
    Views,
    contrastive_loss,
)
from lab_models.contrastive.prototypes import class_prototypes
from tests.lab_models.contrastive.reference_losses import reference
from tflite.runtime.errors import LabError

CLASSES = 4
OPTIONS = {
    "supervised_minority": {"minority_classes": (1, 2)},
    "supervised_prototypes": {"classes": CLASSES},
}
NAMES = list(CONTRASTIVE_LOSSES)


def make(name, **options):
    return contrastive_loss(name, **{**OPTIONS.get(name, {}), **options})


def expected(name, z, labels, images, temperature):
    return reference(
        name, z, labels, images, temperature, minority=(1, 2),
        prototypes=class_prototypes(CLASSES, z.shape[1]),
    )  # fmt: skip


def sphere(rng, *shape):
    z = rng.normal(size=shape)
    return z / np.linalg.norm(z, axis=-1, keepdims=True)


def views_of(z, labels, images, dtype="float32"):
    return Views(
        tf.constant(z, dtype), tf.constant(labels, tf.int32), tf.constant(images, tf.int32)
    )


def as_views(z, labels, dtype="float32"):
    """(batch, views, units) and (batch,) as rows."""
    batch, count, units = z.shape
    images = np.repeat(np.arange(batch), count)
    return views_of(z.reshape(-1, units), np.repeat(labels, count), images, dtype)


def value_and_gradient(loss, labels, z):
    variable = tf.Variable(z)
    with tf.GradientTape() as tape:
        value = loss(labels, variable)
    return value.numpy(), tape.gradient(value, variable).numpy()


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=20)
@given(
    seed=st.integers(0, 2**32 - 1),
    batch=st.integers(1, 6),
    count=st.integers(1, 4),
    units=st.integers(2, 8),
    temperature=st.floats(0.05, 10),
)
def test_double_loop(name, seed, batch, count, units, temperature):
    count = max(count, 2) if CONTRASTIVE_LOSSES[name].needs_views else count
    rng = np.random.default_rng(seed)
    z, labels = sphere(rng, batch, count, units), rng.integers(0, CLASSES, batch)
    rows = as_views(z, labels)
    reckoned = expected(
        name, rows.embeddings.numpy(), rows.labels.numpy(), rows.images.numpy(), temperature
    )
    loss = make(name, temperature=temperature)
    np.testing.assert_allclose(loss.anchor_losses(rows), reckoned, rtol=1e-5, atol=1e-5)
    one_hot = np.eye(CLASSES)[labels]
    for truth in (labels, labels[:, None], one_hot):
        np.testing.assert_allclose(
            loss.call(truth, z.astype("float32")),
            reckoned.reshape(batch, count).mean(axis=1), rtol=1e-5, atol=1e-5,
        )  # fmt: skip
        np.testing.assert_allclose(loss(truth, z), reckoned.mean(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_rows_in_any_order_and_with_uneven_views(name):
    rng = np.random.default_rng(3)
    images = np.array([0, 0, 0, 1, 2, 2, 3, 3, 4])
    labels = np.array([1, 1, 1, 0, 2, 2, 0, 0, 3])
    z = sphere(rng, len(images), 5)
    loss = make(name)
    got = loss.anchor_losses(views_of(z, labels, images)).numpy()
    np.testing.assert_allclose(got, expected(name, z, labels, images, 0.1), rtol=1e-5, atol=1e-5)
    order = rng.permutation(len(images))
    turned = loss.anchor_losses(views_of(z[order], labels[order], images[order] + 7))
    np.testing.assert_allclose(turned, got[order], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_some_anchors_are_those_rows_of_all(name):
    rng = np.random.default_rng(4)
    rows = as_views(sphere(rng, 6, 2, 5), rng.integers(0, CLASSES, 6))
    loss = make(name, class_weights=(1, 2, 3, 4))
    anchors = tf.constant([7, 2, 2, 11])
    some = loss.anchor_losses(rows, anchors)
    np.testing.assert_allclose(
        some, tf.gather(loss.anchor_losses(rows), anchors), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("name", NAMES)
def test_gradient_is_the_difference_quotient(name):
    rng = np.random.default_rng(5)
    rows = as_views(sphere(rng, 4, 2, 4), np.array([0, 1, 1, 2]), "float64")
    loss = make(name, temperature=0.3)

    def total(embeddings):
        losses = loss.anchor_losses(rows._replace(embeddings=embeddings))
        assert losses.dtype == tf.float64
        return tf.reduce_sum(losses * tf.range(1, 9, dtype=tf.float64))

    analytic, numeric = tf.test.compute_gradient(total, [rows.embeddings], delta=1e-6)
    assert np.abs(analytic[0]).max() > 0.1
    np.testing.assert_allclose(analytic[0], numeric[0], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["supcon_out", "supcon_in", "simclr", "supervised_minority"])
@pytest.mark.parametrize("images", [2, 5])
def test_equal_embeddings_are_a_uniform_guess(name, images):
    """Every other view is as likely: log(2M - 1), whatever the positives."""
    z = np.tile(sphere(np.random.default_rng(0), 3), (images, 2, 1))
    np.testing.assert_allclose(make(name)(np.arange(images) % 4, z), np.log(2 * images - 1), 1e-5)


def test_two_classes_at_right_angles():
    z = np.array([[[1, 0], [1, 0]], [[1, 0], [1, 0]], [[0, 1], [0, 1]], [[0, 1], [0, 1]]])
    closed = np.log(3 + 4 * np.exp(-1 / 0.1))
    for name in ("supcon_out", "supcon_in"):
        np.testing.assert_allclose(make(name)([0, 0, 1, 1], z), closed, 1e-6)


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), temperature=st.floats(0.05, 5))
def test_in_is_never_above_out(seed, temperature):
    """Jensen: the logarithm of a mean is at least the mean of logarithms."""
    rng = np.random.default_rng(seed)
    rows = as_views(sphere(rng, 6, 2, 4), rng.integers(0, 2, 6))
    inside, outside = (
        make(name, temperature=temperature).anchor_losses(rows).numpy()
        for name in ("supcon_in", "supcon_out")
    )
    assert (inside <= outside + 1e-5).all()


def test_in_equals_out_with_one_positive_each():
    rng = np.random.default_rng(1)
    z = sphere(rng, 5, 2, 4)
    np.testing.assert_allclose(
        make("supcon_in")(np.arange(5), z), make("supcon_out")(np.arange(5), z), 1e-5
    )


def test_simclr_does_not_look_at_labels():
    z = sphere(np.random.default_rng(2), 4, 3, 5)
    assert make("simclr")([0, 0, 0, 0], z) == make("simclr")([0, 1, 2, 3], z)


def _awkward():
    line = np.array([0.6, 0.8, 0.0, 0.0], "float32")
    return {
        "equal": (np.tile(line, (4, 2, 1)), [0, 0, 1, 1]),
        "opposite": (np.stack([np.stack([line, -line])] * 4), [0, 0, 1, 1]),
        "zero": (np.zeros((4, 2, 4), "float32"), [0, 0, 1, 1]),
        "one image": (np.stack([np.stack([line, -line])]), [2]),
        "long": (np.tile(line * 30, (3, 2, 1)), [0, 1, 1]),
    }


@pytest.mark.parametrize(
    ("dtype", "temperature"),
    [("float32", 0.01), ("float32", 100.0), ("float16", 0.01), ("bfloat16", 0.01)],
)
@pytest.mark.parametrize("case", sorted(_awkward()))
@pytest.mark.parametrize("name", NAMES)
def test_finite_value_and_gradient(name, case, temperature, dtype):
    z, labels = _awkward()[case]
    value, gradient = value_and_gradient(
        make(name, temperature=temperature), labels, tf.cast(z, dtype)
    )
    assert np.isfinite(value)
    assert np.isfinite(gradient.astype("float64")).all()


@pytest.mark.parametrize("name", ["supcon_out", "supcon_in"])
def test_anchors_without_positives_contribute_nothing(name):
    z = sphere(np.random.default_rng(6), 4, 5).astype("float32")
    assert make(name).call([0, 0, 1, 2], z).numpy()[2:].tolist() == [0, 0]
    value, gradient = value_and_gradient(make(name), [0, 1, 2, 3], z)
    assert value == 0
    assert (gradient == 0).all()
    value, gradient = value_and_gradient(make(name), [0], z[:1])
    assert value == 0
    assert (gradient == 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_half_precision_is_compared_in_single(name):
    rng = np.random.default_rng(7)
    half = tf.cast(sphere(rng, 5, 2, 8), tf.float16)
    labels = [0, 1, 1, 2, 3]
    got = make(name, temperature=0.01).call(labels, half)
    assert got.dtype == tf.float32
    exact = make(name, temperature=0.01).call(labels, tf.cast(half, tf.float32))
    np.testing.assert_array_equal(got, exact)


def test_class_weights_and_sample_weights():
    rng = np.random.default_rng(8)
    z, labels = sphere(rng, 5, 2, 4).astype("float32"), np.array([0, 0, 1, 1, 2])
    plain = make("supcon_out").call(labels, z).numpy()
    weighted = make("supcon_out", class_weights=[0.5, 2, 3])
    np.testing.assert_allclose(
        weighted.call(labels, z), plain * [0.5, 0.5, 2, 2, 3], rtol=1e-6
    )  # fmt: skip
    sample = np.array([0, 1, 0.5, 2, 1])
    np.testing.assert_allclose(
        make("supcon_out")(labels, z, sample_weight=sample), (plain * sample).mean(), rtol=1e-6
    )
    doubled = make("supcon_out", temperature=0.2, base_temperature=0.1)
    np.testing.assert_allclose(
        doubled(labels, z), 2 * make("supcon_out", temperature=0.2)(labels, z), rtol=1e-6
    )


def test_a_class_beyond_the_weights_is_no_number():
    loss = make("supcon_out", class_weights=[1, 2])
    assert np.isnan(loss.call([0, 0, 2], np.eye(3, dtype="float32"))).tolist() == [
        False, False, True
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "jit"), [*((name, True) for name in NAMES), ("supcon_out", False)]
)
def test_compiled_with_sizes_unknown(name, jit):
    rng = np.random.default_rng(9)
    z, labels = sphere(rng, 5, 2, 4).astype("float32"), np.array([0, 1, 1, 2, 3])
    loss = make(name)
    shapes = [tf.TensorSpec([None], tf.int32), tf.TensorSpec([None, 2, 4], tf.float32)]
    compiled = tf.function(loss.call, input_signature=shapes, jit_compile=jit)
    np.testing.assert_allclose(
        compiled(tf.constant(labels, tf.int32), z), loss.call(labels, z), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("name", NAMES)
def test_saved_and_loaded(name):
    loss = make(name, temperature=0.2, base_temperature=0.07, class_weights=[1, 2, 3, 4])
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert type(again) is type(loss)
    assert again.get_config() == loss.get_config()
    z = sphere(np.random.default_rng(10), 4, 2, 4)
    assert again([0, 1, 2, 3], z) == loss([0, 1, 2, 3], z)


@pytest.mark.parametrize("name", NAMES)
def test_fit_lowers_it_in_mixed_precision(name):
    keras.utils.set_random_seed(0)
    layers = [
        keras.Input((2, 6)),
        keras.layers.Dense(8, dtype="mixed_float16"),
        keras.layers.UnitNormalization(dtype="float32"),
        keras.layers.Activation("linear", dtype="float16"),
    ]
    model = keras.Sequential(layers)
    model.compile(keras.optimizers.Adam(0.01), make(name), jit_compile=False)
    rng = np.random.default_rng(11)
    labels = np.arange(16) % CLASSES
    x = (rng.normal(size=(CLASSES, 1, 6))[labels] + 0.3 * rng.normal(size=(16, 2, 6))).astype("f4")
    weights = np.ones(16, "float32")
    one_hot = np.eye(CLASSES, dtype="float32")[labels]
    history = model.fit(x, one_hot, sample_weight=weights, epochs=12, batch_size=16, verbose=0)
    losses = history.history["loss"]
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0] - 0.01


@pytest.mark.parametrize("value", [0, -0.1, float("nan"), float("inf"), "hot", True, None])
@pytest.mark.parametrize("name", NAMES)
def test_temperature_out_of_range(name, value):
    with pytest.raises(LabError, match=f"temperature must be .*{value!r}"):
        make(name, temperature=value)


@pytest.mark.parametrize("name", ["simclr", "supervised_minority", "supervised_prototypes"])
@pytest.mark.parametrize("shape", [(4, 5), (4, 1, 5)])
def test_one_view_is_too_few(name, shape):
    with pytest.raises(LabError, match="needs at least 2 of each, got 1"):
        make(name)([0, 1, 2, 3], np.ones(shape, "float32"))


@pytest.mark.parametrize(
    ("labels", "z", "says"),
    [
        ((4,), (4,), r"got shape \(4,\)"),
        ((4,), (4, 2, 3, 1), r"got shape \(4, 2, 3, 1\)"),
        ((3,), (4, 2, 5), r"as many labels as images, got labels of shape \(3,\)"),
        ((4, 2, 1), (4, 2, 5), r"got shape \(4, 2, 1\)"),
        ((4, 3), (4, 2, 5), "each of the 3 classes of the labels, got 2 weights"),
    ],
)
def test_shapes_that_do_not_fit(labels, z, says):
    loss = make("supcon_out", class_weights=[1, 2])
    with pytest.raises(LabError, match=says):
        loss(np.zeros(labels), np.zeros(z))


def test_views_that_do_not_fit():
    make("supcon_out").check_views(1)
    with pytest.raises(LabError, match="needs at least 1 of each, got 0"):
        make("supcon_out")([0, 1], np.ones((2, 0, 4)))
    with pytest.raises(LabError, match=r"got shapes \(4, 3\), \(4,\) and \(5,\)"):
        make("supcon_out").anchor_losses(views_of(np.zeros((4, 3)), [0] * 4, [0] * 5))
    with pytest.raises(LabError, match=r"got shapes \(4,\), \(4,\) and \(4,\)"):
        make("supcon_out").anchor_losses(views_of(np.zeros(4), [0] * 4, [0] * 4))


@pytest.mark.parametrize("weights", [[], [0, 0], [1, -1], [1, float("nan")]])
def test_class_weights_out_of_range(weights):
    with pytest.raises(LabError, match="class_weights must be"):
        make("supcon_out", class_weights=weights)


def test_names_and_options():
    assert isinstance(contrastive_loss("supcon_out"), SupConOutLoss)
    with pytest.raises(LabError, match="Did you mean 'supcon_out'"):
        contrastive_loss("supcon_oot")
    with pytest.raises(LabError, match="supervised_minority was given options that do not fit"):
        contrastive_loss("supervised_minority")
    with pytest.raises(LabError, match="classes"):
        contrastive_loss("simclr", classes=3)
