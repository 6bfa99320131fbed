"""Which row goes into which shard, decided before anything is written."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

import numpy as np

from pipelines.image_names import names_to_draw_by
from pipelines.manifest import Manifest
from pipelines.shards.settings import MEGABYTE, PackSettings
from pipelines.shards.source_images import image_columns, planned_bytes
from pipelines.stratify import draw_order

PACK_VERSION = 1
"""Changes whenever packs of an earlier version cannot be read as they are."""

_TEXT_BYTES = 600
"""About what a record takes besides its images."""


@dataclass(frozen=True)
class PackPlan:
    """What a pack will hold.

    Args:
        rows: Row numbers of each shard, in the order of its records.
        digest: SHA-256 of everything that decides the bytes of the pack but the images.
    """

    rows: tuple[tuple[int, ...], ...]
    digest: str

    def name(self, shard: int) -> str:
        """File name of a shard, counted from 0."""
        return f"shard-{shard + 1:05d}-of-{len(self.rows):05d}.tfrecord"


def plan_pack(manifest: Manifest, settings: PackSettings) -> PackPlan:
    """Deals the rows of a manifest to shards of about equal size.

    The order is drawn from the names of the images and the seed, so it does not depend on the
    order in which they are listed.

    Args:
        manifest: What is packed.
        settings: Order and size of shards.

    Raises:
        ImageError: If a file is missing.
    """
    order = np.arange(len(manifest))
    if settings.order == "shuffled":
        draws = draw_order(names_to_draw_by(manifest.table), settings.seed)
        order = np.argsort(draws, kind="stable")
    sizes = np.full(len(manifest), _TEXT_BYTES)
    for column in image_columns(manifest):
        names = manifest.table[column]
        sizes += [planned_bytes(manifest.root / str(name)) if name else 0 for name in names]
    shards = _shards(sizes[order], settings.shard_megabytes * MEGABYTE)
    rows = tuple(tuple(order[shards == k].tolist()) for k in range(shards.max() + 1))
    return PackPlan(rows, _digest(manifest, settings, rows))


def _shards(sizes: np.ndarray, wanted: float) -> np.ndarray:
    """The shard of each record, from 0 without gaps; shards are runs of about equal size."""
    starts = np.concatenate([[0], np.cumsum(sizes)])
    number = max(1, int(np.ceil(starts[-1] / wanted)))
    middles = (starts[:-1] + starts[1:]) / 2
    shards = np.minimum(middles * number // starts[-1], number - 1)
    return np.unique(shards, return_inverse=True)[1]


def _digest(manifest: Manifest, settings: PackSettings, rows: object) -> str:
    facts = [PACK_VERSION, manifest.classes, manifest.notes, rows]
    options = {name: value for name, value in asdict(settings).items() if name != "workers"}
    hashed = hashlib.sha256(json.dumps([*facts, options]).encode())
    hashed.update(manifest.table.to_csv(index=False).encode())
    return hashed.hexdigest()
