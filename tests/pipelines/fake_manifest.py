"""A few tiny images on disk and just as much of a manifest as the input pipeline uses."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image


@dataclass
class FakeManifest:
    root: Path
    label_ids: np.ndarray
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.label_ids)

    def path(self, row: int) -> Path:
        return self.root / f"{row}.png"


def write_manifest(root: Path, counts: tuple[int, ...], size: int = 16) -> FakeManifest:
    """Images of one flat colour, which is ten times the row number, classes shuffled."""
    label_ids = np.repeat(np.arange(len(counts)), counts).astype(np.int32)
    np.random.default_rng(0).shuffle(label_ids)
    manifest = FakeManifest(root, label_ids, tuple("abcdef"[: len(counts)]))
    for row in range(len(manifest)):
        Image.fromarray(np.full((size, size, 3), 2 * row, np.uint8)).save(manifest.path(row))
    return manifest
