from __future__ import annotations

import keras
import numpy as np
import pytest

from lab_models.backbones import backbone_spec
from lab_models.classifier import build_classifier
from lab_models.contrastive.joint_model import JointModel
from lab_models.contrastive.losses import CONTRASTIVE_LOSSES, contrastive_loss
from lab_models.contrastive.projection_model import ProjectionModel
from lab_models.recipes import Projection
from pipelines.augment import augment_images
from pipelines.augment_settings import AugmentSettings, hal_projection
from pipelines.labels import HAL_CLASSES
from tests.lab_models.contrastive.tiny import (
    CLASSES,
    images_and_labels,
    projection_model,
    tiny_encoder,
)
from tflite.runtime.errors import LabError

SUPCON = contrastive_loss("supcon_out", temperature=0.1)


def test_parameters_are_those_of_the_study():
    contract = backbone_spec("xception").contract(256, 256)
    classifier = build_classifier("xception", contract, HAL_CLASSES, normalize_features=True)
    assert classifier.encoder.count_params() == 20_861_480
    assert classifier.model.count_params() == 20_902_460
    sixteen = ProjectionModel(classifier.encoder, Projection(units=16))
    assert sixteen.head.count_params() == 32_784
    assert sixteen.count_params() == 20_894_264
    many = ProjectionModel(classifier.encoder, Projection(units=128))
    assert many.head.count_params() == 262_272
    assert many.count_params() == 21_123_752


def test_layers_are_in_the_order_of_the_study():
    names = [layer.name for layer in projection_model().head.layers]
    assert names == ["features", "normalized_features", "dropout", "projection", "embeddings"]
    hidden = ProjectionModel(tiny_encoder(), Projection(units=4, hidden_units=8)).head
    assert [layer.name for layer in hidden.layers][-3:] == ["hidden", "projection", "embeddings"]


def test_embeddings_have_length_one():
    images, _ = images_and_labels()
    embeddings = projection_model().predict(images, verbose=0)
    assert embeddings.shape == (len(images), 6)
    assert embeddings.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-5)


def test_a_step_compares_separately_augmented_views_of_each_image():
    """Loss of the first step against the same made by hand: views, network, loss."""
    images, labels = images_and_labels()
    model = projection_model(dropout=0.0, seed=5)
    views = [
        augment_images(
            images, hal_projection(), 5, 0, np.arange(len(images)), np.full(len(images), view)
        )
        for view in range(2)
    ]
    assert not np.allclose(views[0], views[1])
    embeddings = np.stack([model(view).numpy() for view in views], axis=1)
    expected = float(SUPCON(labels, embeddings))
    model.compile(keras.optimizers.SGD(0.0), SUPCON)
    history = model.fit(images, labels, batch_size=len(images), shuffle=False, verbose=0).history
    assert history["loss"][0] == pytest.approx(expected, rel=1e-5)


def test_labels_may_be_one_hot_and_images_weighted():
    images, labels = images_and_labels()
    weights = np.linspace(0, 2, len(images)).astype("float32")
    losses = []
    for y in (labels, keras.utils.to_categorical(labels, CLASSES)):
        model = projection_model(dropout=0.0)
        model.compile(keras.optimizers.SGD(0.0), SUPCON)
        fit = model.fit(images, y, sample_weight=weights, batch_size=len(images), verbose=0,
                        shuffle=False)  # fmt: skip
        losses.append(fit.history["loss"][0])
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


@pytest.mark.parametrize("name", sorted(CONTRASTIVE_LOSSES))
def test_every_loss_trains(name):
    options = {
        "supervised_minority": {"minority_classes": (1,)},
        "supervised_prototypes": {"classes": CLASSES},
    }
    images, labels = images_and_labels()
    model = projection_model()
    before = [w.copy() for w in model.get_weights()]
    model.compile(keras.optimizers.Adam(1e-3), contrastive_loss(name, **options.get(name, {})))
    history = model.fit(images, labels, epochs=2, verbose=0, validation_data=(images, labels))
    assert np.isfinite(history.history["loss"]).all()
    assert np.isfinite(history.history["val_loss"]).all()
    assert any(not np.array_equal(a, b) for a, b in zip(before, model.get_weights()))


def test_validation_draws_the_same_views_every_time_and_others_than_training():
    images, labels = images_and_labels()
    model = projection_model()
    model.compile(keras.optimizers.SGD(0.0), SUPCON)
    losses = [model.evaluate(images, labels, verbose=0) for _ in range(2)]
    assert losses[0] == losses[1]
    assert losses[0] != model.fit(images, labels, shuffle=False, verbose=0).history["loss"][0]


def test_saving_keeps_weights_settings_and_compilation(tmp_path):
    images, labels = images_and_labels()
    model = projection_model(views=3, micro_batch=4, dropout=0.0)
    model.compile(keras.optimizers.Adam(1e-3), contrastive_loss("supcon_in", temperature=0.2))
    model.fit(images, labels, verbose=0)
    model.save(tmp_path / "projection.keras")
    loaded = keras.saving.load_model(tmp_path / "projection.keras")
    np.testing.assert_array_equal(
        loaded.predict(images, verbose=0), model.predict(images, verbose=0)
    )
    settings = [{**m.get_config(), "encoder": None} for m in (loaded, model)]
    assert settings[0] == settings[1]
    assert loaded.loss.get_config() == model.loss.get_config()
    again = [
        m.fit(images, labels, shuffle=False, verbose=0).history["loss"] for m in (model, loaded)
    ]
    assert again[0] == pytest.approx(again[1], rel=1e-4)


def test_a_resumed_step_draws_what_the_unbroken_training_would_have():
    """The draws belong to the optimiser's count of steps, which checkpoints restore."""
    images, labels = images_and_labels()
    unbroken, resumed = projection_model(dropout=0.0), projection_model(dropout=0.0)
    for model in (unbroken, resumed):
        model.compile(keras.optimizers.SGD(0.01), SUPCON)
    unbroken.fit(images, labels, shuffle=False, epochs=2, verbose=0)
    resumed.fit(images, labels, shuffle=False, epochs=1, verbose=0)
    weights, steps = resumed.get_weights(), resumed.optimizer.iterations.numpy()
    fresh = projection_model(dropout=0.0)
    fresh.compile(keras.optimizers.SGD(0.01), SUPCON)
    fresh.set_weights(weights)
    fresh.optimizer.iterations.assign(steps)
    fresh.fit(images, labels, shuffle=False, epochs=1, verbose=0)
    for mine, theirs in zip(fresh.get_weights(), unbroken.get_weights()):
        np.testing.assert_allclose(mine, theirs, atol=1e-6)


def test_mixed_precision_trains_with_float32_embeddings():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = projection_model(micro_batch=4)
    finally:
        keras.config.set_dtype_policy(before)
    images, labels = images_and_labels()
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(1e-3))
    model.compile(optimizer, SUPCON)
    assert np.isfinite(model.fit(images, labels, verbose=0).history["loss"]).all()
    assert model.predict(images, verbose=0).dtype == np.float32


def test_joint_model_weighs_both_losses_and_shares_its_parts(tmp_path):
    images, labels = images_and_labels()
    projection = projection_model(dropout=0.0)
    features = projection.encoder.output.shape[-1]
    inputs = keras.Input((features,))
    scores = keras.layers.Dense(CLASSES, activation="softmax", name="predictions")(inputs)
    head = keras.Model(inputs, scores)
    losses = {}
    for share in (0.0, 0.5, 1.0):
        model = JointModel(projection, head, share)
        model.compile(keras.optimizers.SGD(0.0), SUPCON)
        losses[share] = model.evaluate(images, labels, batch_size=20, return_dict=True, verbose=0)
    mean = (losses[0.0]["loss"] + losses[1.0]["loss"]) / 2
    assert losses[0.5]["loss"] == pytest.approx(mean, rel=1e-5)
    assert 0 <= losses[0.5]["accuracy"] <= 1
    model.micro_batch = 7
    model.compile(keras.optimizers.Adam(1e-2), SUPCON)
    before = projection.encoder.get_weights()[0].copy()
    model.fit(images, labels, verbose=0)
    assert not np.array_equal(before, projection.encoder.get_weights()[0])
    model.save(tmp_path / "joint.keras")
    loaded = keras.saving.load_model(tmp_path / "joint.keras")
    for mine, theirs in zip(model.predict(images, verbose=0), loaded.predict(images, verbose=0)):
        np.testing.assert_array_equal(mine, theirs)


def test_wrong_use_is_named():
    model = projection_model()
    with pytest.raises(TypeError, match="compiled with a ContrastiveLoss"):
        model.compile("adam", "categorical_crossentropy")
    with pytest.raises(ValueError, match="jit_compile must not be True"):
        model.compile("adam", SUPCON, jit_compile=True)
    with pytest.raises(ValueError, match=r"no predictions for \['metrics'\]"):
        model.compile("adam", SUPCON, metrics=["accuracy"])
    with pytest.raises(LabError, match="at least 2 of each, got 1"):
        projection_model(views=1).compile("adam", contrastive_loss("simclr"))
    with pytest.raises(ValueError, match=r"views must be a whole number from 1 on, got 0"):
        projection_model(views=0)
    with pytest.raises(LabError, match="cutmix_probability and mixup_probability to 0"):
        projection_model(augment=AugmentSettings(cutmix_probability=0.5))
    image = keras.Input((24, 24, 3))
    unpooled = keras.Model(image, keras.layers.Conv2D(4, 3)(image), name="unpooled")
    with pytest.raises(ValueError, match=r"'unpooled' gives .*lack its global pooling"):
        ProjectionModel(unpooled)
    head = keras.Model(inputs := keras.Input((99,)), keras.layers.Dense(3)(inputs))
    with pytest.raises(ValueError, match="takes 99 features, but the encoder gives 12"):
        JointModel(projection_model(), head)


def test_scaled_images_and_missing_labels_are_named():
    images, labels = images_and_labels()
    model = projection_model()
    model.compile("adam", SUPCON)
    with pytest.raises(Exception, match=r"pixel values in 0\.\.255"):
        model.fit(images / 255.0, labels, verbose=0)
    with pytest.raises(ValueError, match="images alone"):
        model.fit(images, verbose=0)
