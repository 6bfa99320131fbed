from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.stratify import deal_groups, draw_order
from tests.pipelines.untimed import UNTIMED


def order_of(number, seed=1):
    return draw_order([f"{n}.png" for n in range(number)], seed)


fractions = st.sampled_from([(0.8, 0.2), (0.5, 0.2, 0.3), (0.9, 0.05, 0.05), (0.34, 0.33, 0.33)])
# Labels and groups of up to 60 images; few groups and many groups alike.
images = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 12)), min_size=1, max_size=60)


@UNTIMED
@given(shares=fractions, class_sizes=st.lists(st.integers(1, 300), min_size=1, max_size=6))
def test_single_images_keep_the_shares_exactly(shares, class_sizes):
    labels = np.repeat(np.arange(len(class_sizes)), class_sizes)
    sides = deal_groups(labels, np.arange(len(labels)), order_of(len(labels)), shares)
    for label, size in enumerate(class_sizes):
        dealt = np.bincount(sides[labels == label], minlength=len(shares))
        assert dealt.sum() == size
        # A rare class gives one to each side, in the order of the sides; else nearest whole.
        assert (dealt > 0).sum() == min(size, len(shares))
        if size >= 100:
            assert dealt == pytest.approx(np.array(shares) * size, abs=1)
        assert size < 2 or dealt[0] > 0


@UNTIMED
@given(shares=fractions, images=images, seed=st.integers(0, 9))
def test_groups_stay_whole_whatever_the_order_of_rows(shares, images, seed):
    labels, groups = np.array(images).T
    order = order_of(len(images), seed)
    sides = deal_groups(labels, groups, order, shares)
    for group in np.unique(groups):
        assert len(set(sides[groups == group])) == 1
    shuffled = np.random.default_rng(seed).permutation(len(images))
    renamed = 99 - groups[shuffled]
    again = deal_groups(labels[shuffled], renamed, order[shuffled], shares)
    assert again.tolist() == sides[shuffled].tolist()


@UNTIMED
@given(shares=fractions, images=images)
def test_no_side_is_empty_if_there_are_groups_enough(shares, images):
    labels, groups = np.array(images).T
    sides = deal_groups(labels, groups, order_of(len(images)), shares)
    assert 0 in sides
    if len(set(groups)) >= 3 * len(shares):
        assert len(set(sides)) == len(shares)


@UNTIMED
@given(shares=fractions, groups=st.integers(3, 12), size=st.integers(1, 5))
def test_a_class_reaches_every_side_if_it_has_groups_enough(shares, groups, size):
    codes = np.repeat(np.arange(groups), size)
    labels = np.zeros(len(codes), np.int64)
    sides = deal_groups(labels, codes, order_of(len(codes)), shares)
    assert set(sides) == set(range(len(shares)))


def test_slides_of_unlike_sizes_come_near_the_shares():
    draws = np.random.default_rng(3)
    groups = np.repeat(np.arange(20), draws.integers(20, 200, 20))
    labels = draws.choice(6, len(groups), p=[0.4, 0.3, 0.2, 0.05, 0.04, 0.01])
    sides = deal_groups(labels, groups, order_of(len(groups)), (0.7, 0.15, 0.15))
    assert np.bincount(sides) / len(sides) == pytest.approx([0.7, 0.15, 0.15], abs=0.03)
    for label in range(6):
        shares = np.bincount(sides[labels == label], minlength=3) / (labels == label).sum()
        assert shares == pytest.approx([0.7, 0.15, 0.15], abs=0.12)


def test_the_seed_matters():
    labels = np.zeros(100, np.int64)
    one, two = (
        deal_groups(labels, np.arange(100), order_of(100, seed), (0.5, 0.5)) for seed in (1, 2)
    )
    assert (one != two).any()


def test_draws_depend_on_name_and_seed_alone():
    assert draw_order(["a", "b"], 1).tolist() == draw_order(["b", "a"], 1)[::-1].tolist()
    assert (draw_order(["a"], 1) != draw_order(["a"], 2)).all()
    assert draw_order(["a"], 1).dtype == np.uint64
