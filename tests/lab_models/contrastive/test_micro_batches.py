from __future__ import annotations

import keras
import numpy as np
import pytest

from lab_models.contrastive.losses import contrastive_loss
from tests.lab_models.contrastive.tiny import images_and_labels, projection_model

SUPCON = contrastive_loss("supcon_out", temperature=0.1)


def _gradients(**options):
    """What one step of rate 1 takes off the weights, which is the gradient; and the loss."""
    images, labels = images_and_labels()
    model = projection_model(**options)
    before = [np.array(w) for w in model.get_weights()]
    model.compile(keras.optimizers.SGD(1.0), SUPCON)
    weights = np.linspace(0.5, 2, len(images)).astype("float32")
    history = model.fit(
        images, labels, sample_weight=weights, batch_size=len(images), shuffle=False, verbose=0
    )
    after = model.get_weights()
    return [b - a for b, a in zip(before, after)], history.history["loss"][0]


@pytest.mark.parametrize("views", [1, 2, 3])
@pytest.mark.parametrize("size", [1, 3, 10, 20, 64])
def test_the_gradient_is_that_of_the_undivided_batch(views, size):
    plain, loss = _gradients(dropout=0.0, views=views)
    parts, parts_loss = _gradients(dropout=0.0, views=views, micro_batch=size)
    assert parts_loss == pytest.approx(loss, rel=1e-6)
    for mine, theirs in zip(parts, plain):
        np.testing.assert_allclose(mine, theirs, atol=1e-5)
    assert any(np.abs(g).max() > 1e-3 for g in plain)


def test_a_sum_of_the_parts_own_gradients_would_be_another():
    """What naive accumulation gives: the check above can fail."""
    plain, _ = _gradients(dropout=0.0)
    images, labels = images_and_labels()
    model = projection_model(dropout=0.0)
    before = [np.array(w) for w in model.get_weights()]
    model.compile(keras.optimizers.SGD(0.5), SUPCON)
    # At so small a change of the weights, two steps of half the rate are one mean gradient.
    model.optimizer.learning_rate = 0.5e-3
    model.fit(images, labels, batch_size=len(images) // 2, shuffle=False, verbose=0)
    naive = [(b - a) / 1e-3 for b, a in zip(before, model.get_weights())]
    assert any(np.abs(n - p).max() > 1e-3 for n, p in zip(naive, plain))


def test_dropout_draws_the_same_masks_in_both_passes():
    """With one part the masks are those of the plain step, so the gradients agree as well."""
    plain, _ = _gradients(dropout=0.5)
    parts, _ = _gradients(dropout=0.5, micro_batch=20)
    for mine, theirs in zip(parts, plain):
        np.testing.assert_allclose(mine, theirs, atol=1e-5)


def test_batch_norm_takes_each_part_for_a_batch_and_updates_once_a_part():
    """The moving mean after a batch of 20 in parts of 5 is that of four batches of 5."""
    images, labels = images_and_labels()
    means = []
    for batch_size, micro_batch in ((20, 5), (5, 0)):
        model = projection_model(
            batch_norm=True, dropout=0.0, micro_batch=micro_batch, augment=_none()
        )
        model.compile(keras.optimizers.SGD(0.0), SUPCON)
        model.fit(images, labels, batch_size=batch_size, shuffle=False, verbose=0)
        norm = next(
            layer
            for layer in model.encoder.layers
            if isinstance(layer, keras.layers.BatchNormalization)
        )
        means.append((norm.moving_mean.numpy(), norm.moving_variance.numpy()))
    for mine, theirs in zip(*means):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4)


def _none():
    from pipelines.augment_settings import no_augmentation

    return no_augmentation()


def test_a_frozen_encoder_gets_no_gradient_and_keeps_its_statistics():
    images, labels = images_and_labels()
    model = projection_model(batch_norm=True, micro_batch=6)
    model.encoder.trainable = False
    before = [np.array(w) for w in model.encoder.get_weights()]
    model.compile(keras.optimizers.SGD(0.1), SUPCON)
    model.fit(images, labels, verbose=0)
    for mine, theirs in zip(before, model.encoder.get_weights()):
        np.testing.assert_array_equal(mine, theirs)
