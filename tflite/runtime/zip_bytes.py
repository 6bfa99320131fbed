"""Bytes of one member of a zip archive, read from any place in it.

A stored member is read where it lies. Deflated data can only be read from their beginning, so the
state of the decompressor is kept every few megabytes as reading goes on, and later reads start
from the state before them: some tens of megabytes of memory for a member of any size, and nothing
is written to disk.
"""

from __future__ import annotations

import threading
import zipfile
import zlib
from collections import OrderedDict
from pathlib import Path
from typing import List, Optional, Union

LEAST_SPACING = 2**20
"""Bytes between two kept states at least; a state takes about 45 KB."""

MOST_STATES = 2048
"""The spacing grows so that there are no more states than these."""

BLOCKS_KEPT = 12
"""Inflated stretches between two states that are kept: more than threads usually read at once."""

_CHUNK = 2**13
_LOCAL_HEADER = 30
_SIGNATURE = b"PK\x03\x04"


class StoredBytes:
    """Bytes of a member that is not compressed. Threads may share it.

    Args:
        path: The archive.
        start: Where the member's data begin, in bytes from the beginning of the file.
    """

    def __init__(self, path: Path, start: int) -> None:
        self._path, self._start = path, start

    def read(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes from `offset` on.

        Raises:
            EOFError: If the file ends before.
            OSError: If it cannot be read.
        """
        with self._path.open("rb") as file:
            file.seek(self._start + offset)
            content = file.read(length)
        if len(content) < length:
            raise EOFError("the file ends too early")
        return content


class DeflatedBytes:
    """Bytes of a deflated member. Threads may share it; one at a time inflates.

    Args:
        path: The archive.
        start: Where the member's data begin, in bytes from the beginning of the file.
        compressed: Bytes of the data as they are stored.
        size: Bytes of the data inflated, as the archive announces them.
        spacing: Bytes between two kept states; None takes the two settings above.
    """

    def __init__(
        self, path: Path, start: int, compressed: int, size: int, spacing: Optional[int] = None
    ) -> None:
        self._path, self._start, self._compressed = path, start, compressed
        self._spacing = spacing or max(LEAST_SPACING, -(-size // MOST_STATES))
        # Where in the compressed data block k begins, and what inflates it.
        self._states = [(0, zlib.decompressobj(-zlib.MAX_WBITS))]
        self._kept: OrderedDict[int, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes from `offset` on.

        Raises:
            EOFError: If the data end before.
            OSError: If the file cannot be read.
            zlib.error: If the data are damaged.
        """
        parts: List[bytes] = []
        position, end = offset, offset + length
        with self._lock:
            while position < end:
                number, inside = divmod(position, self._spacing)
                part = self._block(number)[inside : inside + end - position]
                if not part:
                    raise EOFError("the data end too early")
                parts.append(part)
                position += len(part)
        return b"".join(parts)

    def _block(self, number: int) -> bytes:
        """The bytes from ``number * spacing`` to the next block or the end of the data."""
        while len(self._states) <= number:
            last = len(self._states) - 1
            self._keep(last, self._inflate(last))
            if len(self._states) == last + 1:
                raise EOFError("the data end too early")
        if number not in self._kept:
            self._keep(number, self._inflate(number))
        self._kept.move_to_end(number)
        return self._kept[number]

    def _inflate(self, number: int) -> bytes:
        position, state = self._states[number]
        inflater = state.copy()
        parts: List[bytes] = []
        made = 0
        with self._path.open("rb") as file:
            file.seek(self._start + position)
            while made < self._spacing and not inflater.eof:
                chunk = file.read(min(_CHUNK, self._compressed - position))
                # Without a limit, 8 KB of well-packed zeros would become 8 MB at once.
                part = inflater.decompress(chunk, self._spacing - made)
                if not chunk and not part and not inflater.eof:
                    raise EOFError("the compressed data end too early")
                position += len(chunk) - len(inflater.unconsumed_tail)
                made += len(part)
                parts.append(part)
        if number == len(self._states) - 1 and not inflater.eof:
            self._states.append((position, inflater))
        return b"".join(parts)

    def _keep(self, number: int, block: bytes) -> None:
        self._kept[number] = block
        if len(self._kept) > BLOCKS_KEPT:
            self._kept.popitem(last=False)


def open_member(path: Path, member: zipfile.ZipInfo) -> Union[StoredBytes, DeflatedBytes]:
    """The bytes of a member that is stored or deflated.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If the member does not lie where the archive's directory says.
    """
    start = _data_start(path, member)
    if member.compress_type == zipfile.ZIP_STORED:
        return StoredBytes(path, start)
    return DeflatedBytes(path, start, member.compress_size, member.file_size)


def _data_start(path: Path, member: zipfile.ZipInfo) -> int:
    """The name and the extra field before the data may differ from those in the directory."""
    with path.open("rb") as file:
        file.seek(member.header_offset)
        header = file.read(_LOCAL_HEADER)
    if len(header) < _LOCAL_HEADER or not header.startswith(_SIGNATURE):
        raise ValueError(f"{member.filename} does not lie where it should")
    lengths = (int.from_bytes(header[i : i + 2], "little") for i in (26, 28))
    return member.header_offset + _LOCAL_HEADER + sum(lengths)
