from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from lab_models.contrastive.losses import contrastive_loss
from lab_models.contrastive.prototypes import class_prototypes
from tflite.runtime.errors import LabError


def sphere(seed, *shape):
    z = np.random.default_rng(seed).normal(size=shape)
    return (z / np.linalg.norm(z, axis=-1, keepdims=True)).astype("float32")


def test_minority_lies_between_supcon_and_simclr():
    z, labels = sphere(0, 6, 2, 4), np.array([0, 0, 0, 0, 1, 1])
    mixed = contrastive_loss("supervised_minority", minority_classes=[1]).call(labels, z).numpy()
    simclr = contrastive_loss("simclr").call(labels, z).numpy()
    supcon = contrastive_loss("supcon_out").call(labels, z).numpy()
    np.testing.assert_allclose(mixed, np.where(labels == 1, supcon, simclr), rtol=1e-6)
    assert np.abs(supcon - simclr).min() > 1e-3
    everybody = contrastive_loss("supervised_minority", minority_classes=[0, 1])
    np.testing.assert_allclose(everybody.call(labels, z), supcon, rtol=1e-6)


@pytest.mark.parametrize("ids", [[], [-1], [1, 1], [0.5]])
def test_minority_classes_out_of_range(ids):
    with pytest.raises(LabError, match="minority_classes must be class ids"):
        contrastive_loss("supervised_minority", minority_classes=ids)


def test_minority_class_that_labels_lack():
    loss = contrastive_loss("supervised_minority", minority_classes=[1, 3])
    with pytest.raises(LabError, match=r"minority_classes from 0 to 2.*got \[1, 3\]"):
        loss(np.eye(3), np.ones((3, 2, 4)))


def _two_views_at(cosine):
    """One image of class 0, both views at a cosine to its prototype, beside one of class 1."""
    prototypes = class_prototypes(2, 3)
    across = np.array([0.0, 1.0, 0.0])
    view = cosine * prototypes[0] + np.sqrt(1 - cosine**2) * across
    other = -across
    return np.array([[view, view], [other, other]], "float32")


def pull_of(cosine, pull_until):
    """How much of the loss of class 0 the prototype makes: 0 where it does not pull."""
    z = _two_views_at(cosine)
    loss = contrastive_loss(
        "supervised_prototypes", classes=2, temperature=1.0, pull_until=pull_until
    )
    return loss.call([0, 1], z)[0] - contrastive_loss("simclr", temperature=1.0).call([0, 1], z)[0]


@pytest.mark.parametrize(
    ("cosine", "pull_until", "pulls"),
    [
        (0.49, 0.5, True), (0.51, 0.5, False), (-0.9, 0.5, True),
        (-0.1, 0.0, True), (0.1, 0.0, False), (0.999, 1.0, True),
    ],
)  # fmt: skip
def test_the_prototype_pulls_until_the_view_is_on_its_side(cosine, pull_until, pulls):
    """Two classes: cosines with the poles are c and -c, so a part p of the lead is c = p."""
    # With views equal, NT-Xent's log-probability is 1 - D and the prototype's is c - D.
    awaited = (1 - cosine) / 2 if pulls else 0
    np.testing.assert_allclose(pull_of(cosine, pull_until), awaited, atol=1e-5)


def test_prototypes_separate_classes_from_any_start():
    """Free embeddings of 95 : 5 end nearest to the prototype of their class."""
    labels = np.array([0] * 19 + [1])
    z = tf.Variable(sphere(3, 20, 2, 4))
    loss = contrastive_loss("supervised_prototypes", classes=2, temperature=0.2)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            value = loss(labels, tf.math.l2_normalize(z, axis=-1))
        z.assign_sub(3.0 * tape.gradient(value, z))

    for _ in range(200):
        step()
    cosines = tf.math.l2_normalize(z, axis=-1).numpy() @ class_prototypes(2, 4).T
    assert (cosines.argmax(axis=-1) == labels[:, None]).all()


def test_unknown_class_of_prototypes_is_no_number():
    loss = contrastive_loss("supervised_prototypes", classes=2)
    assert np.isnan(loss.call([0, 2], sphere(4, 2, 2, 4))).tolist() == [False, True]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"classes": 1}, "classes must be a whole number of at least 2, got 1"),
        ({"classes": 2.5}, "got 2.5"),
        ({"classes": 2, "pull_until": 1.5}, "pull_until must be from 0 to 1, got 1.5"),
        ({"classes": 2, "class_weights": [1, 2, 3]}, "each of the 2 classes.*got 3 weights"),
    ],
)
def test_prototype_settings_out_of_range(options, says):
    with pytest.raises(LabError, match=says):
        contrastive_loss("supervised_prototypes", **options)


def test_prototypes_and_labels_or_units_that_do_not_fit():
    with pytest.raises(
        LabError, match="Expected labels of 4 classes, as the prototypes are, got 3"
    ):
        contrastive_loss("supervised_prototypes", classes=4)(np.eye(3), np.ones((3, 2, 4)))
    with pytest.raises(LabError, match=r"9 prototypes .* in 4 units: .* at least 5 units"):
        contrastive_loss("supervised_prototypes", classes=9)([0, 1], np.ones((2, 2, 4)))
