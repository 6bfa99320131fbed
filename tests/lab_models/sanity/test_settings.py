from __future__ import annotations

import pytest

from lab_models.sanity.settings import TESTS, SanityError, SanitySettings


@pytest.mark.parametrize(
    ("bad", "named"),
    [
        ({"tests": ("probe",)}, "tests must be among subsets, probes"),
        ({"seeds": ()}, "seeds must be different numbers"),
        ({"seeds": (1, 1)}, "seeds must be different numbers"),
        ({"leave_one_out_seeds": 0}, "leave_one_out_seeds must be at least 1"),
        ({"confidence": 1.0}, "confidence must lie between 0 and 1"),
        ({"column": ""}, "column must name a column"),
    ],
)
def test_bad_fields_are_named(bad, named):
    with pytest.raises(SanityError, match=named):
        SanitySettings(**bad)


def test_all_bad_fields_are_named_at_once():
    with pytest.raises(SanityError, match=r"seeds.*confidence"):
        SanitySettings(seeds=(-1,), confidence=0)


def test_nothing_asked_for_is_everything():
    assert all(map(SanitySettings().wants, TESTS))
    assert [t for t in TESTS if SanitySettings(tests=("masks",)).wants(t)] == ["masks"]
