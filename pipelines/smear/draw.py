"""Random numbers of smears: every image, slide and hospital has its own generator.

An image's numbers depend on (seed, image) alone, so that any number of workers in any order
draws the same pictures. Philox is counter-based (Salmon et al. 2011, "Parallel random numbers: as
easy as 1, 2, 3"), hence generators with different keys are independent.
"""

from __future__ import annotations

import numpy as np

IMAGE, SLIDE, HOSPITAL, PLAN, TEXTURE, CLONE = range(5, 11)
"""What a generator is for (5.. so that no key equals one of `pipelines.draws`)."""


def generator(seed: int, purpose: int, *numbers: int) -> np.random.Generator:
    """The generator of one image, slide, hospital, plan or texture.

    Args:
        seed: Seed of the data set, 0..2**63-1.
        purpose: One of this module's constants.
        *numbers: At most 3 whole numbers that tell equal things apart, such as the image's number.
    """
    counter = [0, *numbers, *([0] * (3 - len(numbers)))]
    return np.random.Generator(np.random.Philox(key=[seed, purpose], counter=counter))
