"""Fetches what an image reference points to inside a file."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Union

import numpy as np

from tflite.runtime.errors import ImageError
from tflite.runtime.npz_arrays import NpzArray
from tflite.runtime.references import ImageReference

_ARRAYS_KEPT = 16


def read_stored(reference: ImageReference) -> Union[str, bytes, np.ndarray]:
    """The image before decoding, without its cut-out.

    Returns:
        The path, where the whole file is the image; the bytes of the image file inside it; or
        the item of a NumPy archive as it is, but for uint16, of which the upper 8 bits are
        kept, and a last axis of length 1, which is dropped.

    Raises:
        ImageError: If the file is missing, or ends before what the reference points to.
    """
    if reference.item is not None:
        name, index = reference.item
        return _as_pixels(open_array(reference.file, name).read(index))
    if reference.span is None:
        return reference.file
    start, length = reference.span
    try:
        with Path(reference.file).open("rb") as file:
            # Before reading: a wrong length may be more than fits into memory.
            if start + length > file.seek(0, os.SEEK_END):
                raise ImageError(
                    f"{reference} leads beyond the end of the file, which is truncated."
                )
            file.seek(start)
            return file.read(length)
    except OSError as error:
        raise ImageError(f"{reference.file} cannot be read: {error.strerror}.") from None


def _as_pixels(item: np.ndarray) -> np.ndarray:
    if item.dtype.kind == "u" and item.dtype.itemsize == 2:
        item = (item >> 8).astype(np.uint8)
    return item[..., 0] if item.ndim == 3 and item.shape[2] == 1 else item


def open_array(path: Union[str, Path], name: str) -> NpzArray:
    """An array of a NumPy archive; the archive is looked at again only where it was changed.

    Raises:
        ImageError: As `NpzArray`.
    """
    try:
        status = Path(path).stat()
    except OSError as error:
        raise ImageError(f"{path} cannot be read: {error.strerror}.") from None
    return _kept_array(str(path), name, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=_ARRAYS_KEPT)
def _kept_array(path: str, name: str, changed: int, size: int) -> NpzArray:
    return NpzArray(path, name)
