from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pipelines.errors import ManifestError
from pipelines.fractions import PARTICLE_FRACTIONS, choose_fraction, nested_groups
from pipelines.manifest import make_manifest
from pipelines.split_report import describe_split
from tests.pipelines.test_subsets import like_pbc, listed
from tests.pipelines.untimed import UNTIMED


def grouped(rows, column="slide"):
    """A manifest of ``(group, label)`` training images, and a test image of each class."""
    labels = [label for _, label in rows]
    further = sorted(set(labels))
    table = {
        "path": [f"{number}.png" for number in range(len(rows) + len(further))],
        "label": [*labels, *further],
        column: [*(str(group) for group, _ in rows), *["held back"] * len(further)],
        "split": ["train"] * len(rows) + ["test"] * len(further),
    }
    return make_manifest(pd.DataFrame(table), "nowhere")


def kept_paths(manifest):
    return set(manifest.table["path"])


def test_fractions_of_the_training_side_are_nested_and_leave_the_others():
    manifest = like_pbc(part=10)
    train = manifest.table.loc[manifest.rows("train"), "label"].value_counts()
    others = kept_paths(manifest.with_table(manifest.table[manifest.table["split"] != "train"]))
    inside: set[str] = set()
    for fraction in PARTICLE_FRACTIONS:
        part = choose_fraction(manifest, fraction)
        counts = part.table.loc[part.rows("train"), "label"].value_counts()
        assert (counts - fraction * train).abs().max() <= 1
        assert inside < kept_paths(part)
        inside = kept_paths(part)
        assert others < inside
        reached = f"({counts.sum() / train.sum():.3g}), stratified by class"
        assert f"Of the training side {fraction:g} of the images" in describe_split(part)
        assert reached in describe_split(part)
    assert len(inside) == len(manifest)


@pytest.mark.parametrize("by", ["image", "slide"])
def test_another_seed_takes_others(by):
    manifest = grouped([(number % 30, "ab"[number % 2]) for number in range(300)])
    one, other = (kept_paths(choose_fraction(manifest, 0.2, seed, by)) for seed in (1, 2))
    assert one != other


def test_a_fraction_too_small_for_all_classes_is_refused_with_the_counts():
    manifest = listed(["x"] * 8 + ["y"] * 2 + ["x", "y"], ["train"] * 10 + ["test"] * 2)
    with pytest.raises(
        ManifestError, match=r"10 % of 10 training images.*y train 0; .*y train 2\."
    ):
        choose_fraction(manifest, 0.1)
    assert set(choose_fraction(manifest, 0.2).table["label"]) == {"x", "y"}


def test_too_few_slides_for_all_classes_are_refused_with_the_counts():
    manifest = grouped([(number, "xyz"[number % 3]) for number in range(20)])
    expected = (
        r"^10 % of the training side by slide, 2 of 20 groups \(of this seed the first 3 hold "
        r"every class\), would leave sides without a class: \w train 0; all .*: \w train [67]\."
    )
    with pytest.raises(ManifestError, match=expected):
        choose_fraction(manifest, 0.1, by="slide")
    part = choose_fraction(manifest, 0.15, by="slide")
    assert set(part.table.loc[part.rows("train"), "label"]) == set("xyz")
    with pytest.raises(ManifestError, match=r"0 of 20 groups .* would hold no image; ask for more"):
        choose_fraction(manifest, 0.02, by="slide")


@pytest.mark.parametrize("by", ["image", "slide"])
@pytest.mark.parametrize("fraction", [0, -1, 1.01, float("nan")])
def test_a_fraction_must_be_one(fraction, by):
    with pytest.raises(ManifestError, match="A fraction is above 0 and at most 1"):
        choose_fraction(grouped([(1, "x")]), fraction, by=by)


def test_what_is_not_there_is_told():
    with pytest.raises(ManifestError, match="no training side yet"):
        choose_fraction(listed(["x"] * 3, ""), 0.5)
    with pytest.raises(ManifestError, match=r"would hold no image|without a class"):
        choose_fraction(listed(["x"] * 3, "train"), 0.1)
    manifest = grouped([(1, "x"), ("", "x"), (2, "y")])
    with pytest.raises(ManifestError, match=r"by slide: 1 of 3 .* have none, row 1 \('1.png'\)"):
        choose_fraction(manifest, 0.5, by="slide")
    for by in ("day", "label", "path", "auto", ""):
        with pytest.raises(ManifestError, match=rf"taken by '{by}'; .* patient, slide, source\."):
            choose_fraction(manifest, 0.5, by=by)


def test_what_was_reached_is_told_in_slides_images_and_patients():
    rows = [(0, "x")] * 7 + [(1, "x")] * 2 + [(2, "x")]
    manifest = grouped(rows)
    patients = np.where(manifest.table["slide"] == "0", "p", "q")
    manifest = manifest.with_table(manifest.table.assign(patient=patients))
    part = choose_fraction(manifest, 0.34, by="slide")
    images = len(part.rows("train"))
    words = describe_split(part)
    assert "Of the training side 0.34 of the slides (1 is all) were kept as a whole: " in words
    assert f"{images} of 10 images ({images / 10:.3g}), 1 of 3 slides (0.333), 1 of 2 p" in words
    assert "not by slide" not in words
    by_image = describe_split(choose_fraction(manifest, 0.2))
    assert "not what more slides would" in by_image


def test_few_slides_hold_even_the_rarest_class():
    # Every slide has the common class; each rare one is on one slide only.
    rows = [(slide, "common") for slide in range(100) for _ in range(5)]
    rows += [(7, "rare"), (31, "rarer")]
    for seed in range(5):
        part = choose_fraction(grouped(rows), 0.02, seed, by="slide")
        assert set(part.table.loc[part.rows("train"), "slide"]) == {"7", "31"}


def test_slides_of_one_class_are_taken_in_the_shares_of_the_classes():
    rows = [(f"{label}{n}", label) for label, count in (("a", 60), ("b", 30)) for n in range(count)]
    for fraction in (0.1, 0.3, 0.5):
        part = choose_fraction(grouped(rows), fraction, by="slide")
        counts = part.table.loc[part.rows("train"), "label"].value_counts()
        assert abs(counts["a"] - 60 * fraction) <= 1
        assert abs(counts["b"] - 30 * fraction) <= 1


def test_a_manifest_of_ten_thousand_classes_is_ordered_at_once():
    rows = [(number // 2, f"class {number}") for number in range(10_000)]
    order, first = nested_groups(*(pd.Series(column) for column in zip(*rows)), seed=1)
    assert len(order) == first == 5_000


ROWS = st.lists(st.tuples(st.integers(0, 12), st.sampled_from("abcd")), min_size=1, max_size=60)


@settings(UNTIMED, max_examples=40)
@given(
    rows=ROWS,
    seed=st.integers(0, 5),
    column=st.sampled_from(["slide", "patient", "day"]),
    fractions=st.tuples(st.floats(0.01, 1), st.floats(0.01, 1)).map(sorted),
)
def test_groups_stay_whole_and_smaller_fractions_lie_within_larger(rows, seed, column, fractions):
    manifest = grouped(rows, column)
    parts = []
    for fraction in fractions:
        try:
            parts.append(choose_fraction(manifest, fraction, seed, column))
        except ManifestError as error:
            if not any(reason in str(error) for reason in ("without a class", "no image")):
                raise
            assume(False)
    groups = len({group for group, _ in rows})
    for fraction, part in zip(fractions, parts):
        kept = set(part.table.loc[part.rows("train"), column])
        whole = [
            path
            for path, group in zip(manifest.table["path"], manifest.table[column])
            if group in kept or group == "held back"
        ]
        assert part.table["path"].tolist() == whole
        assert abs(len(kept) - fraction * groups) <= 0.5
        assert set(part.table.loc[part.rows("train"), "label"]) == {label for _, label in rows}
    assert kept_paths(parts[0]) <= kept_paths(parts[1])


@settings(UNTIMED, max_examples=30)
@given(rows=ROWS, seed=st.integers(0, 5))
def test_the_first_groups_hold_every_class_and_none_can_be_spared(rows, seed):
    frame = pd.DataFrame(rows, columns=["group", "label"])
    order, first = nested_groups(frame["group"], frame["label"], seed)
    assert sorted(order) == sorted(set(frame["group"].astype(str)))
    held = {str(g): set(part) for g, part in frame.groupby("group")["label"]}
    start = [held[name] for name in order[:first]]
    assert set().union(*start) == set(frame["label"])
    for spared in range(first):
        assert set().union(*start[:spared], *start[spared + 1 :]) != set(frame["label"])
    shuffled = frame.sample(frac=1, random_state=seed)
    again, _ = nested_groups(shuffled["group"], shuffled["label"], seed)
    assert again.tolist() == order.tolist()
