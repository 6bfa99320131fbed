"""Which rows an epoch shows, and in which order."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pipelines import draws
from tflite.runtime.errors import LabError

Sampler = Callable[[np.ndarray, np.random.Generator], tuple[np.ndarray, np.ndarray]]


def natural_order(
    label_ids: np.ndarray, source: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Every row once, in random order.

    Args:
        label_ids: Class of each row, ``(n,)``.
        source: Gives the order.

    Returns:
        Positions int64 ``(n,)`` in `label_ids`, and copy numbers int64 ``(n,)``, all 0.
    """
    return source.permutation(len(label_ids)), np.zeros(len(label_ids), np.int64)


def balanced_order(
    label_ids: np.ndarray, source: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """As many rows as there are, the same number of every class, in random order.

    A rare class shows every row before it repeats one; a repeat has the next copy number and
    therefore draws another augmentation. A common class shows a random part of its rows, another
    one each epoch. Counts of classes differ by 1 at most.

    Args:
        label_ids: Class of each row, ``(n,)``.
        source: Gives the choice and the order.

    Returns:
        Positions int64 ``(n,)`` in `label_ids`, and copy numbers int64 ``(n,)``.
    """
    classes = np.unique(label_ids)
    shares = np.full(len(classes), len(label_ids) // len(classes))
    # The classes that get one more than the others change from epoch to epoch.
    shares[source.permutation(len(classes))[: len(label_ids) % len(classes)]] += 1
    parts = [
        _repeat(np.flatnonzero(label_ids == label), share, source)
        for label, share in zip(classes, shares)
    ]
    positions, copies = (np.concatenate(values) for values in zip(*parts))
    order = source.permutation(len(positions))
    return positions[order], copies[order]


def _repeat(
    members: np.ndarray, count: int, source: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    rounds = -(-count // len(members))
    positions = np.concatenate([source.permutation(members) for _ in range(rounds)])[:count]
    return positions, np.repeat(np.arange(rounds), len(members))[:count]


SAMPLINGS: dict[str, Sampler] = {"natural": natural_order, "balanced": balanced_order}


def epoch_rows(
    rows: np.ndarray, label_ids: np.ndarray, sampling: str, seed: int, epoch: int
) -> tuple[np.ndarray, np.ndarray]:
    """The rows of one epoch in their order; the same for the same seed and epoch.

    Args:
        rows: Row numbers in a manifest, int64 ``(n,)``.
        label_ids: Their classes, ``(n,)``.
        sampling: One of `SAMPLINGS`.
        seed: Seed of the run, 0..2**63-1.
        epoch: Number of the epoch, from 0.

    Returns:
        Row numbers int64 ``(n,)`` and copy numbers int64 ``(n,)``: how often the row came before
        in this epoch.

    Raises:
        LabError: If there is no such sampling.
    """
    check_sampling(sampling)
    source = draws.generator(seed, draws.ORDER, epoch)
    positions, copies = SAMPLINGS[sampling](np.asarray(label_ids), source)
    return np.asarray(rows, np.int64)[positions], copies


def check_sampling(sampling: str) -> None:
    """Raises LabError if there is no such sampling."""
    if sampling not in SAMPLINGS:
        raise LabError(f"sampling must be one of {sorted(SAMPLINGS)}, got {sampling!r}.")
