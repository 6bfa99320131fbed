from __future__ import annotations

import keras
import numpy as np
import pytest

from lab_models.backbones import backbone_spec
from lab_models.classifier import build_classifier
from pipelines.labels import HAL_CLASSES


def _tiny(**options):
    contract = backbone_spec("resnet10_half").contract(32, 32)
    return build_classifier("resnet10_half", contract, ("a", "b", "c"), **options)


def test_hal_t_has_the_parameters_of_the_study():
    contract = backbone_spec("xception").contract(256, 256)
    classifier = build_classifier("xception", contract, HAL_CLASSES)
    assert classifier.model.count_params() == 20_902_460
    assert classifier.encoder.count_params() == 20_861_480
    assert classifier.model.get_layer("predictions").count_params() == 40_980
    assert classifier.model.input_shape == (None, 256, 256, 3)
    assert classifier.encoder.output_shape == (None, 2048)
    before_pooling = classifier.model.layers[
        classifier.model.layers.index(classifier.model.get_layer("pooled_features")) - 1
    ]
    assert tuple(before_pooling.output.shape[1:]) == (8, 8, 2048)
    order = [layer.name for layer in classifier.model.layers]
    assert order[:2] == ["image", "rescale"]
    assert order[-3:] == ["pooled_features", "dropout", "predictions"]


def test_scores_are_probabilities_in_float32_under_mixed_precision():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        classifier = _tiny()
    finally:
        keras.config.set_dtype_policy(before)
    scores = np.asarray(classifier.model(np.full((2, 32, 32, 3), 128.0, "float32")))
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-5)


def test_encoder_and_classifier_share_their_weights():
    classifier = _tiny()
    classifier.model.get_layer("stem_conv").kernel.assign_add(
        keras.ops.ones_like(classifier.model.get_layer("stem_conv").kernel)
    )
    ours, theirs = classifier.encoder.get_weights(), classifier.model.get_weights()
    for a, b in zip(ours, theirs):
        np.testing.assert_array_equal(a, b)


def test_loads_without_custom_code(tmp_path):
    classifier = _tiny()
    classifier.model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)).astype("float32")
    np.testing.assert_allclose(loaded(pixels), classifier.model(pixels), atol=1e-6)


def test_a_single_class_is_refused():
    contract = backbone_spec("resnet10_half").contract(32, 32)
    with pytest.raises(ValueError, match=r"at least two classes, got \['only'\]"):
        build_classifier("resnet10_half", contract, ("only",))


def test_normalized_features_have_length_one_by_layers_that_int8_knows():
    classifier = _tiny(normalize_features=True, dropout=0.0)
    names = [layer.name for layer in classifier.model.layers]
    assert names.index("pooled_features") < names.index("normalized_features")
    normalized = keras.Model(
        classifier.model.input, classifier.model.get_layer("normalized_features").output
    )
    images = np.random.default_rng(0).uniform(0, 255, (3, 32, 32, 3)).astype("float32")
    features = classifier.encoder.predict(images, verbose=0)
    expected = features / np.linalg.norm(features, axis=1, keepdims=True)
    np.testing.assert_allclose(normalized.predict(images, verbose=0), expected, atol=1e-5)
    np.testing.assert_allclose(
        classifier.head.predict(features, verbose=0),
        classifier.model.predict(images, verbose=0),
        atol=1e-6,
    )
