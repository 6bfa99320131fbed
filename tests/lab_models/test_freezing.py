from __future__ import annotations

import keras
import numpy as np
import pytest

from lab_models.backbones import backbone_spec
from lab_models.classifier import build_classifier
from lab_models.freezing import set_trainable
from lab_models.recipes import Phase
from tflite.runtime.errors import LabError


@pytest.fixture
def classifier():
    contract = backbone_spec("resnet10_half").contract(32, 32)
    return build_classifier("resnet10_half", contract, ("a", "b"))


def _with_weights(classifier, names):
    return [n for n in names if classifier.model.get_layer(n).weights]


def test_frozen_trains_the_head_alone(classifier):
    assert set_trainable(classifier, Phase("top", "frozen", 1)) == ()
    trained = [w.path for w in classifier.model.trainable_weights]
    assert trained == ["predictions/kernel", "predictions/bias"]


def test_full_trains_every_layer(classifier):
    assert set_trainable(classifier, Phase("all", "full", 1)) == classifier.backbone_layers


def test_partial_trains_from_the_named_layer_on(classifier):
    phase = Phase("upper", "partial", 1, train_from="stage4_block1_1_conv")
    trained = _with_weights(classifier, set_trainable(classifier, phase))
    assert sorted(trained) == [
        "stage4_block1_1_bn",
        "stage4_block1_1_conv",
        "stage4_block1_2_bn",
        "stage4_block1_2_conv",
        "stage4_block1_shortcut_bn",
        "stage4_block1_shortcut_conv",
    ]


def test_partial_from_an_unknown_layer_suggests_the_nearest(classifier):
    phase = Phase("upper", "partial", 1, train_from="stage4_block1_1_convv")
    with pytest.raises(LabError, match="Did you mean 'stage4_block1_1_conv'"):
        set_trainable(classifier, phase)


def test_later_phases_undo_earlier_ones(classifier):
    set_trainable(classifier, Phase("top", "frozen", 1))
    assert set_trainable(classifier, Phase("all", "full", 1)) == classifier.backbone_layers


def _train_one_step(classifier, phase):
    set_trainable(classifier, phase)
    classifier.model.compile(keras.optimizers.SGD(0.1), "categorical_crossentropy")
    images = np.random.default_rng(0).uniform(0, 255, (8, 32, 32, 3)).astype("float32")
    classifier.model.fit(images, np.eye(2)[[0, 1] * 4], verbose=0)


def _statistics(classifier):
    layers = [classifier.model.get_layer(n) for n in classifier.backbone_layers]
    norms = [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]
    return {n.name: np.concatenate([w.ravel() for w in n.get_weights()]) for n in norms}


@pytest.mark.parametrize(
    ("phase", "moves"),
    [
        (Phase("top", "frozen", 1), False),
        (Phase("tuned", "full", 1, batch_norm="frozen"), False),
        (Phase("scratch", "full", 1), True),
    ],
)
def test_batch_norm_moves_only_where_the_rule_says(classifier, phase, moves):
    before = _statistics(classifier)
    _train_one_step(classifier, phase)
    after = _statistics(classifier)
    moved = [name for name in before if not np.array_equal(before[name], after[name])]
    assert moved == (list(before) if moves else [])


def test_frozen_batch_norm_runs_as_at_inference_while_the_rest_trains(classifier):
    set_trainable(classifier, Phase("tuned", "full", 1, batch_norm="frozen"))
    images = np.random.default_rng(0).uniform(0, 255, (4, 32, 32, 3)).astype("float32")
    encoder = classifier.encoder
    np.testing.assert_allclose(
        encoder(images, training=True), encoder(images, training=False), rtol=1e-4, atol=1e-5
    )
