from __future__ import annotations

import math

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab_models.recipes import Optimizer
from lab_models.schedules import WarmUpSchedule, build_schedule


def _reference(kind: str, peak: float, total: int, warmup: int, step: int) -> float:
    if step < warmup:
        return peak * (step + 1) / warmup
    t = min((step - warmup) / (total - warmup), 1.0)
    course = {
        "constant": 1.0,
        "cosine": (1 + math.cos(math.pi * t)) / 2,
        "rex": (1 - t) / (0.5 + (1 - t) / 2),
    }
    return peak * course[kind]


@given(
    kind=st.sampled_from(WarmUpSchedule.KINDS),
    peak=st.floats(1e-6, 1.0),
    total=st.integers(2, 500),
    share=st.floats(0, 0.9),
    step=st.integers(0, 600),
)
def test_equals_the_published_formula(kind, peak, total, share, step):
    warmup = min(int(share * total), total - 1)
    rate = float(WarmUpSchedule(kind, peak, total, warmup)(step))
    assert rate == pytest.approx(_reference(kind, peak, total, warmup, step), rel=1e-4, abs=1e-9)


def test_rex_as_in_study_particles():
    # lr0 = 0.01; half way: 0.5 / (0.5 + 0.25) = 2/3 of it
    assert float(WarmUpSchedule("rex", 0.01, 12)(6)) == pytest.approx(0.01 * 2 / 3)


@pytest.mark.parametrize(("warmup", "total"), [(10, 10), (11, 10), (-1, 10)])
def test_a_warm_up_that_fills_the_phase_is_refused(warmup, total):
    with pytest.raises(ValueError, match=f"got {warmup} of {total}"):
        WarmUpSchedule("cosine", 0.1, total, warmup)


def test_survives_saving():
    schedule = WarmUpSchedule("rex", 0.1, 20, 5)
    restored = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(schedule))
    steps = np.arange(25)
    np.testing.assert_array_equal([restored(s) for s in steps], [schedule(s) for s in steps])


def test_built_from_a_recipe_in_steps():
    schedule = build_schedule(Optimizer("adam", 0.1, "cosine", warmup_epochs=1.5), 10, 4)
    assert (schedule.total_steps, schedule.warmup_steps) == (40, 15)
    assert build_schedule(Optimizer("adam", 0.1, "plateau"), 10, 4).kind == "constant"
    nearly_all = build_schedule(Optimizer("adam", 0.1, warmup_epochs=0.99), 10, 1)
    assert (nearly_all.total_steps, nearly_all.warmup_steps) == (10, 9)
