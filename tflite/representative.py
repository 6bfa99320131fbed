"""The representative dataset: the training images that calibrate an int8 model.

The commonest cause of a bad int8 model is a wrong one. So: training split only, every class,
through the very input path of the device, never augmented.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tflite.runtime.contract import InputContract
from tflite.runtime.errors import LabError
from tflite.runtime.preprocess import prepare_image


@dataclass(frozen=True)
class LabelledImages:
    """Image files with their classes.

    Args:
        paths: The files.
        label_ids: int ``(n,)``, position of each file's class among the labels.
        root: Folder that tables give the paths relative to; None leaves them as they are.
    """

    paths: tuple[Path, ...]
    label_ids: np.ndarray
    root: Path | None = None

    def __post_init__(self) -> None:
        if self.label_ids.shape != (len(self.paths),):
            raise LabError(
                f"There must be one label an image, got {self.label_ids.shape} labels for "
                f"{len(self.paths)} images."
            )

    def __len__(self) -> int:
        return len(self.paths)

    def take(self, positions: np.ndarray) -> LabelledImages:
        """Those at the positions given, in their order."""
        paths = tuple(self.paths[p] for p in positions)
        return LabelledImages(paths, self.label_ids[positions], self.root)

    def name(self, position: int) -> str:
        """The file as tables show it: relative to `root` where it lies below, posix style."""
        path = self.paths[position]
        if self.root is not None and path.is_relative_to(self.root):
            path = path.relative_to(self.root)
        return path.as_posix()


@dataclass(frozen=True)
class RepresentativeSettings:
    """Which training images calibrate.

    Args:
        images: How many, at least one a class. Ranges found by minimum and maximum settle after
            100 to 500 images; 200 gives ten of each of hal's 20 classes.
        seed: Of the draw.
        workers: Threads that decode.
    """

    images: int = 200
    seed: int = 0
    workers: int = 4


def choose_representative(
    label_ids: np.ndarray, labels: Sequence[str], settings: RepresentativeSettings
) -> np.ndarray:
    """Draws images evenly over the classes; what rare classes lack, the others give.

    Args:
        label_ids: int ``(n,)``, the classes of the training images.
        labels: All class names.
        settings: Number and seed.

    Returns:
        int64 positions, in random order, ``min(settings.images, n)`` of them, each once.

    Raises:
        LabError: If a class has no image, or fewer images are asked for than there are classes.
    """
    counts = np.bincount(label_ids, minlength=len(labels))
    empty = [label for label, count in zip(labels, counts, strict=True) if count == 0]
    if empty:
        raise LabError(
            f"The representative dataset needs every class; the training split has no image of: "
            f"{', '.join(empty)}."
        )
    if settings.images < len(labels):
        raise LabError(
            f"The representative dataset needs at least one image of each of the {len(labels)} "
            f"classes, got images={settings.images}."
        )
    generator = np.random.default_rng(settings.seed)
    shuffled = generator.permutation(len(label_ids))
    # The first of every class, then the second of every class, and so on.
    turn = np.empty(len(shuffled), np.int64)
    seen = np.zeros(len(labels), np.int64)
    for place, label in enumerate(label_ids[shuffled]):
        turn[place] = seen[label]
        seen[label] += 1
    order = np.argsort(turn, kind="stable")
    chosen = shuffled[order][: settings.images]
    return generator.permutation(chosen)


def load_images(paths: Sequence[Path], contract: InputContract, workers: int = 4) -> np.ndarray:
    """The images as the network takes them.

    Args:
        paths: Image files.
        contract: The network's input contract.
        workers: Threads that decode.

    Returns:
        uint8 ``(n, height, width, 3)``.

    Raises:
        ImageError: If one cannot be read; names it.
    """
    images = np.empty((len(paths), *contract.shape), np.uint8)
    with ThreadPoolExecutor(workers) as pool:
        for position, image in enumerate(pool.map(lambda p: prepare_image(p, contract), paths)):
            images[position] = image
    return images
