from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import ManifestError
from pipelines.manifest import make_manifest
from pipelines.split import SplitSettings, split_manifest
from pipelines.split_report import describe_split
from pipelines.subsets import (
    PBC_SIZES,
    SubsetSettings,
    choose_subset,
    mark_subsets,
    nested_order,
)
from tests.pipelines.disk import manifest_of
from tests.pipelines.untimed import UNTIMED


def listed(labels, split):
    paths = [f"{number}.png" for number in range(len(labels))]
    return make_manifest(pd.DataFrame({"path": paths, "label": labels, "split": split}), "nowhere")


def like_pbc(part=1):
    """As many images of each class as PBC has, or a part of them, split 5:2:3."""
    sizes = [number // part for number in (1218, 3117, 1551, 2895, 1214, 1420, 3329, 2348)]
    labels = np.repeat([f"class_{number}" for number in range(8)], sizes)
    manifest = listed(labels, "")
    return split_manifest(manifest, SplitSettings(by="image", validation=0.2, test=0.3))


def test_subsets_of_pbc_have_the_sizes_and_sides_of_the_study():
    manifest = like_pbc()
    whole = manifest.table["label"].value_counts(normalize=True)
    expected = {"tiny": (200, 80, 120), "small": (2100, 840, 1260), "medium": (4250, 1700, 2550)}
    inside: set[str] = set()
    for name, number in PBC_SIZES:
        subset = choose_subset(manifest, name)
        sides = tuple(len(subset.rows(side)) for side in ("train", "validation", "test"))
        assert len(subset) == number
        assert sides == pytest.approx(expected.get(name, (8544, 3415, 5125)), abs=2)
        shares = subset.table["label"].value_counts(normalize=True)
        assert (shares - whole).abs().max() < 4 / number
        assert inside < set(subset.table["path"])
        inside = set(subset.table["path"])


def test_the_table_of_the_data_decides_if_it_has_subsets(tmp_path):
    own = ["small", "tiny", "small", "medium"]
    manifest = manifest_of(tmp_path, {"x": 4}, smallest_subset=own)
    small = choose_subset(manifest, "small")
    assert small.table["path"].tolist() == [
        "x/0.png",
        "x/1.png",
        "x/2.png",
    ]
    placed = small.with_table(small.table.assign(split="train"))
    assert "These are the images of the nested subset small" in describe_split(placed)
    with pytest.raises(ManifestError, match="has no subset large: 4 images, 17,084 are asked for"):
        choose_subset(manifest, "large")


def test_images_beyond_the_largest_subset_are_in_none():
    chosen = SubsetSettings(sizes=(("few", 2), ("more", 4), ("all", 9)))
    marked = mark_subsets(listed(["x", "y"] * 3, "train"), chosen)
    assert sorted(marked.table["smallest_subset"]) == ["", "", "few", "few", "more", "more"]


def test_a_subset_too_small_for_all_classes_is_refused_with_the_counts():
    manifest = listed(["x", "y"] * 4, ["train", "train", "test", "test"] * 2)
    chosen = SubsetSettings(sizes=(("tiny", 3), ("small", 4)))
    with pytest.raises(ManifestError, match="The subset tiny would leave sides without a class"):
        choose_subset(manifest, "tiny", chosen)
    assert len(choose_subset(manifest, "small", chosen)) == 4


def test_what_is_not_there_is_told():
    with pytest.raises(ManifestError, match="subsets tiny, small, medium, large, got 'huge'"):
        choose_subset(listed(["x"] * 3, ""), "huge")


@pytest.mark.parametrize("sizes", [(), (("a", 0),), (("a", 5), ("b", 5)), (("a", 1), ("a", 2))])
def test_subsets_must_ascend(sizes):
    with pytest.raises(ManifestError, match="different names and sizes that ascend"):
        SubsetSettings(sizes=sizes)


@settings(UNTIMED, max_examples=40)
@given(
    rows=st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from(["train", "validation", "test", ""])),
        min_size=1,
        max_size=80,
    ),
    seed=st.integers(0, 9),
)
def test_every_beginning_is_a_small_copy_whatever_the_order_of_rows(rows, seed):
    labels, sides = zip(*rows)
    manifest = listed(list(labels), list(sides))
    order = nested_order(manifest, seed)
    assert sorted(order) == list(range(len(rows)))
    totals = pd.Series(sides).value_counts()
    for number in range(1, len(rows) + 1):
        counts = pd.Series(sides).iloc[order[:number]].value_counts().reindex(totals.index)
        # Webster's method may miss a quota by one, but not by more with at most four sides.
        assert (counts.fillna(0) - number * totals / len(rows)).abs().max() <= 1.5
    shuffled = np.random.default_rng(seed).permutation(len(rows))
    mixed = manifest.with_table(manifest.table.iloc[shuffled])
    again = mixed.table["path"].to_numpy()[nested_order(mixed, seed)]
    assert again.tolist() == manifest.table["path"].to_numpy()[order].tolist()
