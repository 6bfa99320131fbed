"""Names the cells of image files that nobody has labelled."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from lab_models.predictions import SCORE_PREFIX
from lab_models.runs import RunDirectory
from tflite.runtime.contract import InputContract
from tflite.runtime.errors import ImageError, LabError
from tflite.runtime.images import IMAGE_SUFFIXES
from tflite.runtime.npz_arrays import array_names
from tflite.runtime.preprocess import prepare_image
from tflite.runtime.references import file_of

_KINDS_OF_PARTS = ("coco", "voc", "shards")
_LISTS = (".csv", ".json")


@dataclass(frozen=True)
class FilePredictions:
    """Answers for image files.

    Args:
        table: ``path, predicted, score, score:<class>...``, a row for each readable file.
        unreadable: ``path, reason``.
    """

    table: pd.DataFrame
    unreadable: pd.DataFrame


def find_files(paths: Sequence[Path]) -> list[Path]:
    """The images meant by files and folders: folders are searched at any depth.

    A file is taken whatever its suffix; in folders those of `IMAGE_SUFFIXES`, hidden ones left out.
    References (see `tflite.runtime.references`) are taken as they are. NumPy archives mean every
    image in them; tables, shards, and folders with boxes (COCO, VOC) are opened as data sets, so
    that of fields the cells are meant.

    Raises:
        LabError: If a path does not exist or no image is found.
    """
    missing = [str(path) for path in paths if not Path(file_of(path)).exists()]
    if missing:
        raise LabError(f"No such file or folder: {', '.join(missing)}.")
    found = [file for path in paths for file in _images_of(path)]
    if not found:
        raise LabError(
            f"No image in {', '.join(map(str, paths))}; looked for {', '.join(IMAGE_SUFFIXES)}."
        )
    return list(dict.fromkeys(found))


def _images_of(path: Path) -> list[Path]:
    if path.is_dir():
        return _images_of_dataset(path) if _holds_parts(path) else list(_images_in(path))
    if path.suffix.lower() == ".npz":
        return list(_images_in_archive(path))
    return _images_of_dataset(path) if path.suffix.lower() in _LISTS else [path]


def _holds_parts(folder: Path) -> bool:
    """Whether the images of a folder are parts of its files."""
    from pipelines.datasets import recognise
    from pipelines.errors import ManifestError

    try:
        kind, _ = recognise(folder)
    except ManifestError:
        return False
    return kind in _KINDS_OF_PARTS


def _images_in(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file() and not hidden:
            yield path


def _images_in_archive(path: Path) -> Iterator[Path]:
    for name, (shape, dtype) in array_names(path).items():
        if len(shape) in (3, 4) and dtype.kind == "u":
            yield from (Path(f"{path}#array={name},{index}") for index in range(shape[0]))


def _images_of_dataset(path: Path) -> list[Path]:
    from pipelines.datasets import open_dataset

    return open_dataset(path).paths()


def predict_files(
    run: RunDirectory,
    paths: Sequence[Path],
    batch_size: int = 32,
    progress: Callable[[int, int], None] | None = None,
) -> FilePredictions:
    """Names the cell of every image file.

    Args:
        run: Gives the model.
        paths: Files and folders.
        batch_size: Images at a time.
        progress: Called with the files done and their number, after every batch.

    Returns:
        The answers; unreadable files stand in a list of their own and stop nothing.

    Raises:
        LabError: If the run has no model, a path does not exist, or `batch_size` is below 1.
    """
    if batch_size < 1:
        raise LabError(f"The batch size must be at least 1, got {batch_size}.")
    files = find_files(paths)
    contract, classes = run.contract, run.classes
    from lab_models.saved_model import load_model

    model = load_model(run)
    read: list[Path] = []
    scores: list[np.ndarray] = []
    unreadable: list[tuple[str, str]] = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(files), batch_size):
            part = files[start : start + batch_size]
            prepared = list(pool.map(lambda path: _prepare(path, contract), part))
            images = [(p, image) for p, image in zip(part, prepared) if not isinstance(image, str)]
            unreadable += [(str(p), why) for p, why in zip(part, prepared) if isinstance(why, str)]
            if images:
                batch = np.stack([image for _, image in images]).astype(np.float32)
                scores.append(np.asarray(model.predict_on_batch(batch)))
                read += [path for path, _ in images]
            if progress:
                progress(min(start + batch_size, len(files)), len(files))
    table = _table(read, scores, classes)
    return FilePredictions(table, pd.DataFrame(unreadable, columns=["path", "reason"]))


def _prepare(path: Path, contract: InputContract) -> np.ndarray | str:
    """The network's input, or why there is none."""
    try:
        return prepare_image(path, contract)
    except ImageError as error:
        return str(error)


def _table(read: list[Path], scores: list[np.ndarray], classes: tuple[str, ...]) -> pd.DataFrame:
    values = np.concatenate(scores) if scores else np.zeros((0, len(classes)), np.float32)
    best = values.argmax(axis=1) if len(values) else np.zeros(0, int)
    first = pd.DataFrame(
        {
            "path": [str(path) for path in read],
            "predicted": [classes[n] for n in best],
            "score": values.max(axis=1) if len(values) else [],
        }
    )
    return pd.concat(
        [first, pd.DataFrame(values, columns=[SCORE_PREFIX + name for name in classes])], axis=1
    )
