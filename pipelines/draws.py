"""Random numbers that depend on what they are for, not on when they are drawn.

A generator with a running state gives an image different numbers when the batch, the number of
threads or the epoch at which a run was resumed is different. Here every draw has an address
(seed, purpose, epoch, index, copy) and the counter-based generator Philox turns the address into
numbers (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"). Equal addresses give
equal numbers on every machine; different addresses give independent ones.
"""

from __future__ import annotations

import operator

import numpy as np

ORDER, AUGMENT, NOISE, LAYERS, MIX, SAMPLE = range(6)
"""What numbers are drawn for: the order of rows, one image's augmentation, its noise,
the keys of KerasCV's layers for one image, the mixing of one batch, a choice of images."""

LARGEST_SEED = 2**63 - 1


def check_seed(seed: int) -> int:
    """The seed as a plain int.

    Raises:
        ValueError: If it is no whole number in 0..2**63-1.
    """
    try:
        value = operator.index(seed)
    except TypeError:
        value = -1
    if not 0 <= value <= LARGEST_SEED:
        raise ValueError(f"A seed must be a whole number in 0..2**63-1, got {seed!r}.")
    return value


def generator(
    seed: int, purpose: int, epoch: int = 0, index: int = 0, copy: int = 0
) -> np.random.Generator:
    """The generator at one address; two of the same address give the same numbers.

    Args:
        seed: The seed of the run, 0..2**63-1.
        purpose: One of `ORDER`, `AUGMENT`, `NOISE`, `LAYERS`, `MIX`, `SAMPLE`.
        epoch: Number of the epoch, from 0.
        index: Row of the manifest, or number of the batch within the epoch.
        copy: How often this row came before in this epoch.
    """
    # The lowest word of the counter is Philox's own: it counts the numbers drawn.
    philox = np.random.Philox(key=[seed, purpose], counter=[0, int(copy), int(index), int(epoch)])
    return np.random.Generator(philox)


def uniforms(
    seed: int,
    purpose: int,
    epoch: int,
    indices: np.ndarray,
    copies: np.ndarray,
    count: int,
) -> np.ndarray:
    """`count` numbers for each of many addresses, uniform in [0, 1).

    Returns:
        float64 array ``(len(indices), count)``.
    """
    rows = [
        generator(seed, purpose, epoch, index, copy).random(count)
        for index, copy in zip(indices, copies)
    ]
    return np.array(rows).reshape(len(indices), count)
