"""Single items of the arrays in a NumPy archive, without unpacking the archive.

``.npz`` files are zip archives of ``.npy`` files. MedMNIST's at 224 pixels hold 2.5 GB of pixels,
deflated, and deflated data can only be read from its beginning. So the state of the decompressor
is kept every few megabytes as reading goes on, and later reads start from the state before them:
some tens of megabytes of memory for an archive of any size, nothing written to disk.

Nothing of an archive is ever executed: arrays of Python objects, which are pickles, are refused
by their header. And nothing is extracted, so the names of the members cannot do harm.
"""

from __future__ import annotations

import struct
import threading
import zipfile
import zlib
from bisect import bisect_right
from collections import OrderedDict
from pathlib import Path
from typing import IO, Dict, List, Tuple, Union

import numpy as np

from tflite.runtime.errors import ImageError

_CHUNK = 2**16
_LEAST_SPACING = 2**20
_MOST_STATES = 512
_BLOCKS_KEPT = 4
_LOCAL_HEADER = struct.Struct("<26xHH")
_ENCRYPTED = 1


class NpzArray:
    """One array of a ``.npz`` file, read item by item. Threads may share it.

    Args:
        path: The archive.
        name: Name of the array in it, as ``np.load(path)[name]``.

    Raises:
        ImageError: If the file is missing or no zip archive, there is no such array, or it holds
            Python objects, Fortran order, or is compressed in a way that NumPy never writes.
    """

    def __init__(self, path: Union[str, Path], name: str) -> None:
        self.path, self.name = Path(path), name
        with _opened(self.path) as archive:
            member = _member(archive, self.path, name)
            with archive.open(member) as stream:
                self.shape, self.dtype = _header(stream, f"{self.path}, array {name}")
                begin = stream.tell()
        self._check_length(member, begin)
        start = _data_start(self.path, member)
        self._begin = begin
        self._bytes: Union[_Inflated, _Stored]
        if member.compress_type == zipfile.ZIP_STORED:
            self._bytes = _Stored(self.path, start)
        else:
            self._bytes = _Inflated(self.path, start, member.compress_size, member.file_size)

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def item_bytes(self) -> int:
        """Bytes of one item."""
        return int(np.prod(self.shape[1:], dtype=np.int64)) * self.dtype.itemsize

    def read(self, index: int) -> np.ndarray:
        """One item, an array of the shape ``shape[1:]``.

        Raises:
            ImageError: If there is no such item, or the archive is damaged or truncated.
        """
        if not 0 <= index < len(self):
            raise ImageError(
                f"{self.path}: the array {self.name} has {len(self)} items; number {index} "
                "(counted from 0) was asked for."
            )
        size = self.item_bytes
        try:
            content = self._bytes.read(self._begin + index * size, size)
        except (OSError, zlib.error, EOFError) as error:
            raise ImageError(
                f"{self.path} is damaged: item {index} of the array {self.name} cannot be read "
                f"({error}). Fetch the file anew."
            ) from None
        return np.frombuffer(content, self.dtype).reshape(self.shape[1:])

    def _check_length(self, member: zipfile.ZipInfo, begin: int) -> None:
        claimed = begin + self.item_bytes * len(self)
        if claimed != member.file_size:
            raise ImageError(
                f"{self.path}: the array {self.name} claims {self.shape} items of {self.dtype}, "
                f"{claimed} bytes with its header, but holds {member.file_size}. Fetch the file "
                "anew."
            )


def array_names(path: Union[str, Path]) -> Dict[str, Tuple[Tuple[int, ...], np.dtype]]:
    """Shape and dtype of every array in an archive, in its order, read from the headers alone.

    Raises:
        ImageError: If the file is missing or no zip archive, or a member is no array. Arrays of
            Python objects are listed (dtype object) and refused when they are read.
    """
    path = Path(path)
    found = {}
    with _opened(path) as archive:
        for member in archive.infolist():
            if not member.filename.endswith(".npy"):
                raise ImageError(
                    f"{path} is no NumPy archive: it holds {member.filename!r}, which is no array."
                )
            with archive.open(member) as stream:
                shape, dtype, _ = _plain_header(stream, f"{path}, {member.filename}")
                found[member.filename[:-4]] = (shape, dtype)
    return found


def check_archive(path: Union[str, Path], names: Tuple[str, ...]) -> None:
    """Reads arrays of an archive from beginning to end and compares their checksums.

    Memory stays flat. About 3 seconds a gigabyte of pixels.

    Raises:
        ImageError: If an array is missing, truncated or damaged.
    """
    path = Path(path)
    with _opened(path) as archive:
        for name in names:
            member = _member(archive, path, name)
            try:
                with archive.open(member) as stream:
                    while stream.read(2**20):
                        pass
            except (OSError, zipfile.BadZipFile, zlib.error, EOFError) as error:
                raise ImageError(
                    f"{path} is damaged: the array {name} cannot be read to its end ({error}). "
                    "Fetch the file anew."
                ) from None


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except FileNotFoundError:
        raise ImageError(f"No such file: {path}.") from None
    except IsADirectoryError:
        raise ImageError(f"{path} is a folder; a NumPy archive (.npz) was expected.") from None
    except (OSError, zipfile.BadZipFile, ValueError, struct.error, EOFError) as error:
        raise ImageError(
            f"{path} is no NumPy archive (.npz), or a truncated one: {error}. Fetch it anew."
        ) from None


def _member(archive: zipfile.ZipFile, path: Path, name: str) -> zipfile.ZipInfo:
    try:
        member = archive.getinfo(f"{name}.npy")
    except KeyError:
        known = ", ".join(n[:-4] for n in archive.namelist() if n.endswith(".npy"))
        raise ImageError(f"{path} has no array {name!r}; it has: {known or 'none'}.") from None
    if member.flag_bits & _ENCRYPTED:
        raise ImageError(f"{path}: the array {name} is encrypted; it cannot be read.")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ImageError(
            f"{path}: the array {name} is compressed by method {member.compress_type}; NumPy's "
            "savez and savez_compressed write 0 and 8."
        )
    return member


def _header(stream: IO[bytes], what: str) -> Tuple[Tuple[int, ...], np.dtype]:
    """Shape and dtype of an array that can be read item by item."""
    shape, dtype, fortran = _plain_header(stream, what)
    if dtype.hasobject:
        raise ImageError(
            f"{what}: holds Python objects, that is, a pickle, which could run any program when "
            "it is loaded. It was not. Save the images as one array of numbers."
        )
    if not shape:
        raise ImageError(f"{what}: is a single value; an array of items was expected.")
    if fortran and len(shape) > 1:
        raise ImageError(f"{what}: is stored column by column; save np.ascontiguousarray of it.")
    return shape, dtype


def _plain_header(stream: IO[bytes], what: str) -> Tuple[Tuple[int, ...], np.dtype, bool]:
    try:
        version = np.lib.format.read_magic(stream)
        if version == (1, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
        elif version == (2, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_2_0(stream)
        else:
            raise ValueError(f"version {version} of the format is for named columns only")
    # A damaged header can raise nearly anything from inside the parser.
    except Exception as error:
        raise ImageError(f"{what}: is no NumPy array, or a damaged one: {error}") from None
    return tuple(int(n) for n in shape), dtype, bool(fortran)


def _data_start(path: Path, member: zipfile.ZipInfo) -> int:
    with path.open("rb") as file:
        file.seek(member.header_offset)
        header = file.read(30)
    if len(header) < 30 or header[:4] != b"PK\x03\x04":
        raise ImageError(f"{path} is damaged: {member.filename} does not lie where it should.")
    name, extra = _LOCAL_HEADER.unpack(header)
    return member.header_offset + 30 + int(name) + int(extra)


class _Stored:
    """Bytes of a member that is not compressed."""

    def __init__(self, path: Path, start: int) -> None:
        self._path, self._start = path, start

    def read(self, offset: int, length: int) -> bytes:
        with self._path.open("rb") as file:
            file.seek(self._start + offset)
            content = file.read(length)
        if len(content) < length:
            raise EOFError("the file ends too early")
        return content


class _Inflated:
    """Bytes of a deflated member, in blocks that each begin with a kept decompressor."""

    def __init__(self, path: Path, start: int, compressed: int, size: int) -> None:
        self._path, self._start = path, start
        self._compressed, self._size = compressed, size
        self._spacing = max(_LEAST_SPACING, size // _MOST_STATES)
        # Block k holds the bytes from _begins[k] on; _states[k] is what inflates it.
        self._begins = [0]
        self._states = [(0, zlib.decompressobj(-zlib.MAX_WBITS))]
        self._kept: OrderedDict[int, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, offset: int, length: int) -> bytes:
        parts: List[bytes] = []
        with self._lock:
            while self._begins[-1] <= offset and self._begins[-1] < self._size:
                self._block(len(self._begins) - 1)
            number = bisect_right(self._begins, offset) - 1
            position, end = offset, offset + length
            while position < end:
                block, begin = self._block(number), self._begins[number]
                if not block:
                    raise EOFError("the data end too early")
                parts.append(block[position - begin : end - begin])
                position, number = begin + len(block), number + 1
        return b"".join(parts)

    def _block(self, number: int) -> bytes:
        if number in self._kept:
            self._kept.move_to_end(number)
            return self._kept[number]
        position, state = self._states[number]
        inflater = state.copy()
        parts, made = [], 0
        with self._path.open("rb") as file:
            file.seek(self._start + position)
            while made < self._spacing and not inflater.eof:
                chunk = file.read(min(_CHUNK, self._compressed - position))
                if not chunk:
                    raise EOFError("the compressed data end too early")
                part = inflater.decompress(chunk)
                position += len(chunk)
                made += len(part)
                parts.append(part)
        return self._keep(number, b"".join(parts), position, inflater)

    def _keep(self, number: int, block: bytes, position: int, inflater: zlib._Decompress) -> bytes:
        if number == len(self._begins) - 1:
            if inflater.eof and self._begins[number] + len(block) != self._size:
                raise EOFError("the compressed data are shorter or longer than announced")
            self._begins.append(self._begins[number] + len(block))
            self._states.append((position, inflater))
        self._kept[number] = block
        if len(self._kept) > _BLOCKS_KEPT:
            self._kept.popitem(last=False)
        return block
