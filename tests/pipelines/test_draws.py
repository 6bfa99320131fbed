from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import draws

ADDRESS = st.tuples(
    st.integers(0, draws.LARGEST_SEED),
    st.sampled_from(range(5)),
    st.integers(0, 10_000),
    st.integers(0, 2**40),
    st.integers(0, 1000),
)


def test_the_numbers_of_an_address_stay_what_they_are():
    # A change here changes what every recorded run would draw again.
    numbers = draws.generator(42, draws.AUGMENT, epoch=3, index=17, copy=1).integers(1000, size=4)
    assert numbers.tolist() == [251, 298, 233, 131]


@given(ADDRESS, ADDRESS)
def test_equal_addresses_give_equal_numbers_and_others_do_not(first, second):
    numbers = draws.generator(*first).random(4)
    np.testing.assert_array_equal(numbers, draws.generator(*first).random(4))
    if first != second:
        assert (numbers != draws.generator(*second).random(4)).any()


def test_neighbouring_addresses_do_not_overlap():
    # A counter that overflowed into its neighbour would show up as repeated numbers.
    long = [draws.generator(0, draws.ORDER, 0, index).random(400) for index in range(5)]
    assert len(np.unique(np.concatenate(long))) == 2000


def test_many_addresses_at_once():
    indices, copies = np.array([5, 2, 5]), np.array([0, 0, 1])
    numbers = draws.uniforms(1, draws.AUGMENT, 7, indices, copies, 3)
    assert numbers.shape == (3, 3)
    for row, index, copy in zip(numbers, indices, copies):
        expected = draws.generator(1, draws.AUGMENT, 7, index, copy).random(3)
        np.testing.assert_array_equal(row, expected)
    assert draws.uniforms(1, 0, 0, indices[:0], copies[:0], 3).shape == (0, 3)


@pytest.mark.parametrize("seed", [0, np.int64(5), draws.LARGEST_SEED])
def test_seeds(seed):
    assert draws.check_seed(seed) == seed
    assert type(draws.check_seed(seed)) is int


@pytest.mark.parametrize("seed", [-1, draws.LARGEST_SEED + 1, 1.0, "1", None])
def test_bad_seeds_are_refused(seed):
    with pytest.raises(ValueError, match="whole number"):
        draws.check_seed(seed)
