import json

import numpy as np
import pytest

from tflite.rejection import RejectionSettings
from tflite.runtime.errors import LabError
from tflite.runtime.scores import softmax
from tflite.score_calibration import (
    ScoreCalibrationSettings,
    calibrate_scores,
    fit_temperature,
    score_quality,
)

LABELS = ("basophil", "eosinophil", "monocyte")


def drawn(images=4000, true_temperature=2.0, seed=0):
    """Logits, and classes drawn with the probabilities that they have at a temperature."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(0, 4, (images, 3))
    cumulated = softmax(logits, true_temperature).cumsum(axis=1)
    return logits, (generator.random((images, 1)) > cumulated).sum(axis=1).clip(max=2)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_that_made_the_classes_is_found(temperature):
    logits, truth = drawn(20_000, temperature)
    assert fit_temperature(logits, truth) == pytest.approx(temperature, rel=0.05)


def test_no_other_temperature_has_a_smaller_cross_entropy():
    logits, truth = drawn(500, 1.7)
    best = fit_temperature(logits, truth)
    for other in (best * 0.98, best * 1.02):
        assert (
            score_quality(truth, softmax(logits, best)).cross_entropy
            < score_quality(truth, softmax(logits, other)).cross_entropy
        )


def test_calibration_lowers_the_calibration_error():
    logits, truth = drawn()
    found = calibrate_scores(logits, truth, LABELS)
    assert found.fitted
    assert found.before.expected_calibration_error > 0.1
    assert found.after.expected_calibration_error < 0.03
    assert found.before.accuracy == found.after.accuracy
    assert found.after.mean_score == pytest.approx(found.after.accuracy, abs=0.02)


def test_accepted_answers_reach_the_precision():
    logits, truth = drawn()
    settings = ScoreCalibrationSettings(RejectionSettings(0.9, 30))
    found = calibrate_scores(logits, truth, LABELS, settings)
    assert tuple(found.thresholds) == LABELS
    assert all(c.precision >= 0.9 for c in found.classes)
    assert 0.3 < found.coverage < 1
    assert found.selective_accuracy >= 0.9 > found.after.accuracy
    accepted = sum(c.accepted for c in found.classes)
    assert found.coverage == pytest.approx(accepted / 4000)


def test_where_nothing_is_wrong_there_is_nothing_to_fit():
    logits = np.eye(3)[[0, 1, 2, 0]] * 2
    found = calibrate_scores(logits, np.array([0, 1, 2, 0]), LABELS)
    assert (found.fitted, found.temperature) == (False, 1.0)
    assert set(found.thresholds.values()) == {0.0}


def test_it_can_be_written_as_json_and_read_as_a_table():
    logits, truth = drawn(300)
    found = calibrate_scores(logits, truth, LABELS)
    values = json.loads(json.dumps(found.to_dict()))
    assert values == found.to_dict()
    assert values["risk_coverage"][0]["images"] == 300
    assert values["settings"]["rejection"]["precision"] == 0.95
    table = found.table()
    for word in ("calibrated", "eosinophil", "unknown below", "coverage"):
        assert word in table


@pytest.mark.parametrize(
    ("logits", "truth"),
    [(np.zeros((0, 3)), []), (np.zeros((2, 2)), [0, 1]), (np.zeros((2, 3)), [0])],
)
def test_shapes_that_disagree_are_refused(logits, truth):
    with pytest.raises(LabError, match=r"takes logits \(images, classes\)"):
        calibrate_scores(logits, np.array(truth, int), LABELS)


def test_broken_logits_are_refused():
    with pytest.raises(LabError, match="finite"):
        calibrate_scores(np.full((2, 3), np.nan), np.array([0, 1]), LABELS)


@pytest.mark.parametrize("limits", [(0, 1), (2, 1), (-1, 1)])
def test_a_temperature_range_rises_from_above_zero(limits):
    with pytest.raises(LabError, match="temperature range"):
        ScoreCalibrationSettings(temperature_range=limits)
