"""Images and labels that lie in NumPy archives as arrays, made into rows of a manifest.

Everything is judged by the arrays' headers first: shapes, types, whether there are as many labels
as images. Only then are checksums compared and labels read, so an archive that claims gigabytes
of labels is refused before it can fill the memory. Images are never read here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipelines.errors import ManifestError, name_some
from tflite.runtime.errors import ImageError
from tflite.runtime.npz_arrays import MOST_ITEM_BYTES, NpzArray, array_names, check_archive

MOST_IMAGES = 10_000_000
"""Images that one array may hold; more are taken for a damaged or harmful file."""

MOST_LABEL_BYTES = 2**30
"""Memory that the labels of one array may take."""

_SHOWN = 5

Header = tuple[tuple[int, ...], np.dtype]
"""Shape and dtype of an array."""


@dataclass(frozen=True)
class LabelledArray:
    """An array of images and the one that labels them.

    Args:
        images: Name of an array ``(n, rows, columns)``, ``(n, rows, columns, 1)`` or ``(n, rows,
            columns, 3)``, uint8 or uint16.
        labels: Name of an array of `n` whole numbers from 0 or texts, ``(n,)`` or ``(n, 1)``, or
            of one-hot rows ``(n, classes)``.
        split: Side that all of them are on (see `pipelines.manifest.SPLITS`), "" for none.
    """

    images: str
    labels: str
    split: str = ""


@contextmanager
def _refused() -> Iterator[None]:
    try:
        yield
    except ImageError as error:
        raise ManifestError(str(error)) from None


def read_headers(file: Path) -> dict[str, Header]:
    """Shape and dtype of every array of an archive, by name, in its order.

    Raises:
        ManifestError: As `tflite.runtime.npz_arrays.array_names`.
    """
    with _refused():
        return array_names(file)


def describe_headers(headers: Mapping[str, Header]) -> str:
    """The arrays in words, such as ``images (20, 96, 96, 3) uint8, labels (20,) int64``."""
    listed = [
        f"{name} {shape} {'Python objects (not loaded)' if dtype.hasobject else dtype}"
        for name, (shape, dtype) in headers.items()
    ]
    more = f" and {len(listed) - 10} more" if len(listed) > 10 else ""
    return (", ".join(listed[:10]) or "no array") + more


def read_rows(
    file: Path,
    headers: Mapping[str, Header],
    arrays: Sequence[LabelledArray],
    names: Sequence[str] | None = None,
    one_hot: bool = True,
) -> tuple[pd.DataFrame, tuple[str, ...] | None]:
    """One row an image, with ``path`` (relative to the folder of the archive), label and split.

    Args:
        file: The archive.
        headers: Of `read_headers`.
        arrays: What is read, in this order.
        names: Class of the labels 0, 1, ...; None leaves them the numbers, as text.
        one_hot: Whether labels may be rows with a single 1.

    Returns:
        The rows; and the classes that occur, in the order of their numbers, or None where the
        labels are text.

    Raises:
        ManifestError: If an array is missing, damaged, of a wrong shape or type, or has another
            length than its labels; a label is out of range, negative, or names several classes;
            or there are too many. Names the items.
    """
    for pair in arrays:
        _check_pair(file, headers, pair, one_hot)
    with _refused():
        check_archive(file, tuple(name for pair in arrays for name in (pair.images, pair.labels)))
    parts = [_read_labels(file, pair, names) for pair in arrays]
    table = pd.concat([part for part, _ in parts], ignore_index=True)
    if table.empty:
        raise ManifestError(f"{file} holds no image: its arrays have no items.")
    if any(numbers is None for _, numbers in parts):
        return table, None
    occurring = sorted(set().union(*(numbers for _, numbers in parts if numbers)))
    return table, tuple(_word(number, names) for number in occurring)


def _read_labels(
    file: Path, pair: LabelledArray, names: Sequence[str] | None
) -> tuple[pd.DataFrame, set[int] | None]:
    """The rows of one array, and which numbers occur; None where the labels are text."""
    what = f"{file}, array {pair.labels}"
    with _refused():
        labels = _single(NpzArray(file, pair.labels).read_all(), what)
    numbers: set[int] | None = None
    if labels.dtype.kind in "US":
        words = _texts(labels, names, what)
    else:
        _check_range(labels, names, what)
        numbers = {int(number) for number in np.unique(labels)}
        words = [_word(int(number), names) for number in labels]
    paths = [f"{file.name}#array={pair.images},{item}" for item in range(len(words))]
    return pd.DataFrame({"path": paths, "label": words, "split": pair.split}), numbers


def _word(number: int, names: Sequence[str] | None) -> str:
    return str(number) if names is None else names[number]


def image_note(headers: Mapping[str, Header], arrays: Sequence[LabelledArray]) -> list[str]:
    """What a reader should know about the values of the images, as sentences."""
    deep = [pair.images for pair in arrays if headers[pair.images][1].itemsize == 2]
    if not deep:
        return []
    return [
        f"{', '.join(deep)}: uint16, of which the upper 8 bits are used; images of a camera with "
        "fewer bits than 16 come out dark."
    ]


def parse_names(names: str | None) -> tuple[str, ...] | None:
    """Names of the labels 0, 1, ... as an option gives them, with commas between them.

    Raises:
        ManifestError: If a name is empty or stands there twice.
    """
    if names is None:
        return None
    listed = tuple(name.strip() for name in names.split(","))
    if not all(listed) or len(set(listed)) < len(listed):
        raise ManifestError(
            "The option names takes a name for each of the labels 0, 1, ..., all different, with "
            f"commas between them, got {names!r}."
        )
    return listed


def _check_pair(
    file: Path, headers: Mapping[str, Header], pair: LabelledArray, one_hot: bool
) -> None:
    for name in (pair.images, pair.labels):
        if name not in headers:
            raise ManifestError(
                f"{file} has no array {name!r}; it has {describe_headers(headers)}."
            )
        if headers[name][1].hasobject:
            raise ManifestError(
                f"{file}, array {name}: holds Python objects, that is, a pickle, which could run "
                "any program when it is loaded. It was not. Save numbers or text: .astype(np.uint8)"
                " for images, .astype(np.int64) or .astype(str) for labels."
            )
    if "#" in pair.images or "," in pair.images:
        raise ManifestError(f"{file}: rename the array {pair.images!r}; it must not hold # or ,.")
    (shape, dtype), (label_shape, label_dtype) = headers[pair.images], headers[pair.labels]
    _check_images(f"{file}, array {pair.images}", shape, dtype)
    _check_labels(f"{file}, array {pair.labels}", label_shape, label_dtype, one_hot)
    if label_shape[0] != shape[0]:
        raise ManifestError(
            f"{file}: {pair.images} holds {shape[0]:,} images and {pair.labels} {label_shape[0]:,} "
            "labels; there must be as many."
        )


def _check_images(what: str, shape: tuple[int, ...], dtype: np.dtype) -> None:
    if dtype.kind != "u" or dtype.itemsize > 2:
        raise ManifestError(
            f"{what}: holds {dtype}; images are uint8, values 0 to 255 (or uint16, 0 to 65535). "
            f"{_conversion(dtype)}"
        )
    if len(shape) not in (3, 4) or (len(shape) == 4 and shape[3] not in (1, 3)):
        first = len(shape) == 4 and shape[1] in (1, 3)
        hint = " Colours come last: save np.moveaxis(images, 1, -1)." if first else ""
        raise ManifestError(
            f"{what}: has the shape {shape}; images are (images, rows, columns), with a further "
            f"axis of 1 or 3 colours.{hint}"
        )
    if 0 in shape[1:] or shape[0] > MOST_IMAGES or _bytes(shape[1:], dtype) > MOST_ITEM_BYTES:
        raise ManifestError(
            f"{what}: has the shape {shape}; at most {MOST_IMAGES:,} images, each of at least one "
            f"pixel and at most {MOST_ITEM_BYTES:,} bytes, are read."
        )


def _conversion(dtype: np.dtype) -> str:
    if dtype.kind == "f":
        return (
            "Save (255 * images).round().astype(np.uint8) if they go from 0 to 1, "
            "images.round().astype(np.uint8) if from 0 to 255."
        )
    if dtype.kind in "iub":
        return "If all values are 0 to 255, save images.astype(np.uint8)."
    return "Save them as one array of numbers."


def _check_labels(what: str, shape: tuple[int, ...], dtype: np.dtype, one_hot: bool) -> None:
    wide = len(shape) == 2 and shape[1] != 1
    if len(shape) not in (1, 2) or 0 in shape[1:]:
        raise ManifestError(f"{what}: has the shape {shape}; labels are (images,) or (images, 1).")
    if wide and not one_hot:
        raise ManifestError(
            f"{what}: has {shape[1]} columns, that is, several labels for an image; a classifier "
            "here gives one class to an image. Choose a column and save it as the labels."
        )
    if dtype.kind not in ("iufb" if wide else "iuUS") or dtype.itemsize == 0:
        raise ManifestError(
            f"{what}: holds {dtype}; labels are whole numbers from 0 or texts. Save "
            "labels.astype(np.int64), or labels.astype(str) for names."
        )
    if _bytes(shape, dtype) > MOST_LABEL_BYTES:
        raise ManifestError(
            f"{what}: {shape} labels of {dtype} take {_bytes(shape, dtype):,} bytes; at most "
            f"{MOST_LABEL_BYTES:,} are read."
        )


def _bytes(shape: tuple[int, ...], dtype: np.dtype) -> int:
    return math.prod(shape) * dtype.itemsize


def _single(values: np.ndarray, what: str) -> np.ndarray:
    """One label an image, ``(n,)``; of one-hot rows the place of the 1."""
    if values.ndim == 1 or values.shape[1] == 1:
        return values.reshape(len(values))
    wrong = np.flatnonzero(~(((values == 0) | (values == 1)).all(1) & (values.sum(1) == 1)))
    if len(wrong):
        raise ManifestError(
            f"{what}: {len(wrong):,} row(s) are not one 1 among 0s: {_items(wrong)}. One class an "
            "image is needed."
        )
    return values.argmax(1)


def _check_range(labels: np.ndarray, names: Sequence[str] | None, what: str) -> None:
    wrong = labels < 0 if names is None else (labels < 0) | (labels >= len(names))
    if wrong.any():
        upper = "on" if names is None else f"to {len(names) - 1} ({', '.join(names)})"
        found = name_some(str(number) for number in np.unique(labels[wrong]))
        raise ManifestError(
            f"{what}: labels go from 0 {upper}; {found} stand(s) in {_items(np.flatnonzero(wrong))}"
            ". Name the classes with the option names, such as names=lymphocyte,monocyte, if they "
            "are others."
        )


def _texts(labels: np.ndarray, names: Sequence[str] | None, what: str) -> list[str]:
    if names is not None:
        raise ManifestError(f"{what}: holds the classes as text; leave the option names out.")
    if labels.dtype.kind == "U":
        return [str(label) for label in labels]
    try:
        return [label.decode() for label in labels.tolist()]
    except UnicodeDecodeError as error:
        raise ManifestError(f"{what}: holds text that is not UTF-8: {error}.") from None


def _items(numbers: np.ndarray) -> str:
    """The first items, counted from 0, and how many more there are."""
    more = f" and {len(numbers) - _SHOWN:,} more" if len(numbers) > _SHOWN else ""
    return f"item {', '.join(str(n) for n in numbers[:_SHOWN])}{more}"
