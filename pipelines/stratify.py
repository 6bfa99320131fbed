"""Deals groups of images to the sides of a split so that every class keeps its share."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

_ATTEMPTS = 16
_MAX_SEARCHED = 1000
"""Beyond so many groups of several images one attempt is even enough, and quick."""


_MAX_SWAPPED, _SWAP_ROUNDS = 300, 10
"""Beyond so many there is hardly anything to gain by exchanging two."""


def draw_order(names: Sequence[str], seed: int) -> np.ndarray:
    """A random number per name that depends on the name and the seed, not on the order.

    Returns:
        uint64 ``(len(names),)``, the first 8 bytes of a keyed BLAKE2b hash.
    """
    key = str(seed).encode()[:64]
    digests = (hashlib.blake2b(n.encode(), digest_size=8, key=key).digest() for n in names)
    return np.frombuffer(b"".join(digests), "<u8").astype(np.uint64)


def deal_groups(
    labels: np.ndarray, groups: np.ndarray, order: np.ndarray, fractions: Sequence[float]
) -> np.ndarray:
    """Puts every group on one side, each class near the fractions.

    Iterative stratification (Sechidis, Tsoumakas, Vlahavas 2011, "On the stratification of
    multi-label data", algorithm 1) over groups of images instead of single examples: the class
    with the fewest groups left is dealt first, each of its groups to the side that lacks most of
    that class. Two things are added. When no more groups of a class are left than sides without
    it, these get one each, the first side first: rare classes reach every side where they can.
    And groups of several images are dealt several times in other orders, improved by moving
    single groups; the best result is taken and improved by exchanging two groups. Images that
    are groups of their own fill the shares exactly.

    Args:
        labels: Class number per image, from 0, int ``(n,)``.
        groups: Group number per image, int ``(n,)``; only equality counts.
        order: Distinct random number per image that decides among equals (see `draw_order`);
            int ``(n,)``.
        fractions: Share of each side, adding up to 1. The first side is served first.

    Returns:
        Side per image, int64 ``(n,)``.
    """
    first = _first_by_group(groups, order)
    counts = np.zeros((len(first), labels.max() + 1), np.int64)
    member = _member_numbers(groups, order)
    np.add.at(counts, (member, labels), 1)
    several = np.flatnonzero(counts.sum(1) > 1)
    search = 0 < len(several) <= _MAX_SEARCHED
    shares = np.asarray(fractions, float)
    draws = np.random.Generator(np.random.Philox(int(first[0])))
    best, best_score = np.zeros(len(first), np.int64), np.inf
    for attempt in range(_ATTEMPTS if search else 1):
        queue = several[np.argsort(-counts[several].sum(1), kind="stable")]
        if attempt:
            queue = draws.permutation(several)
        sides = _deal(counts, queue, shares)
        if search:
            _improve(sides, counts, several, shares)
        score = float(_score(_sums(sides, counts, len(shares)), counts, shares))
        if score < best_score:
            best, best_score = sides, score
    if search and len(several) <= _MAX_SWAPPED:
        _swap(best, counts, several, shares)
    return best[member]


def _member_numbers(groups: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Group of each image, numbered by the smallest random number of its images."""
    _, inverse = np.unique(groups, return_inverse=True)
    rank = np.argsort(np.argsort(_smallest(inverse, order), kind="stable"), kind="stable")
    return rank[inverse]


def _first_by_group(groups: np.ndarray, order: np.ndarray) -> np.ndarray:
    _, inverse = np.unique(groups, return_inverse=True)
    return np.sort(_smallest(inverse, order))


def _smallest(inverse: np.ndarray, order: np.ndarray) -> np.ndarray:
    smallest = np.full(inverse.max() + 1, np.iinfo(np.uint64).max, np.uint64)
    np.minimum.at(smallest, inverse, order)
    return smallest


def _deal(counts: np.ndarray, queue: np.ndarray, fractions: np.ndarray) -> np.ndarray:
    """One greedy deal: groups of several images in queue order, then the single images."""
    sides = np.full(len(counts), -1, np.int64)
    need = np.outer(fractions, counts.sum(0))
    held = np.zeros_like(need)
    left = (counts > 0).sum(0)
    waiting = [int(group) for group in queue]
    pending = (counts[waiting] > 0).sum(0) if waiting else np.zeros_like(left)
    while waiting:
        # The rarest class that still has groups of several images.
        label = int(np.where(pending > 0, left, np.iinfo(np.int64).max).argmin())
        rest = []
        for group in waiting:
            if not counts[group, label]:
                rest.append(group)
                continue
            side = _choose(label, need, held, left)
            sides[group] = side
            need[side] -= counts[group]
            held[side] += counts[group]
            left -= counts[group] > 0
            pending -= counts[group] > 0
        waiting = rest
    _fill_singles(sides, counts, need, held)
    return sides


def _choose(label: int, need: np.ndarray, held: np.ndarray, left: np.ndarray) -> int:
    lacking = np.flatnonzero(held[:, label] == 0)
    if len(lacking) and left[label] <= len(lacking):
        return int(lacking[0])
    most = np.flatnonzero(need[:, label] >= need[:, label].max() - 1e-9)
    return int(most[need[most].sum(1).argmax()])


def _fill_singles(
    sides: np.ndarray, counts: np.ndarray, need: np.ndarray, held: np.ndarray
) -> None:
    """Deals groups of one image: whole numbers nearest to what each side still needs."""
    lacking = need.sum(1)
    for label in range(counts.shape[1]):
        members = np.flatnonzero((sides < 0) & (counts[:, label] > 0))
        if len(members):
            shares = _whole_shares(len(members), need[:, label], held[:, label], lacking)
            sides[members] = np.repeat(np.arange(len(need)), shares)
            lacking = lacking - shares


def _whole_shares(
    number: int, need: np.ndarray, held: np.ndarray, lacking: np.ndarray
) -> np.ndarray:
    """Largest-remainder shares of `number`; sides that hold nothing come first, one each.

    Of equal remainders that of the side which is `lacking` most images of all classes wins, so
    that rare classes do not leave a side empty.
    """
    wanted = np.clip(need, 0, None)
    wanted = wanted / wanted.sum() * number if wanted.sum() > 0 else np.eye(len(need))[0] * number
    shares = np.floor(wanted + 1e-9).astype(np.int64)
    remainder = np.lexsort((-np.round(lacking, 9), -np.round(wanted - shares, 9)))
    shares[remainder[: number - shares.sum()]] += 1
    for side in np.flatnonzero((held == 0) & (shares == 0)):
        spare = shares - (held == 0)  # nobody gives away the only one
        if side == 0 and spare.max() <= 0:
            spare = shares
        if spare.max() > 0:
            shares[spare.argmax()] -= 1
            shares[side] += 1
    return shares


def _sums(sides: np.ndarray, counts: np.ndarray, number: int) -> np.ndarray:
    sums = np.zeros((number, counts.shape[1]), np.int64)
    np.add.at(sums, sides, counts)
    return sums


def _score(sums: np.ndarray, counts: np.ndarray, fractions: np.ndarray) -> np.ndarray:
    """Lower is better: classes missing on a side, above all the first; then the shares.

    `sums` is ``(..., sides, classes)``; there is one score for each of the leading dimensions.
    """
    totals = counts.sum(0)
    share = fractions[:, None]
    present = totals > 0
    possible = np.minimum((counts > 0).sum(0), sums.shape[-2])
    missing = np.clip(possible - (sums > 0).sum(-2), 0, None).sum(-1)
    first = ((sums[..., 0, :] == 0) & present).sum(-1)
    by_side = sums.sum(-1)
    empty = (by_side == 0).sum(-1)
    off_class = (np.abs(sums - share * totals)[..., present] / totals[present]).mean((-2, -1))
    off_side = np.abs(by_side - fractions * totals.sum()).mean(-1) / totals.sum()
    return 1e6 * empty + 1e4 * first + 1e2 * missing + off_class + off_side


def _improve(
    sides: np.ndarray, counts: np.ndarray, several: np.ndarray, fractions: np.ndarray
) -> None:
    """Moves single groups as long as that makes the score better, at most three rounds."""
    number = len(fractions)
    sums = _sums(sides, counts, number)
    score = float(_score(sums, counts, fractions))
    for _ in range(3):
        before = score
        for group in several:
            sums[sides[group]] -= counts[group]
            there = np.repeat(sums[None], number, axis=0)
            there[np.arange(number), np.arange(number)] += counts[group]
            for side, moved in enumerate(_score(there, counts, fractions)):
                if moved < score - 1e-12:
                    score, sides[group] = float(moved), side
            sums[sides[group]] += counts[group]
        if score == before:
            return


def _swap(
    sides: np.ndarray, counts: np.ndarray, several: np.ndarray, fractions: np.ndarray
) -> None:
    """Exchanges two groups of different sides as long as that makes the score better."""
    sums = _sums(sides, counts, len(fractions))
    score = float(_score(sums, counts, fractions))
    for _ in range(_SWAP_ROUNDS):
        before = score
        for group in several:
            others = several[sides[several] != sides[group]]
            if not len(others):
                continue
            each = np.arange(len(others))
            gain = counts[others] - counts[group]
            there = np.repeat(sums[None], len(others), axis=0)
            there[each, sides[group]] += gain
            there[each, sides[others]] -= gain
            scores = _score(there, counts, fractions)
            best = int(scores.argmin())
            if scores[best] < score - 1e-12:
                score, sums = float(scores[best]), there[best]
                other = others[best]
                sides[group], sides[other] = sides[other], sides[group]
        if score == before:
            return
