from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lab_models.sanity.parts import (
    SanityData,
    choose_focus,
    part_manifest,
    read_data,
    single_source_classes,
    source_manifest,
    why_no_sources,
    why_no_subsets,
)
from lab_models.sanity.settings import SanityError
from pipelines.manifest import make_manifest


def make_data(rows: list[tuple[str, str, str, str]]) -> SanityData:
    """Rows of (label, source, subset, split)."""
    table = pd.DataFrame(rows, columns=["label", "source", "subset", "split"])
    table["path"] = [f"{place}.png" for place in range(len(table))]
    return SanityData(make_manifest(table, "somewhere"), None)


FULL = [
    (label, source, subset, split)
    for label, source, subset in (
        ("hairy_cell", "hairy_db", "A"), ("blast", "WBC", "B"), ("basophil", "WBC", "B"),
        ("blast", "hairy_db", "C"), ("basophil", "hairy_db", "C"),
    )
    for split in ("train", "train", "test")
]  # fmt: skip


def test_lookalikes_are_read_apart_and_belong_to_no_part(smears):
    data = read_data(smears)
    assert set(data.subsets) == set("ABC")
    assert len(data.lookalikes) == 6
    assert set(data.lookalikes.table["label"]) == {"abnormal_lymphocyte"}
    assert why_no_subsets(data) == ""


def test_lookalikes_may_stand_in_a_table_with_a_column_subset(tmp_path, smears):
    table = read_data(smears).manifest.table
    table["subset"] = np.where(np.arange(len(table)) < 3, "D", table["subset"])
    table["path"] = [str(smears / path) for path in table["path"]]
    file = smears.parent / "table.csv"
    table.assign(path=[path[len(str(smears.parent)) + 1 :] for path in table["path"]]).to_csv(
        file, index=False
    )
    data = read_data(file)
    assert len(data.lookalikes) == 3
    assert "D" not in data.subsets


def test_part_1_lacks_c_and_both_parts_are_tested_on_a_and_b():
    data = make_data(FULL)
    first, second = (part_manifest(data, part).table for part in ("part_1", "part_2"))
    assert set(first["subset"]) == {"A", "B"}
    assert set(second["subset"]) == {"A", "B", "C"}
    tests = [set(t[t["split"] == "test"]["path"]) for t in (first, second)]
    assert tests[0] == tests[1]
    assert set(second[second["split"] == "test"]["subset"]) == {"A", "B"}
    assert len(second) - len(first) == 4


def test_test_images_of_a_class_that_is_not_trained_on_are_left_out():
    data = make_data([*FULL, ("monocyte", "WBC", "B", "test")])
    assert "monocyte" not in part_manifest(data, "part_1").classes


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([r for r in FULL if r[2] != "C"], "C .* has no train image"),
        ([r for r in FULL if (r[2], r[3]) != ("A", "test")], "A .* has no test image"),
        ([(a, b, "", d) for a, b, _, d in FULL], "names no subsets"),
    ],
)
def test_says_why_there_are_no_parts(rows, why):
    assert pd.Series([why_no_subsets(make_data(rows))]).str.contains(why).all()


@pytest.mark.parametrize(
    ("column", "sources", "why"),
    [
        ("hospital", ["a"], "no column 'hospital'"),
        ("source", ["", ""], "the column 'source' is empty"),
        ("source", ["a", "a", ""], "every image has the same source, 'a'"),
        ("source", ["a", "b"], None),
    ],
)
def test_says_why_there_are_no_sources(column, sources, why):
    data = make_data([("blast", source, "", "") for source in sources])
    found = why_no_sources(data.manifest, column)
    assert why in found if why else found == ""


def test_a_source_left_out_is_tested_whole_in_the_shared_classes():
    manifest = make_data([*FULL, ("blast", "", "", "")]).manifest
    chosen = source_manifest(manifest, "source", "hairy_db")
    assert chosen.classes == ("basophil", "blast")
    table = chosen.table
    assert set(table[table["split"] == "test"]["source"]) == {"hairy_db"}
    assert (table["split"] == "test").sum() == 6  # 9 of hairy_db, 3 of them hairy cells
    assert "" not in set(table["source"])  # an unknown source may be the one left out
    assert set(table[table["split"] == ""]["source"]) == {"WBC"}


def test_a_source_that_shares_no_class_or_leaves_one_only_is_an_error():
    rows = [("blast", "a"), ("basophil", "a"), ("monocyte", "b"), ("hairy_cell", "b")]
    manifest = make_data([(label, source, "", "") for label, source in rows]).manifest
    with pytest.raises(SanityError, match="shares no class"):
        source_manifest(manifest, "source", "b")
    with pytest.raises(SanityError, match="single class 'blast'"):
        source_manifest(make_data([("blast", "a", "", ""), ("blast", "b", "", "")]).manifest,
                        "source", "b")  # fmt: skip


def test_classes_of_a_single_source():
    manifest = make_data(FULL).manifest
    everything = np.arange(len(manifest))
    assert single_source_classes(manifest, everything, "source", 0.95) == {"hairy_cell": "hairy_db"}
    wbc = np.flatnonzero(manifest.table["source"] == "WBC")
    assert single_source_classes(manifest, wbc, "source", 0.95) == {}


def test_the_class_in_doubt():
    assert choose_focus(("blast", "hairy_cell"), "", {"blast": "x"}) == "hairy_cell"
    assert choose_focus(("blast", "basophil"), "", {"blast": "x"}) == "blast"
    assert choose_focus(("blast", "basophil"), "", {}) == ""
    with pytest.raises(SanityError, match="no class 'monocyte'"):
        choose_focus(("blast", "basophil"), "monocyte", {})
