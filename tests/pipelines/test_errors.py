from __future__ import annotations

import pandas as pd

from pipelines.errors import name_rows, name_some


def test_names_the_first_rows_and_counts_the_rest():
    table = pd.DataFrame({"path": [f"{n}.png" for n in range(9)]})
    assert name_rows(table, [2]) == "row 2 ('2.png')"
    assert name_rows(table, range(9), 1) == "row 0 ('0.png') and 8 more"


def test_names_the_first_names_and_counts_the_rest():
    assert name_some([]) == ""
    assert name_some("abc", 2) == "'a', 'b' and 1 more"
