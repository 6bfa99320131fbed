from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines import hash_pairs
from pipelines.hash_pairs import TURNS, ImageHashes, find_pairs, group_images, join_pairs
from tests.pipelines.untimed import UNTIMED


def turned(bits):
    """The bits of hashes ``(images, side, side)`` in all eight turns, as if by exact signs."""
    odd = np.arange(bits.shape[1]) % 2
    forms = [
        (bits.transpose(0, 2, 1) if transposed else bits)
        ^ ((odd[:, None] & rows) ^ (odd & columns))
        for transposed, rows, columns in TURNS
    ]
    return np.stack(forms, axis=1).reshape(-1, 8, bits.shape[1] ** 2).astype(np.uint8)


def packed(bits):
    return np.packbits(bits, axis=2).view(np.uint64)


def compare_bit_by_bit(bits, usable, distance):
    """Every near pair of images and the bits by which it differs."""
    expected = {}
    for i in np.flatnonzero(usable):
        for j in np.flatnonzero(usable):
            least = int((bits[i, 0] != bits[j]).sum(1).min())
            if i < j and least <= distance:
                expected[int(i), int(j)] = least
    return expected


@settings(UNTIMED, max_examples=40)
@given(
    number=st.integers(0, 120),
    seed=st.integers(0, 99),
    side=st.sampled_from([8, 16, 24, 32]),
    share=st.floats(0, 0.49),
    turns=st.sampled_from([1, 8]),
    alike=st.sampled_from([0.0, 0.02, 0.5]),
)
def test_pairs_are_those_of_comparing_bit_by_bit(number, seed, side, share, turns, alike):
    """Whether the hashes of the turns follow from one another, nearly do, or not at all."""
    draws = np.random.default_rng(seed)
    few = draws.integers(0, 2, (7, side, side))  # images gather around seven pictures
    one = few[draws.integers(0, 7, number)] ^ (draws.random((number, side, side)) < 0.1)
    forms = turned(one)
    bits = (forms ^ (draws.random(forms.shape) < alike))[:, :turns]
    usable = draws.random(number) < 0.9
    distance = int(share * side**2)
    hashes = ImageHashes(packed(bits), usable)
    pairs, apart = find_pairs(hashes, distance)
    found = dict(zip(map(tuple, pairs.tolist()), apart.tolist()))
    assert found == compare_bit_by_bit(bits, usable, distance)
    assert pairs.tolist() == sorted(pairs.tolist())
    assert (group_images(hashes, distance) == join_pairs(pairs, number)).all()


def test_more_images_than_a_task_holds(monkeypatch):
    monkeypatch.setattr(hash_pairs, "_BAND", 1024)
    bits = np.random.default_rng(0).integers(0, 2**63, (2500, 1, 4), dtype=np.uint64)
    bits[2400:] = bits[:100]
    seen = []
    hashes = ImageHashes(bits, np.ones(2500, bool))
    pairs, apart = find_pairs(hashes, 20, lambda *counts: seen.append(counts))
    assert pairs.tolist() == [[row, row + 2400] for row in range(100)]
    assert not apart.any()
    assert seen == [(done + 1, len(seen)) for done in range(len(seen))]
    assert len(seen) > 40


def test_groups_are_the_same_where_pairs_are_not_kept(monkeypatch):
    draws = np.random.default_rng(1)
    words = packed(turned(draws.integers(0, 2, (9, 16, 16))))[draws.integers(0, 9, 400)]
    hashes = ImageHashes(words, np.ones(400, bool))
    whole = group_images(hashes, 3)
    monkeypatch.setattr(hash_pairs, "_LINKS", 10)
    thinned = []
    thin = hash_pairs._fewest_pairs

    def count(groups):
        thinned.append(thin(groups))
        return thinned[-1]

    monkeypatch.setattr(hash_pairs, "_fewest_pairs", count)
    assert (group_images(hashes, 3) == whole).all()
    assert thinned
    assert max(map(len, thinned)) < 400


@UNTIMED
@given(pairs=st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=20))
def test_groups_hang_together_by_pairs(pairs):
    groups = join_pairs(np.array(pairs, np.int64).reshape(-1, 2), 20)
    near = {row: {row} for row in range(20)}
    for i, j in pairs:
        together = near[i] | near[j]
        for row in together:
            near[row] = together
    paired = {row for pair in pairs for row in pair}
    for i in range(20):
        assert (groups[i] == -1) == (i not in paired)
        for j in paired:
            assert (groups[i] == groups[j]) == (j in near[i])
    numbers = [group for group in groups.tolist() if group >= 0]
    assert list(dict.fromkeys(numbers)) == list(range(len(set(numbers))))


@pytest.mark.parametrize("turns", [1, 8])
def test_no_images_have_no_pairs(turns):
    hashes = ImageHashes(np.zeros((0, turns, 4), np.uint64), np.zeros(0, bool))
    assert find_pairs(hashes, 10)[0].shape == (0, 2)
    assert group_images(hashes, 10).shape == (0,)
