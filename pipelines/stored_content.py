"""Bytes behind an image reference: whether they are there, how many, and their digest."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Hashable

from tflite.runtime.errors import ImageError
from tflite.runtime.references import ImageReference, parse_reference
from tflite.runtime.stored_images import open_array

TAIL = 4096
"""Bytes at the end of a file by which files of one size are told apart first."""


def is_there(name: str) -> bool:
    """Whether a file exists, and is long enough for what the reference points to in it."""
    reference = parse_reference(name)
    if reference.item is not None:
        array, index = reference.item
        try:
            return index < len(open_array(reference.file, array))
        except ImageError:
            return False
    if reference.span is not None:
        size = _file_size(reference.file)
        return size is not None and sum(reference.span) <= size
    return os.path.isfile(reference.file)  # noqa: PTH113 (100,000 files)


def content_size(name: str) -> Hashable | None:
    """What images of equal content have in common at least; None for missing or empty ones.

    An image file inside a shard has the size of the same file outside.
    """
    reference = parse_reference(name)
    size: Hashable | None
    if reference.item is not None:
        try:
            size = ("item", open_array(reference.file, reference.item[0]).item_bytes)
        except ImageError:
            return None
    elif reference.span is not None:
        size = reference.span[1] or None
    else:
        size = _file_size(reference.file) or None
    return size if reference.box is None or size is None else (size, reference.box)


def content_digest(name: str, tail: bool = False) -> Hashable | None:
    """SHA-256 of the image as it is stored, with its cut-out; None where it cannot be read.

    Args:
        name: A reference.
        tail: Whether only the last `TAIL` bytes are read; the number of all bytes is part of
            the answer then.
    """
    reference = parse_reference(name)
    try:
        digest = _digest(reference, tail)
    except (OSError, ImageError):
        return None
    return digest if reference.box is None else (digest, reference.box)


def _digest(reference: ImageReference, tail: bool) -> Hashable:
    if reference.item is not None:
        array, index = reference.item
        item = open_array(reference.file, array).read(index)
        return str(item.dtype), item.shape, hashlib.sha256(item.tobytes()).digest()
    with open(reference.file, "rb") as file:  # noqa: PTH123 (100,000 files)
        start, size = reference.span or (0, file.seek(0, os.SEEK_END))
        if tail:
            file.seek(start + max(0, size - TAIL))
            return size, hashlib.sha256(file.read(min(TAIL, size))).digest()
        file.seek(start)
        if reference.span is None:
            return hashlib.file_digest(file, "sha256").digest()
        return hashlib.sha256(file.read(size)).digest()


def _file_size(name: str) -> int | None:
    try:
        return os.stat(name).st_size  # noqa: PTH116 (100,000 files)
    except OSError:
        return None
