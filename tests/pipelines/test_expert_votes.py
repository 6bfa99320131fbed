from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.expert_votes import (
    ExpertRule,
    describe_not_counted,
    tally_votes,
    why_not_counted,
)
from tflite.runtime.errors import LabError

some_votes = st.lists(
    st.tuples(st.sampled_from("abcd"), st.sampled_from("EFGHI"), st.sampled_from("xyz")),
    min_size=1,
    max_size=30,
)


def table(votes):
    return pd.DataFrame(votes, columns=["path", "expert", "label"], dtype=object)


@given(some_votes)
def test_the_tally_is_what_counting_by_hand_gives(votes):
    tally = tally_votes(table(votes))
    assert list(tally.index) == list(dict.fromkeys(path for path, _, _ in votes))
    for path, row in tally.iterrows():
        own = {(expert, label) for place, expert, label in votes if place == path}
        counts = Counter(label for _, label in own)
        most = max(counts.values())
        winners = [label for label, count in counts.items() if count == most]
        assert row["experts"] == len({expert for expert, _ in own})
        assert row["labels"] == len(counts)
        assert row["label"] == (winners[0] if len(winners) == 1 else "")
        assert row["agreement"] == pytest.approx(most / len(own))


@given(some_votes, st.integers(1, 4), st.floats(0.01, 1))
def test_stricter_rules_let_fewer_count(votes, experts, agreement):
    tally = tally_votes(table(votes))
    counted = why_not_counted(tally, ExpertRule(experts, agreement)) == ""
    assert not (counted & (tally["label"] == "").to_numpy()).any()
    for stricter in (ExpertRule(experts + 1, agreement), ExpertRule(experts)):
        assert not ((why_not_counted(tally, stricter) == "") & ~counted).any()
    unanimous = why_not_counted(tally, ExpertRule()) == ""
    assert (unanimous == (tally["labels"] == 1).to_numpy()).all()


def test_two_thirds_are_two_thirds():
    tally = tally_votes(table([("a", "E", "x"), ("a", "F", "x"), ("a", "G", "y")]))
    assert why_not_counted(tally, ExpertRule(3, 2 / 3)).tolist() == [""]
    assert why_not_counted(tally, ExpertRule(3, 0.67)).tolist() == ["experts disagree"]
    assert why_not_counted(tally, ExpertRule(4)).tolist() == ["fewer than 4 expert(s)"]


@pytest.mark.parametrize("rule", [(0, 1), (True, 1), (1.5, 1), (1, 0), (1, 1.5), (1, "half")])
def test_rules_out_of_range(rule):
    with pytest.raises(LabError, match=r"whole number of experts|fraction above 0"):
        ExpertRule(*rule)


def test_sentences():
    assert describe_not_counted(np.array(["", ""]), "x") == []
    assert describe_not_counted(np.array(["b", "", "a", "b"]), "x") == [
        "3 of 4 images of x do not count: 1 a, 2 b."
    ]
