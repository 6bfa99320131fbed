"""The closest labelled cells to an image, by the features of a run's encoder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from lab_models.predict_files import find_files
from lab_models.report.content import RunFacts, read_facts
from lab_models.runs import RunDirectory
from lab_models.training_features import (
    SPLIT,
    Progress,
    encode,
    load_encoder_alone,
    read_training_features,
    training_features,
)
from pipelines.manifest import SPLITS
from tflite.runtime.errors import ImageError, LabError
from tflite.runtime.preprocess import prepare_image

COLUMNS = ("index", "path", "label", "slide", "source")


@dataclass(frozen=True)
class NeighbourSettings:
    """What can be chosen about a search.

    Args:
        count: Closest cells for each image; fewer where the run has not as many.
        split: Among which cells: ``train``, or the images held back, ``validation`` or ``test``.
        batch_size: Images that the encoder takes at a time.
    """

    count: int = 8
    split: str = SPLIT
    batch_size: int = 32

    def __post_init__(self) -> None:
        for name in ("count", "batch_size"):
            value = getattr(self, name)
            if value < 1:
                raise LabError(f"{name} must be at least 1, got {value}.")
        if self.split not in SPLITS:
            raise LabError(f"There is no split {self.split!r}; there are {', '.join(SPLITS)}.")


@dataclass(frozen=True)
class ReferenceCells:
    """Labelled cells among which neighbours are searched.

    Args:
        table: Columns `COLUMNS`, a row for each cell; missing text is ``""``.
        features: float16 or float32 ``(cells, d)``, each row of length 1.
        root: Folder that the paths are relative to; None where it is not known.
    """

    table: pd.DataFrame
    features: np.ndarray
    root: Path | None

    def __len__(self) -> int:
        return len(self.table)


@dataclass(frozen=True)
class Neighbours:
    """The closest cells of some images, the closest first.

    Args:
        distances: float32 ``(images, count)``, cosine distances in 0..2.
        places: int64 ``(images, count)``, rows of `ReferenceCells.table`.
    """

    distances: np.ndarray
    places: np.ndarray

    def table(self, cells: ReferenceCells, image: int) -> pd.DataFrame:
        """The neighbours of one image: ``distance, label, slide, source, path``."""
        rows = cells.table.iloc[self.places[image]].reset_index(drop=True)
        rows.insert(0, "distance", self.distances[image])
        return rows[["distance", "label", "slide", "source", "path"]]


@dataclass(frozen=True)
class FileNeighbours:
    """The closest cells of image files.

    Args:
        files: The files that could be read.
        found: Their neighbours, in that order.
        cells: Among which they were searched.
        unreadable: Columns ``path, reason``.
    """

    files: tuple[Path, ...]
    found: Neighbours
    cells: ReferenceCells
    unreadable: pd.DataFrame

    def tables(self) -> Iterator[tuple[Path, pd.DataFrame]]:
        """Each file and its neighbours: ``distance, label, slide, source, path``."""
        for place, file in enumerate(self.files):
            yield file, self.found.table(self.cells, place)


def nearest(
    queries: np.ndarray,
    features: np.ndarray,
    count: int,
    *,
    block: int = 4096,
    query_block: int = 1024,
) -> Neighbours:
    """Exact search for the rows with the smallest cosine distance, in blocks.

    Beside the inputs and the result it holds one block of features as float32 and one block of
    similarities: 50 MB at 2,048 features, however many cells there are.

    Args:
        queries: float ``(images, d)``, each row of length 1.
        features: float ``(cells, d)``, each row of length 1; float16 is widened block by block.
        count: How many neighbours; all cells where there are fewer. At least 1.
        block: Cells at a time.
        query_block: Queries at a time.

    Returns:
        The neighbours; equally close cells in the order of `features`, except that at the last
        place any of them may be the one that is kept.

    Raises:
        LabError: If shapes do not fit, there is no cell, or `count` is below 1.
    """
    if queries.ndim != 2 or features.ndim != 2 or queries.shape[1] != features.shape[1]:
        raise LabError(
            f"Queries and cells must have as many features as each other, got {queries.shape} "
            f"and {features.shape}; they are not from the same encoder."
        )
    if count < 1 or not len(features):
        raise LabError(f"Cannot find {count} neighbours among {len(features)} cells.")
    queries = np.asarray(queries, np.float32)
    count = min(count, len(features))
    best = np.full((len(queries), count), -np.inf, np.float32)
    places = np.zeros((len(queries), count), np.int64)
    for start in range(0, len(features), block):
        part = np.asarray(features[start : start + block], np.float32).T
        for first in range(0, len(queries), query_block):
            rows = slice(first, first + query_block)
            similar = queries[rows] @ part
            here = np.broadcast_to(np.arange(start, start + part.shape[1]), similar.shape)
            best[rows], places[rows] = _highest(
                np.concatenate([best[rows], similar], axis=1),
                np.concatenate([places[rows], here], axis=1),
                count,
            )
    return Neighbours(np.clip(1 - best, 0, 2), places)


def _highest(values: np.ndarray, places: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The `count` highest values of every row and their places, in falling order."""
    kept = np.argpartition(-values, count - 1, axis=1)[:, :count]
    values, places = (np.take_along_axis(a, kept, axis=1) for a in (values, places))
    order = np.lexsort((places, -values), axis=1)
    return np.take_along_axis(values, order, axis=1), np.take_along_axis(places, order, axis=1)


def vote(labels: np.ndarray) -> np.ndarray:
    """The label that most neighbours have; of equally frequent ones that of the closest cell.

    Args:
        labels: ``(images, count)``, the closest neighbour first.

    Returns:
        ``(images,)``, the k-nearest-neighbour rule (Cover and Hart 1967).
    """
    agree = (labels[:, :, None] == labels[:, None, :]).sum(axis=2)
    # argmax takes the first of equals, which is the closest.
    return np.take_along_axis(labels, agree.argmax(axis=1)[:, None], axis=1)[:, 0]


def reference_cells(
    run: RunDirectory, split: str = SPLIT, batch_size: int = 32, progress: Progress | None = None
) -> ReferenceCells:
    """The labelled cells of one split of a run; training features are computed where missing.

    Raises:
        LabError: If the split holds no image, or features are missing and the images have moved.
    """
    facts = read_facts(run)
    run.require(run.manifest)
    if split == SPLIT:
        stored = training_features(run, batch_size, progress)
        return _cells(facts, stored.index, stored.features)
    with np.load(run.require(run.features)) as arrays:
        index, features = arrays["index"], arrays["features"]
    cells = _cells(facts, index, features)
    chosen = (_manifest(facts)["split"].iloc[index] == split).to_numpy()
    if not chosen.any():
        raise LabError(f"The run {run.path} has no images of the split {split!r}.")
    return ReferenceCells(cells.table[chosen].reset_index(drop=True), features[chosen], cells.root)


def saved_training_cells(run: RunDirectory) -> ReferenceCells | None:
    """The training cells of a run without computing anything; None where they are not saved."""
    stored = read_training_features(run)
    return None if stored is None else _cells(read_facts(run), stored.index, stored.features)


def _manifest(facts: RunFacts) -> pd.DataFrame:
    if facts.manifest is None:
        raise LabError(f"The run {facts.name} has no manifest.csv, so cells have no labels.")
    return facts.manifest


def _cells(facts: RunFacts, index: np.ndarray, features: np.ndarray) -> ReferenceCells:
    table = _manifest(facts).iloc[index].reset_index(drop=True)
    table.insert(0, "index", index)
    table = table.reindex(columns=list(COLUMNS), fill_value="")
    return ReferenceCells(table, features, facts.data_root)


def find_neighbours(
    run: RunDirectory,
    paths: Sequence[Path],
    settings: NeighbourSettings | None = None,
    progress: Progress | None = None,
) -> FileNeighbours:
    """The closest labelled cells of image files.

    Args:
        run: A finished run.
        paths: Files and folders.
        settings: Choices.
        progress: Called while training features are computed, with images done and their number.

    Returns:
        The neighbours; unreadable files stand in a list of their own and stop nothing.

    Raises:
        LabError: If the run is not finished, none of the files can be read, or the cells cannot
            be had (see `reference_cells`).
    """
    settings = settings or NeighbourSettings()
    run.require(run.finished)
    files = find_files(paths)
    encoder = load_encoder_alone(run)
    read: list[Path] = []
    unreadable: list[tuple[str, str]] = []
    features: list[np.ndarray] = []
    for part in _parts(files, settings.batch_size):
        images = []
        for file in part:
            try:
                images.append(prepare_image(file, run.contract))
                read.append(file)
            except ImageError as error:
                unreadable.append((str(file), str(error)))
        if images:
            features.append(encode(encoder, np.stack(images)))
    if not read:
        reasons = "; ".join(reason for _, reason in unreadable)
        raise LabError(f"None of the files could be read: {reasons}")
    cells = reference_cells(run, settings.split, settings.batch_size, progress)
    found = nearest(np.concatenate(features), cells.features, settings.count)
    table = pd.DataFrame(unreadable, columns=["path", "reason"])
    return FileNeighbours(tuple(read), found, cells, table)


def _parts(files: list[Path], size: int) -> Iterator[list[Path]]:
    for start in range(0, len(files), size):
        yield files[start : start + size]
