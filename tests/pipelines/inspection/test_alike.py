from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipelines.inspection.alike import groups_of
from tests.pipelines.untimed import UNTIMED


@UNTIMED
@given(numbers=st.lists(st.integers(-1, 6), max_size=30))
def test_groups_come_in_the_order_of_first_appearance(numbers):
    expected: dict[int, list[int]] = {}
    for row, number in enumerate(numbers):
        if number >= 0:
            expected.setdefault(number, []).append(row)
    found = [rows.tolist() for rows in groups_of(np.array(numbers, np.int64))]
    assert found == [rows for rows in expected.values() if len(rows) > 1]
