"""Small data sets and packs of them, for the tests of shards."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from pipelines.manifest import Manifest, make_manifest
from pipelines.shards.settings import MEGABYTE, PackSettings
from tests.pipelines.disk import write_image

SMALL = 2000 / MEGABYTE
"""Shard size in megabytes that holds two or three of the images here."""


def cells(root: Path, images: int = 12, **columns: object) -> Manifest:
    """Images of two classes, every third a JPEG, in an order that is not that of their names."""
    endings = ("jpg", "png", "png")
    names = [f"{'yx'[i % 2]}/{images - i:03d}.{endings[i % 3]}" for i in range(images)]
    for name in names:
        write_image(root / name, name)
    table = pd.DataFrame({"path": names, "label": [name[0] for name in names]})
    return make_manifest(table.assign(**columns), root)


def lights(root: Path) -> Manifest:
    """Four places with a further image each but one, which has none."""
    manifest = cells(root, 4)
    dark = [f"dark/{i}.png" if i != 2 else "" for i in range(4)]
    for name in filter(None, dark):
        write_image(root / name, name)
    return manifest.with_table(manifest.table.assign(**{"image:dark_field": dark}))


def parts(root: Path) -> Manifest:
    """Items of an archive, one grey and one of 16 bits, and a cut-out of a field."""
    random = np.random.default_rng(0)
    root.mkdir(parents=True)
    np.savez(
        root / "a.npz",
        colour=random.integers(0, 256, (2, 9, 7, 3), np.uint8),
        deep=random.integers(0, 65536, (2, 9, 7, 1), np.uint16),
    )
    Image.fromarray(random.integers(0, 256, (30, 40, 3), np.uint8)).save(root / "field.png")
    names = ["a.npz#array=colour,1", "a.npz#array=deep,0", "field.png#xywh=5,6,20,10"]
    return make_manifest(pd.DataFrame({"path": names, "label": ["x", "y", "x"]}), root)


def small_shards(**values: object) -> PackSettings:
    return PackSettings(**{"shard_megabytes": SMALL, "workers": 2, **values})


def content(folder: Path) -> dict[str, bytes]:
    """Every file of a folder with its bytes."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
