import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tflite.rejection import (
    RejectionSettings,
    area_under_risk_coverage,
    rejection_thresholds,
    risk_coverage,
)
from tflite.runtime.errors import LabError


def two_classes(best, right):
    """Scores of images that all get class "a", and their truth."""
    best = np.asarray(best, np.float64)
    return np.where(right, 0, 1), np.stack([best, 1 - best], axis=1)


def first(best, right, precision=0.8, minimum_images=1):
    truth, scores = two_classes(best, right)
    settings = RejectionSettings(precision, minimum_images)
    return rejection_thresholds(truth, scores, ("a", "b"), settings)[0]


def test_the_threshold_is_the_lowest_that_reaches_the_precision():
    # Accepting four: 3 of 4 right; five: 4 of 5; all six: 4 of 6.
    found = first([0.95, 0.9, 0.85, 0.8, 0.7, 0.6], [1, 0, 1, 1, 1, 0])
    assert found.threshold == pytest.approx(0.65)
    assert (found.rule, found.answers, found.accepted) == ("own", 6, 5)
    assert found.precision == pytest.approx(0.8)


def test_nothing_is_rejected_where_all_answers_are_good_enough():
    assert first([0.9, 0.8, 0.6], [1, 1, 1]).threshold == 0
    assert first([0.9, 0.8, 0.6], [0, 0, 0], precision=0).threshold == 0


def test_what_cannot_be_reached_is_said_and_comes_as_close_as_it_can():
    found = first([0.9, 0.8, 0.7, 0.6], [0, 1, 1, 0], precision=0.9, minimum_images=2)
    assert (found.rule, found.accepted) == ("not reached", 3)
    assert found.precision == pytest.approx(2 / 3)


def test_a_threshold_rests_on_enough_images():
    found = first([0.9, 0.8, 0.7, 0.6], [1, 0, 0, 1], precision=1.0, minimum_images=3)
    assert (found.rule, found.accepted) == ("not reached", 4)


def test_equal_scores_are_accepted_together():
    found = first([0.9, 0.7, 0.7, 0.6], [1, 1, 0, 0], precision=0.9)
    assert found.accepted == 1
    assert found.threshold == pytest.approx(0.8)


def test_a_rare_class_takes_the_threshold_of_all():
    scores = np.array([[0.9, 0.1], [0.8, 0.2], [0.6, 0.4], [0.3, 0.7]])
    settings = RejectionSettings(1.0, minimum_images=2)
    common, rare = rejection_thresholds(np.array([0, 0, 1, 1]), scores, ("a", "b"), settings)
    assert (common.rule, common.accepted) == ("own", 2)
    assert rare.rule == "together"
    assert rare.threshold == pytest.approx(0.65)
    assert (rare.answers, rare.precision) == (1, 1.0)


def test_a_class_nobody_gets_has_no_precision():
    truth, scores = two_classes([0.9], [1])
    assert rejection_thresholds(truth, scores, ("a", "b"), RejectionSettings())[1].precision is None


def test_nothing_is_rejected_where_a_class_is_called_unknown():
    truth, scores = two_classes([0.9, 0.8], [1, 0])
    found = rejection_thresholds(truth, scores, ("a", "unknown"), RejectionSettings(1.0, 1))
    assert [c.threshold for c in found] == [0, 0]


@given(
    st.lists(st.tuples(st.sampled_from(range(50, 100)), st.booleans()), min_size=1, max_size=40),
    st.sampled_from([0.5, 0.8, 1.0]),
    st.integers(1, 10),
)
def test_the_rule_holds_on_anything(answers, precision, minimum):
    best = np.array([score / 100 for score, _ in answers])
    right = np.array([bool(r) for _, r in answers])
    found = first(best, right, precision, minimum)
    accepted = best >= found.threshold
    assert accepted.sum() >= min(minimum, len(best))
    # By trying every score as the lowest accepted one.
    tried = [t for t in np.unique(best) if (best >= t).sum() >= min(minimum, len(best))]
    good = [t for t in tried if right[best >= t].mean() >= precision]
    assert (found.rule != "not reached") == bool(good)
    assert found.accepted == (
        (best >= min(good)).sum()
        if good
        else next(
            (best >= t).sum()
            for t in reversed(tried)
            if right[best >= t].mean() == max(right[best >= u].mean() for u in tried)
        )
    )


@pytest.mark.parametrize(("precision", "images"), [(1.1, 1), (-0.1, 1), (0.9, 0)])
def test_bad_settings_are_refused(precision, images):
    with pytest.raises(LabError, match=r"precision of 0\.\.1"):
        RejectionSettings(precision, images)


def test_risk_falls_as_the_lowest_scores_are_left_out():
    truth, scores = two_classes([0.9, 0.8, 0.7, 0.6], [1, 1, 0, 1])
    points = risk_coverage(truth, scores, (1.0, 0.75, 0.5, 0.01))
    assert [(p.images, p.coverage) for p in points] == [(4, 1), (3, 0.75), (2, 0.5), (1, 0.25)]
    assert [p.risk for p in points] == pytest.approx([1 / 4, 1 / 3, 0, 0])
    assert [p.score for p in points] == pytest.approx([0.6, 0.7, 0.8, 0.9])
    assert area_under_risk_coverage(truth, scores) == pytest.approx((0 + 0 + 1 / 3 + 1 / 4) / 4)


@pytest.mark.parametrize("coverage", [0, 1.5, -1])
def test_a_coverage_is_a_share(coverage):
    with pytest.raises(LabError, match="coverage lies"):
        risk_coverage(*two_classes([0.9], [1]), (coverage,))
