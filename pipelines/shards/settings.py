"""What a pack is written with."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pipelines.errors import ManifestError

MEGABYTE = 2**20
ORDERS = ("shuffled", "manifest")
"""In which order images lie in the shards: drawn by a seed, or as the manifest lists them."""


@dataclass(frozen=True)
class PackSettings:
    """How a data set is packed.

    Args:
        shard_megabytes: Size that a shard is meant to have, in units of 2**20 bytes. The shards
            of a pack are about equal and at most about so large.
        order: One of `ORDERS`. Shuffled, any stretch of the shards is a fair sample of the data
            set. The rows of the manifest stay in their order in both cases.
        seed: Of that order.
        leave_out_unreadable: Whether rows with an image that cannot be read are left out and
            listed, instead of being refused.
        workers: Threads that read and decode; as many as there are processors if None.

    Raises:
        ManifestError: If a value is not allowed.
    """

    shard_megabytes: float = 100
    order: str = "shuffled"
    seed: int = 3001
    leave_out_unreadable: bool = False
    workers: int | None = None

    def __post_init__(self) -> None:
        if not (self.shard_megabytes > 0 and math.isfinite(self.shard_megabytes)):
            raise ManifestError(f"A shard has more than 0 megabytes, got {self.shard_megabytes}.")
        if self.order not in ORDERS:
            raise ManifestError(f"The order is one of {', '.join(ORDERS)}, got {self.order!r}.")
        if self.workers is not None and self.workers < 1:
            raise ManifestError(f"At least 1 worker is needed, got {self.workers}.")
