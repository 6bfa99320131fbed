from __future__ import annotations

import pandas as pd

from pipelines.errors import list_some, name_rows, name_some, shorten


def test_names_the_first_rows_and_counts_the_rest():
    table = pd.DataFrame({"path": [f"{n}.png" for n in range(9)]})
    assert name_rows(table, [2]) == "row 2 ('2.png')"
    assert name_rows(table, range(9), 1) == "row 0 ('0.png') and 8 more"


def test_names_the_first_names_and_counts_the_rest():
    assert name_some([]) == ""
    assert name_some("abc", 2) == "'a', 'b' and 1 more"


def test_lists_words_as_they_are():
    assert list_some(["a 1", "b 2", "c 3"], 2, "; ") == "a 1; b 2 and 1 more"


def test_long_names_are_cut_in_the_middle():
    assert shorten("x" * 300) == "x" * 300
    cut = shorten("begin" + "x" * 5000 + "end", 30)
    assert len(cut) == 30
    assert cut.startswith("beginx")
    assert cut.endswith("xend")
    table = pd.DataFrame({"path": ["x" * 5000]})
    assert max(len(name_rows(table, [0])), len(name_some(["x" * 5000]))) < 350
