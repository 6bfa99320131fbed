from __future__ import annotations

import keras
import numpy as np
import pytest

from lab_models.optimization import build_loss, build_optimizer
from lab_models.recipes import Loss, Optimizer
from lab_models.recipes.phase import OPTIMIZERS

LABELS = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]], "float32")
SCORES = np.array([[0.7, 0.2, 0.1], [0.3, 0.3, 0.4]], "float32")


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimiser_takes_a_step_at_its_rate(name):
    optimizer = build_optimizer(Optimizer(name, 0.25, gradient_clip=1.0), 0.25)
    assert float(keras.ops.convert_to_numpy(optimizer.learning_rate)) == 0.25
    assert optimizer.global_clipnorm == 1.0
    weight = keras.Variable(np.ones(3, "float32"))
    optimizer.build([weight])
    optimizer.apply([keras.ops.convert_to_tensor(np.array([1.0, -1.0, 0.0], "float32"))])
    moved = keras.ops.convert_to_numpy(weight)
    assert moved[0] < 1 < moved[1]


@pytest.mark.parametrize("name", ["adamw", "lion"])
def test_weight_decay_shrinks_kernels_alone(name):
    optimizer = build_optimizer(Optimizer(name, 0.1, weight_decay=0.5), 0.1)
    names = ("kernel", "bias", "gamma", "beta")
    weights = [keras.Variable(np.ones(2, "float32"), name=n) for n in names]
    optimizer.build(weights)
    optimizer.apply([keras.ops.zeros(2) for _ in weights])
    shrunk = [float(keras.ops.convert_to_numpy(w)[0]) for w in weights]
    assert shrunk == pytest.approx([0.95, 1.0, 1.0, 1.0])


def test_cross_entropy_with_label_smoothing_is_the_formula():
    smooth = LABELS * 0.9 + 0.1 / 3
    expected = -(smooth * np.log(SCORES)).sum(axis=1).mean()
    loss = build_loss(Loss(label_smoothing=0.1))(LABELS, SCORES)
    assert float(loss) == pytest.approx(expected, rel=1e-5)


def test_focal_loss_is_equation_4_of_its_paper():
    right = (LABELS * SCORES).sum(axis=1)
    expected = (-((1 - right) ** 2) * np.log(right)).mean()
    assert float(build_loss(Loss("focal"))(LABELS, SCORES)) == pytest.approx(expected, rel=1e-4)


def test_focal_loss_with_gamma_zero_is_cross_entropy():
    focal = build_loss(Loss("focal", focal_gamma=0.0))(LABELS, SCORES)
    plain = build_loss(Loss())(LABELS, SCORES)
    assert float(focal) == pytest.approx(float(plain), rel=1e-5)
