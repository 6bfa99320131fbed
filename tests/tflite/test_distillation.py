import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import rel_entr, softmax

from tflite.distillation import DistillationSettings, distill
from tflite.runtime.errors import LabError

CLASSES = 4


def _net(seed, hidden=12):
    """Pixels to logits, with batch normalisation."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(seed)
    image = keras.Input((4, 4, 3))
    x = layers.Dense(hidden)(layers.Flatten()(layers.Rescaling(1 / 127.5, -1)(image)))
    x = layers.ReLU()(layers.BatchNormalization()(x))
    return keras.Model(image, layers.Dense(CLASSES, kernel_initializer="random_normal")(x))


@pytest.fixture(scope="module")
def teacher():
    net = _net(0)
    weights = net.get_weights()
    net.set_weights([*weights[:-2], 20 * weights[-2], weights[-1]])
    return net


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (96, 4, 4, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def batches(teacher, images):
    """Batches whose labels are the teacher's own classes."""
    import tensorflow as tf

    labels = np.eye(CLASSES, dtype=np.float32)[teacher.predict_on_batch(images).argmax(axis=1)]
    return tf.data.Dataset.from_tensor_slices((images, labels)).batch(16)


def _loss(taught, answered, temperature):
    from tflite.distilled_model import distillation_loss

    return np.asarray(distillation_loss(np.float32(taught), np.float32(answered), temperature))


logits = st.lists(st.floats(-20, 20, width=32), min_size=3, max_size=3)


@given(logits, logits, st.floats(0.5, 10))
def test_the_loss_is_the_divergence_times_the_squared_temperature(taught, answered, temperature):
    t, a = (softmax(np.array(v) / temperature) for v in (taught, answered))
    expected = temperature**2 * rel_entr(t, a).sum()
    found = _loss([taught], [answered], temperature)
    assert found.shape == (1,)
    assert found[0] == pytest.approx(expected, rel=1e-3, abs=1e-3)


def test_the_student_comes_to_answer_as_its_teacher(teacher, batches, images):
    student, said = _net(1), []
    before = _loss(teacher.predict_on_batch(images), student.predict_on_batch(images), 2.0).mean()
    settings = DistillationSettings(epochs=12, learning_rate=0.02)
    found = distill(student, teacher, batches, batches, None, settings, said.append)
    after = _loss(teacher.predict_on_batch(images), student.predict_on_batch(images), 2.0).mean()
    assert after < 0.2 * before
    assert [row["epoch"] for row in found.history] == list(range(13))
    assert found.history[0]["val_loss"] == pytest.approx(before, rel=1e-4)
    assert {"loss", "accuracy", "agreement", "seconds"} <= set(found.history[1])
    assert "epoch 12 of 12" in said[-1]


def test_the_best_epoch_is_kept(teacher, batches, images):
    student = _net(2)
    settings = DistillationSettings(epochs=4, learning_rate=0.05)
    found = distill(student, teacher, batches, batches, None, settings, lambda line: None)
    ranks = [(row["val_agreement"], 0 - row["val_loss"]) for row in found.history]
    assert found.best is found.history[ranks.index(max(ranks))]
    agree = teacher.predict_on_batch(images).argmax(1) == student.predict_on_batch(images).argmax(1)
    assert found.best["val_agreement"] == pytest.approx(agree.mean())
    # The labels are the teacher's classes.
    assert found.best["val_accuracy"] == pytest.approx(agree.mean())


def test_a_training_that_spoils_is_undone(teacher, batches):
    import keras

    student = keras.models.clone_model(teacher)
    student.set_weights(teacher.get_weights())
    settings = DistillationSettings(epochs=1, learning_rate=50.0)
    found = distill(student, teacher, batches, batches, None, settings, lambda line: None)
    assert found.best["epoch"] == 0
    for kept, own in zip(student.get_weights(), teacher.get_weights(), strict=True):
        np.testing.assert_array_equal(kept, own)


def test_only_the_student_is_trained_and_momentum_is_lent(teacher, batches):
    student, before = _net(3), teacher.get_weights()
    momentum = student.layers[4].momentum
    distill(
        student, teacher, batches, batches, 2, DistillationSettings(epochs=1), lambda line: None
    )
    assert student.layers[4].momentum == momentum
    for now, own in zip(teacher.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, own)


@pytest.mark.parametrize(("momentum", "share"), [(0.5, 0.5), (None, 0.25)])
def test_statistics_move_at_the_momentum_asked_for(momentum, share, images):
    import keras
    import tensorflow as tf

    student = _net(3)
    normalization = student.layers[4]
    normalization.momentum = 0.75
    seen = keras.Model(student.input, normalization.input).predict_on_batch(images)
    mean = share * seen.mean(axis=0)
    variance = 1 - share + share * seen.var(axis=0)
    moved = keras.models.clone_model(student)
    moved.set_weights(student.get_weights())
    moved.layers[4].moving_mean.assign(mean)
    moved.layers[4].moving_variance.assign(variance)
    whole = tf.data.Dataset.from_tensors((images, np.zeros((96, CLASSES), np.float32)))
    settings = DistillationSettings(epochs=1, learning_rate=1e-9, batch_norm_momentum=momentum)
    # A step that moves nothing but the statistics makes a teacher of the student.
    found = distill(student, moved, whole, whole, None, settings, lambda line: None)
    assert found.best["epoch"] == 1
    assert found.best["val_agreement"] == 1
    np.testing.assert_allclose(normalization.moving_mean, mean, atol=1e-4)
    np.testing.assert_allclose(normalization.moving_variance, variance, atol=1e-4)


@pytest.mark.parametrize(
    ("share", "weights"), [(1.0, None), (0.25, None), (0.25, [0.0, 2.0, 1.0])], ids=str
)
def test_parts_of_the_loss_are_weighed(share, weights, teacher, images):
    from tflite.distilled_model import DistilledModel

    student = _net(4)
    model = DistilledModel(student, teacher, 3.0, share)
    model.compile("sgd")
    some, labels = images[:3], np.eye(CLASSES, dtype=np.float32)[[0, 3, 1]]
    taught, answered = teacher.predict_on_batch(some), student.predict_on_batch(some)
    entropy = [-math.log(softmax(a)[label]) for a, label in zip(answered, (0, 3, 1))]
    expected = share * _loss(taught, answered, 3.0) + (1 - share) * np.array(entropy)
    found = model.test_on_batch(
        some, labels, None if weights is None else np.array(weights, np.float32), return_dict=True
    )
    assert found["loss"] == pytest.approx(np.average(expected * (weights or 1)), rel=1e-4)


def test_the_teacher_has_no_part_in_what_is_trained(teacher):
    from tflite.distilled_model import DistilledModel

    student = _net(4)
    model = DistilledModel(student, teacher, 1.0, 1.0)
    assert len(model.trainable_variables) == len(student.trainable_variables)


def test_bad_batches_and_lost_numbers_say_so(teacher, batches):
    broken = _net(5)
    broken.set_weights([w + np.nan for w in broken.get_weights()])
    settings = DistillationSettings(epochs=1)
    with pytest.raises(LabError, match="no longer a number in epoch 1"):
        distill(broken, teacher, batches, batches, None, settings, lambda line: None)
    with pytest.raises(LabError, match="steps="):
        distill(_net(5), teacher, batches.repeat(), batches, None, settings)
    with pytest.raises(LabError, match="no validation batches"):
        distill(_net(5), teacher, batches, batches.take(0), None, settings)
    with pytest.raises(LabError, match="no training batches"):
        distill(_net(5), teacher, batches.take(0), batches, 3, settings)


@pytest.mark.parametrize(
    "fields",
    [
        {"epochs": 0},
        {"learning_rate": 0.0},
        {"temperature": 0.0},
        {"share": 1.5},
        {"batch_norm_momentum": 1.0},
    ],
)
def test_bad_settings_are_named(fields):
    with pytest.raises(LabError, match=next(iter(fields))):
        DistillationSettings(**fields)
