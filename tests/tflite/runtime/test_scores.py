import numpy as np
import pytest

from tflite.runtime.errors import LabError
from tflite.runtime.scores import expected_calibration_error, reliability_bins, softmax

pytestmark = pytest.mark.device


@pytest.mark.parametrize("shape", [(3,), (1, 3), (4, 5, 3)])
def test_scores_sum_to_one_over_the_last_axis(shape):
    scores = softmax(np.random.default_rng(0).normal(0, 5, shape))
    assert (scores.shape, scores.dtype) == (shape, np.float32)
    np.testing.assert_allclose(scores.sum(axis=-1), 1, atol=1e-6)


def test_the_softmax_is_the_definition():
    logits = np.array([1.0, 2.0, 4.0])
    powers = np.exp(logits / 1.7)
    np.testing.assert_allclose(softmax(logits, 1.7), powers / powers.sum(), rtol=1e-6)


def test_large_logits_do_not_overflow():
    assert softmax([3e38, -3e38, 0]).tolist() == [1.0, 0.0, 0.0]
    np.testing.assert_array_equal(softmax([1e30] * 4), [0.25] * 4)


def test_temperature_changes_boldness_and_not_the_order():
    logits = np.random.default_rng(1).normal(0, 3, (50, 4))
    bold, plain, modest = (softmax(logits, t) for t in (0.5, 1.0, 2.0))
    assert (bold.max(axis=1) > plain.max(axis=1)).all()
    assert (plain.max(axis=1) > modest.max(axis=1)).all()
    np.testing.assert_array_equal(bold.argsort(axis=1), modest.argsort(axis=1))


@pytest.mark.parametrize("temperature", [0, -1, float("nan"), float("inf")])
def test_a_bad_temperature_is_refused(temperature):
    with pytest.raises(LabError, match="temperature must be a finite number above 0"):
        softmax([1.0, 2.0], temperature)


@pytest.mark.parametrize("logits", [[1.0, float("nan")], [float("inf"), 0.0]])
def test_logits_of_a_broken_model_are_refused(logits):
    with pytest.raises(LabError, match="must be finite"):
        softmax(logits)


@pytest.mark.parametrize("logits", [1.0, [], np.zeros((3, 0))])
def test_logits_without_classes_are_refused(logits):
    with pytest.raises(LabError, match="classes as last axis"):
        softmax(logits)


def test_the_calibration_error_is_the_gap_of_the_bins():
    scores = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.4, 0.6]])
    truth = np.array([0, 1, 0, 1])
    # Bin of 0.9: confidence 0.9, accuracy 0.5; bin of 0.6: confidence 0.6, accuracy 1.
    assert expected_calibration_error(truth, scores, 10) == pytest.approx(0.5 * 0.4 + 0.5 * 0.4)
    table = reliability_bins(truth, scores, 10)
    assert table["count"].tolist() == [0, 0, 0, 0, 0, 2, 0, 0, 2, 0]
    assert np.isnan(table["accuracy"][0])
