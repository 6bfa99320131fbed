"""Single items of the arrays in a NumPy archive, without unpacking the archive.

``.npz`` files are zip archives of ``.npy`` files. MedMNIST's at 224 pixels hold 2.5 GB of pixels,
deflated; `tflite.runtime.zip_bytes` reads single images of them in little memory.

Nothing of an archive is ever executed: arrays of Python objects, which are pickles, are refused
by their header. Nothing is extracted either, so the names of the members cannot do harm; names
that lead into folders are refused all the same. What an archive claims about sizes is held
against what its bytes can hold before anything of that size is read.
"""

from __future__ import annotations

import io
import math
import struct
import zipfile
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import Dict, Iterator, NamedTuple, Tuple, Union

import numpy as np

from tflite.runtime.errors import ImageError
from tflite.runtime.zip_bytes import open_member

MOST_ARRAYS = 1000
"""Arrays that are listed of one archive."""

MOST_ITEM_BYTES = 2**29
"""Bytes of one item; the largest image that is decoded has fewer."""

_MOST_HEADER = 2**14
_MOST_INFLATION = 1032
"""Deflate turns a byte into at most so many."""

_ENCRYPTED = 1
_ENDING = ".npy"
_READ = 2**20
# What a damaged archive raises from inside zipfile, zlib and NumPy.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    ValueError,
    OverflowError,
    RuntimeError,
)


class _Header(NamedTuple):
    """What stands before the values of an array, and the byte at which they begin."""

    shape: Tuple[int, ...]
    dtype: np.dtype
    fortran: bool
    begin: int


class NpzArray:
    """One array of a ``.npz`` file, read item by item. Threads may share it.

    Args:
        path: The archive.
        name: Name of the array in it, as ``np.load(path)[name]``.

    Raises:
        ImageError: If the file is missing or no zip archive, there is no such array, or it is a
            single value, holds Python objects, is in Fortran order, encrypted, compressed in a
            way that NumPy never writes, or claims more values than it can hold.
    """

    def __init__(self, path: Union[str, Path], name: str) -> None:
        self.path, self.name = Path(path), name
        with _opened(self.path) as archive:
            member = _member(archive, self.path, name)
            header = _header(archive, member, self.path)
        _check_values(header, member, f"{self.path}, array {name}")
        self.shape, self.dtype, self._begin = header.shape, header.dtype, header.begin
        with _damage_told(self.path):
            self._bytes = open_member(self.path, member)

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def item_bytes(self) -> int:
        """Bytes of one item."""
        return math.prod(self.shape[1:]) * self.dtype.itemsize

    def read(self, index: int) -> np.ndarray:
        """One item, an array of the shape ``shape[1:]`` that must not be written to.

        Raises:
            ImageError: If there is no such item, it is larger than `MOST_ITEM_BYTES`, or the
                archive is damaged or truncated.
        """
        if not 0 <= index < len(self):
            raise ImageError(
                f"{self.path}: the array {self.name} has {len(self)} items; number {index} "
                "(counted from 0) was asked for."
            )
        if self.item_bytes > MOST_ITEM_BYTES:
            raise ImageError(
                f"{self.path}: an item of the array {self.name} has {self.item_bytes:,} bytes; at "
                f"most {MOST_ITEM_BYTES:,} are read. Cut it into cells first."
            )
        return self._read(index, 1)[0]

    def read_all(self) -> np.ndarray:
        """All items, an array of the shape `shape` that must not be written to.

        All of it is in memory: look at `shape` and `dtype` before.

        Raises:
            ImageError: If the archive is damaged or truncated.
        """
        return self._read(0, len(self))

    def _read(self, first: int, count: int) -> np.ndarray:
        size = self.item_bytes
        with _damage_told(self.path, f"the array {self.name} cannot be read from item {first} on"):
            content = self._bytes.read(self._begin + first * size, count * size)
        return np.ndarray((count, *self.shape[1:]), self.dtype, content)


def array_names(path: Union[str, Path]) -> Dict[str, Tuple[Tuple[int, ...], np.dtype]]:
    """Shape and dtype of every array in an archive, in its order, read from the headers alone.

    Raises:
        ImageError: If the file is missing or no zip archive, a member is no array, leads into a
            folder or stands in it twice, or there are more than `MOST_ARRAYS`. Arrays of Python
            objects are listed (dtype object) and refused when they are read.
    """
    path = Path(path)
    found = {}
    with _opened(path) as archive:
        members = archive.infolist()
        if len(members) > MOST_ARRAYS:
            raise ImageError(
                f"{path} holds {len(members):,} arrays, more than {MOST_ARRAYS:,}. Save the images "
                "as one array, stacked along a first axis."
            )
        for member in members:
            name = _array_name(member, path)
            if name in found:
                raise ImageError(f"{path} holds the array {name} twice; save it anew.")
            _check_member(member, path)
            header = _header(archive, member, path)
            found[name] = (header.shape, header.dtype)
    return found


def check_archive(path: Union[str, Path], names: Tuple[str, ...]) -> None:
    """Reads arrays of an archive from beginning to end and compares their checksums.

    Memory stays flat. About 5 seconds a gigabyte of pixels.

    Raises:
        ImageError: If an array is missing, truncated or damaged.
    """
    path = Path(path)
    with _opened(path) as archive:
        for name in names:
            member = _member(archive, path, name)
            with _damage_told(path, f"the array {name} cannot be read to its end"):
                with archive.open(member) as stream:
                    read = sum(map(len, iter(lambda: stream.read(_READ), b"")))
                if read != member.file_size:
                    raise EOFError(f"{read:,} of {member.file_size:,} bytes are there")


@contextmanager
def _damage_told(path: Path, what: str = "") -> Iterator[None]:
    try:
        yield
    except ImageError:
        raise
    except OSError as error:
        raise ImageError(f"{path} cannot be read: {error.strerror or error}.") from None
    except _DAMAGE as error:
        told = f"{what} ({error})" if what else str(error)
        raise ImageError(f"{path} is damaged: {told}. Fetch the file anew.") from None


def _opened(path: Path) -> zipfile.ZipFile:
    if path.is_dir():
        raise ImageError(f"{path} is a folder; a NumPy archive (.npz) was expected.")
    try:
        return zipfile.ZipFile(path)
    except FileNotFoundError:
        raise ImageError(f"No such file: {path}.") from None
    except OSError as error:
        raise ImageError(f"{path} cannot be read: {error.strerror or error}.") from None
    except _DAMAGE as error:
        raise ImageError(
            f"{path} is no NumPy archive (.npz), or a truncated one: {error}. Fetch it anew."
        ) from None


def _array_name(member: zipfile.ZipInfo, path: Path) -> str:
    name = member.filename
    if not name.endswith(_ENDING) or "/" in name or "\\" in name or not name.isprintable():
        raise ImageError(
            f"{path} is no NumPy archive: it holds {name!r}, which is no array of np.savez. "
            "Nothing was unpacked."
        )
    return name[: -len(_ENDING)]


def _member(archive: zipfile.ZipFile, path: Path, name: str) -> zipfile.ZipInfo:
    try:
        member = archive.getinfo(name + _ENDING)
    except KeyError:
        known = [n[: -len(_ENDING)] for n in archive.namelist() if n.endswith(_ENDING)]
        more = f" and {len(known) - 10} more" if len(known) > 10 else ""
        raise ImageError(
            f"{path} has no array {name!r}; it has: {', '.join(known[:10]) or 'none'}{more}."
        ) from None
    _check_member(member, path)
    return member


def _check_member(member: zipfile.ZipInfo, path: Path) -> None:
    if member.flag_bits & _ENCRYPTED:
        raise ImageError(
            f"{path}: {member.filename} is encrypted; unpack the archive and save it without."
        )
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ImageError(
            f"{path}: {member.filename} is compressed by method {member.compress_type}; NumPy's "
            "savez and savez_compressed write 0 and 8."
        )
    stored = member.compress_type == zipfile.ZIP_STORED
    most = member.compress_size if stored else (member.compress_size + 1) * _MOST_INFLATION
    if member.file_size > most:
        raise ImageError(
            f"{path} is damaged: {member.filename} claims {member.file_size:,} bytes and its "
            f"{member.compress_size:,} cannot hold them. Fetch the file anew."
        )


def _header(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> _Header:
    """Reads a header of any size that NumPy takes, and no more than that of any other."""
    told = _damage_told(path, f"{member.filename} cannot be read")
    with told, archive.open(member) as opened:
        stream = io.BytesIO(opened.read(_MOST_HEADER))
    try:
        version = np.lib.format.read_magic(stream)
        # Version 3 differs from 2 in the names of columns only, which images do not have.
        read = (
            np.lib.format.read_array_header_1_0
            if version == (1, 0)
            else np.lib.format.read_array_header_2_0
        )
        shape, fortran, dtype = read(stream)
        if any(length < 0 for length in shape):
            raise ValueError(f"the shape {shape}")
    # A damaged header can raise nearly anything from inside the parser.
    except Exception as error:
        raise ImageError(
            f"{path}: {member.filename} is no NumPy array, or a damaged one: {error}"
        ) from None
    return _Header(tuple(int(n) for n in shape), dtype, bool(fortran), stream.tell())


def _check_values(header: _Header, member: zipfile.ZipInfo, what: str) -> None:
    """Refuses what cannot be read item by item."""
    shape, dtype = header.shape, header.dtype
    if dtype.hasobject:
        raise ImageError(
            f"{what}: holds Python objects, that is, a pickle, which could run any program when "
            "it is loaded. It was not. Save the values as one array of numbers or text."
        )
    if not shape:
        raise ImageError(f"{what}: is a single value; an array of items was expected.")
    if dtype.itemsize == 0 or dtype.subdtype is not None:
        raise ImageError(f"{what}: holds values of the kind {dtype}; save numbers or text.")
    if header.fortran and len(shape) > 1:
        raise ImageError(f"{what}: is stored column by column; save np.ascontiguousarray of it.")
    claimed = header.begin + math.prod(shape) * dtype.itemsize
    if claimed != member.file_size:
        raise ImageError(
            f"{what}: claims {shape} values of {dtype}, {claimed:,} bytes with its header, but "
            f"holds {member.file_size:,}. Fetch the file anew."
        )
