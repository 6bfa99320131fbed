"""Small NumPy archives of images, made by the tests that read them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

SIDES = {"train": 20, "val": 10, "test": 10}
CLASSES = (
    "basophil", "eosinophil", "erythroblast", "immature_granulocyte", "lymphocyte", "monocyte",
    "neutrophil", "platelet",
)  # fmt: skip
"""Of BloodMNIST and study an2dl, in the order of their numbers."""


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    """Pictures of which no two are alike, uint8."""
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def medmnist_arrays(size: int = 28, classes: int = 8, colours: tuple[int, ...] = (3,)) -> dict:
    """The six arrays, labels in turns."""
    arrays: dict[str, np.ndarray] = {}
    for number, (side, count) in enumerate(SIDES.items()):
        arrays[f"{side}_images"] = noise(count, size, size, *colours, seed=number)
        arrays[f"{side}_labels"] = (np.arange(count, dtype=np.uint8) % classes)[:, None]
    return arrays


def save(path: Path, **arrays: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **arrays)
    return path


def write_medmnist(root: Path) -> int:
    save(root / "bloodmnist.npz", **medmnist_arrays())
    return sum(SIDES.values())


def write_an2dl(root: Path) -> int:
    save(root / "training_set.npz", images=noise(16, 96, 96, 3), labels=np.arange(16) % 8)
    return 16


def write_npz(root: Path) -> int:
    words = np.array(["lymphocyte", "smudge cell"])[np.arange(6) % 2]
    save(
        root / "cells.npz", pictures=noise(6, 9, 7), classes=words, scores=np.zeros((6, 2, 2, 2, 2))
    )
    return 6
