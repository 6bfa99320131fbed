import dataclasses
from pathlib import Path

import numpy as np
import pytest

from tflite.compare import (
    REFERENCE,
    ParityThresholds,
    compare_scores,
    compute_logits,
    exact_mcnemar,
    parity_faults,
    wilson_interval,
)
from tflite.representative import LabelledImages
from tflite.runtime.errors import LabError
from tflite.runtime.scores import softmax

CLASSES = ("a", "b", "c")


def one_hot(answers, certainty=0.8):
    scores = np.full((len(answers), 3), (1 - certainty) / 2, np.float32)
    scores[np.arange(len(answers)), answers] = certainty
    return scores


def labelled(truth):
    return LabelledImages(tuple(Path(f"{i}.png") for i in range(len(truth))), np.array(truth))


def compare(truth, before, after, name="int8_full"):
    scores = {REFERENCE: one_hot(before), name: one_hot(after)}
    return compare_scores(scores, labelled(truth), CLASSES)


def test_a_comparison_worked_by_hand():
    # Truth a a a a b b; the Keras model has one b wrong, int8 has it right and two a wrong.
    parity = compare([0, 0, 0, 0, 1, 1], [0, 0, 0, 0, 1, 2], [0, 0, 1, 2, 1, 1])
    assert parity.images == 6
    assert parity.counts == {"a": 4, "b": 2, "c": 0}
    assert (parity.reference.correct, parity.reference.agreement) == (5, 1.0)
    int8 = parity.variant("int8_full")
    assert int8.correct == 4
    assert int8.accuracy == pytest.approx(4 / 6)
    assert int8.agreement == pytest.approx(3 / 6)
    assert int8.recall == {"a": 0.5, "b": 1.0, "c": None}
    assert int8.recall_change == {"a": -0.5, "b": 0.5, "c": None}
    assert int8.precision == {"a": 1.0, "b": pytest.approx(2 / 3), "c": 0.0}
    assert int8.precision_change == {"a": 0.0, "b": pytest.approx(-1 / 3), "c": 0.0}
    # Two right answers lost, one gained: any split of three is as extreme or more.
    assert (int8.lost, int8.gained, int8.mcnemar) == (2, 1, 1.0)
    # Three answers right, or four of six for int8, all given with 0.8.
    assert parity.reference.calibration_error == pytest.approx(5 / 6 - 0.8)
    assert int8.calibration_error == pytest.approx(0.8 - 4 / 6)
    # Of three scores two differ by 0.7 in each of three images out of six.
    assert int8.max_difference == pytest.approx(0.7)
    assert int8.mean_difference == pytest.approx(0.7 * 2 / 3 / 2)
    assert [flip.path for flip in int8.flips] == ["2.png", "3.png", "5.png"]
    flip = int8.flips[2]
    assert (flip.label, flip.before, flip.after) == ("b", "c", "b")
    assert flip.before_score == pytest.approx(0.8)


def test_flips_of_classes_of_interest_stand_first():
    scores = {REFERENCE: one_hot([0, 0, 1, 0]), "int8_full": one_hot([1, 1, 2, 2])}
    parity = compare_scores(scores, labelled([0, 0, 1, 0]), CLASSES, of_interest=("c",))
    assert [flip.path for flip in parity.variants[0].flips] == ["2.png", "3.png", "0.png", "1.png"]


@pytest.mark.parametrize(
    ("lost", "gained", "p"), [(0, 0, 1.0), (5, 0, 0.0625), (0, 5, 0.0625), (8, 2, 0.109375)]
)
def test_mcnemar_is_the_exact_binomial_test(lost, gained, p):
    """Twice the tail of a fair coin, by hand: 2 / 32, and 2 (1 + 10 + 45) / 1024."""
    assert exact_mcnemar(lost, gained) == pytest.approx(p)


def test_equal_scores_agree_wholly():
    parity = compare([0, 1, 2], [0, 1, 1], [0, 1, 1])
    variant = parity.variants[0]
    assert (variant.agreement, variant.max_difference, variant.flips) == (1.0, 0.0, ())
    assert parity_faults(parity, ParityThresholds()) == []


def test_no_image_is_an_error():
    with pytest.raises(LabError, match="needs validation images"):
        compare_scores({REFERENCE: np.zeros((0, 3))}, labelled([]), CLASSES)


def test_a_variant_that_was_not_compared_is_an_error():
    with pytest.raises(LabError, match=r"'x' was not compared; there are \['int8_full'\]"):
        compare([0], [0], [0]).variant("x")


@pytest.mark.parametrize(
    ("correct", "total", "interval"),
    [
        (81, 263, (0.2553, 0.3662)),
        (15, 148, (0.0624, 0.1605)),
        (0, 20, (0.0, 0.1611)),
        (1, 29, (0.0061, 0.1718)),
    ],
)
def test_the_wilson_interval_is_the_published_one(correct, total, interval):
    """Newcombe 1998, Statistics in Medicine 17:857-872, table I, method 3."""
    assert wilson_interval(correct, total) == pytest.approx(interval, abs=5e-5)


@pytest.mark.parametrize(
    ("wrong", "faults"),
    [
        (0, []),
        (2, []),  # 1 % of 200
        (3, ["lost"]),
        (6, ["lost"]),  # 3 % of 200 may flip
        (7, ["lost", "change their class"]),
    ],
)
def test_the_thresholds_count_whole_images(wrong, faults):
    after = np.zeros(200, int)
    after[:wrong] = 1
    parity = compare(np.zeros(200, int), np.zeros(200, int), after)
    found = parity_faults(parity, ParityThresholds(accuracy_loss=0.01, agreement=0.97))
    assert len(found) == len(faults)
    for sentence, words in zip(found, faults, strict=True):
        assert words in sentence
        assert sentence.startswith("int8_full")


def test_a_share_is_rounded_up_to_whole_images():
    parity = compare([0] * 40, [0] * 40, [1] + [0] * 39)
    assert parity_faults(parity, ParityThresholds(accuracy_loss=0.01, agreement=0.97)) == []


def test_gaining_accuracy_is_no_fault():
    parity = compare([0] * 300, [0] * 295 + [1] * 5, [0] * 300)
    assert parity_faults(parity, ParityThresholds()) == []


def test_float32_is_held_to_its_own_limit():
    scores = {REFERENCE: one_hot([0, 1]), "float32": one_hot([0, 1]) + np.float32(2e-4)}
    parity = compare_scores(scores, labelled([0, 1]), CLASSES)
    assert "at most 0.0001" in parity_faults(parity, ParityThresholds())[0]
    loose = dataclasses.replace(ParityThresholds(), float32_max_difference=1e-3)
    assert parity_faults(parity, loose) == []


def test_logits_come_from_every_model_image_by_image(
    model, float32_file, int8_file, image_files, pixels, contract, monkeypatch
):
    monkeypatch.setattr("tflite.compare._CHUNK", 10)  # several chunks, the last one shorter
    calls = []
    files = {"float32": float32_file, "int8_full": int8_file}
    logits = compute_logits(model, files, image_files, contract, lambda *done: calls.append(done))
    assert calls == [(10, 24), (20, 24), (24, 24)]
    assert list(logits) == [REFERENCE, "float32", "int8_full"]
    expected = model.predict(pixels.astype(np.float32), verbose=0)
    for name, tolerance in ((REFERENCE, 1e-5), ("float32", 1e-5), ("int8_full", 0.1)):
        assert logits[name].shape == (24, 3)
        np.testing.assert_allclose(softmax(logits[name]), expected, atol=tolerance)


def test_the_keras_model_may_be_left_out(int8_file, image_files, contract):
    assert list(compute_logits(None, {"x": int8_file}, image_files, contract)) == ["x"]


def test_a_summary_is_short_enough_for_a_sidecar():
    summary = compare([0, 1], [0, 1], [0, 2]).variants[0].summary()
    assert summary["flips"] == 1
    assert summary["recall_change"] == {"a": 0.0, "b": -1.0, "c": None}
    assert {"recall", "precision"}.isdisjoint(summary)
