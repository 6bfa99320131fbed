from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import ManifestError
from pipelines.groups import join_groups, kept_together, possible_groupings
from pipelines.manifest import make_manifest
from tests.pipelines.untimed import UNTIMED

ALONE = np.full(6, -1)


def table_of(**columns):
    table = pd.DataFrame({"path": [f"{n}.png" for n in range(6)], "label": "x"})
    return make_manifest(table.assign(**columns), "nowhere").table


def together(groups):
    """The sets of rows that share a number."""
    rows = pd.Series(range(len(groups))).groupby(np.asarray(groups)).apply(list)
    return sorted(rows.tolist())


@pytest.mark.parametrize(
    ("by", "columns", "expected"),
    [
        ("auto", {}, ["image"]),
        ("auto", {"slide": list("aabbcc")}, ["slide", "image"]),
        (
            "auto",
            {"slide": list("aabbcc"), "patient": list("pqrpqr")},
            ["patient", "slide", "image"],
        ),
        ("auto", {"slide": list("aaabbb")}, ["image"]),  # two slides are too few
        ("auto", {"near_duplicates": ""}, ["near_duplicates"]),
        ("given", {"slide": list("aabbcc")}, ["slide", "image"]),
        ("image", {"slide": list("aabbcc")}, ["image"]),
        ("image", {"near_duplicates": ""}, ["near_duplicates"]),
        ("near_duplicates", {"near_duplicates": ""}, ["near_duplicates"]),
        ("day", {"day": [1, 1, 2, 2, 3, 3]}, ["day"]),
    ],
)
def test_groupings_are_tried_best_first(by, columns, expected):
    assert possible_groupings(table_of(**columns), by, minimum_groups=3) == expected


def test_a_column_must_be_there_and_full():
    with pytest.raises(ManifestError, match=r"no such column\..* patient, slide, source, week"):
        possible_groupings(table_of(week="1"), "day", 3)
    with pytest.raises(ManifestError, match=r"2 of 6 have none, row 1 .*, row 4"):
        possible_groupings(table_of(day=["1", "", "1", "1", None, "1"]), "day", 3)
    with pytest.raises(ManifestError, match=r"1 of 6 have none, row 2"):
        possible_groupings(table_of(day=[1, 1, np.nan, 1, 1, 1]), "day", 3)


def test_names_contents_and_near_duplicates_keep_together():
    twins = ["", "a", "a", "", "", ""]
    table = table_of(slide=["s", "s", "t", "u", "u", ""], near_duplicates=twins)
    content = np.array([-1, -1, -1, -1, 0, 0])
    assert together(kept_together(table, "slide", ALONE)) == [[0, 1, 2], [3, 4], [5]]
    assert together(kept_together(table, "slide", content)) == [[0, 1, 2], [3, 4, 5]]
    assert together(kept_together(table, "image", content)) == [[0], [1, 2], [3], [4, 5]]


@UNTIMED
@given(codes=st.lists(st.lists(st.integers(-1, 5), min_size=8, max_size=8), min_size=1, max_size=3))
def test_joined_groups_are_the_finest_that_no_code_crosses(codes):
    arrays = [np.array(code) for code in codes]
    groups = join_groups(8, *arrays)
    near = np.eye(8, dtype=bool)
    for code in arrays:
        near |= (code[:, None] == code) & (code >= 0)
    for _ in range(3):  # paths of up to eight steps
        near = (near.astype(int) @ near) > 0
    assert (groups[:, None] == groups).tolist() == near.tolist()
