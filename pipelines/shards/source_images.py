"""The images of a data set that is to be packed: which there are, and their bytes."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from PIL import Image

from pipelines.errors import ManifestError
from pipelines.image_cache import default_workers
from pipelines.manifest import Manifest
from pipelines.quarantine import COLUMNS, Progress, unreadable_reason
from tflite.runtime.ahead import work_ahead
from tflite.runtime.errors import ImageError
from tflite.runtime.journal import FileStamp
from tflite.runtime.preprocess import IMAGE_FORMATS, decode_image
from tflite.runtime.references import file_of, parse_reference
from tflite.runtime.stored_images import open_array, read_stored

_AHEAD = 4
"""Images a thread may be ahead of the writer."""


@dataclass(frozen=True)
class SourceImage:
    """An image file as it goes into a record.

    Args:
        content: Bytes of the file as it is; of a PNG, where the image is an item of an array
            or a cut-out.
        format: Such as ``jpeg`` or ``png``, by content.
    """

    content: bytes
    format: str


def image_columns(manifest: Manifest) -> tuple[str, ...]:
    """The columns that name images: ``path``, then those of further images."""
    return ("path", *manifest.further_images)


def stamp_files(manifest: Manifest) -> dict[str, FileStamp]:
    """Every file that holds images of the data set, with its size and time, sorted by name.

    Raises:
        ManifestError: If a file is missing.
    """
    names = {
        file_of(manifest.root / str(name))
        for column in image_columns(manifest)
        for name in manifest.table[column]
        if name
    }
    try:
        return {name: FileStamp.of(Path(name)) for name in sorted(names)}
    except OSError as error:
        raise ManifestError(f"{error.filename} cannot be read: {error.strerror}.") from None


def find_unreadable_images(
    manifest: Manifest, workers: int | None = None, progress: Progress | None = None
) -> pd.DataFrame:
    """Decodes every image of every row, further ones included, and lists those that fail.

    Args:
        manifest: The data set.
        workers: Threads; by default the number of processors.
        progress: Called with the images done and their number.

    Returns:
        As `pipelines.quarantine.find_unreadable`: columns ``path, reason``, index: row numbers.
    """
    images = [
        (row, str(name))
        for column in image_columns(manifest)
        for row, name in enumerate(manifest.table[column])
        if name
    ]
    threads = workers or default_workers()
    reasons = work_ahead(
        lambda image: unreadable_reason(manifest.root / image[1]),
        images,
        threads,
        _AHEAD * threads,
    )
    found: list[tuple[int, str, str]] = []
    for done, ((row, name), reason) in enumerate(zip(images, reasons), 1):
        if reason is not None:
            found.append((row, name, reason))
        if progress:
            progress(done, len(images))
    found.sort()
    rows = pd.Index([row for row, _, _ in found], dtype="int64")
    return pd.DataFrame([line[1:] for line in found], index=rows, columns=list(COLUMNS))


def planned_bytes(source: Path | str) -> int:
    """About how many bytes `read_image` will give, without decoding.

    Raises:
        ImageError: If the file is missing.
    """
    reference = parse_reference(source)
    if reference.box is not None:
        return 3 * reference.box[2] * reference.box[3]
    if reference.item is not None:
        return open_array(reference.file, reference.item[0]).item_bytes
    if reference.span is not None:
        return reference.span[1]
    try:
        return Path(reference.file).stat().st_size
    except OSError as error:
        raise ImageError(f"{reference.file} cannot be read: {error.strerror}.") from None


def read_image(source: Path | str, stamps: Mapping[str, FileStamp]) -> SourceImage:
    """The bytes of an image that is to be packed.

    Args:
        source: A path or reference.
        stamps: Of the files as they were when the packing began.

    Raises:
        ImageError: If the image cannot be read.
        ManifestError: If its file was changed since.
    """
    reference = parse_reference(source)
    if reference.item is not None or reference.box is not None:
        image = _as_png(decode_image(source))
    else:
        stored = read_stored(reference)
        content = stored if isinstance(stored, bytes) else _file_bytes(reference.file)
        image = SourceImage(content, _format(content, str(reference)))
    # Looked at after reading, so that a change while it was read is noticed too.
    refuse_changed({reference.file: stamps[reference.file]})
    return image


def read_rows(
    manifest: Manifest,
    rows: Sequence[int],
    stamps: Mapping[str, FileStamp],
    workers: int | None = None,
) -> Iterator[dict[str, SourceImage]]:
    """The images of rows by column, read ahead in threads, in the order of `rows`.

    Args:
        manifest: The data set.
        rows: Row numbers.
        stamps: As for `read_image`.
        workers: Threads; by default the number of processors.

    Raises:
        ImageError: As `read_image`.
        ManifestError: As `read_image`.
    """
    named = {column: manifest.table[column].tolist() for column in image_columns(manifest)}

    def read(row: int) -> dict[str, SourceImage]:
        names = {column: str(names[row]) for column, names in named.items() if names[row]}
        return {c: read_image(manifest.root / name, stamps) for c, name in names.items()}

    threads = workers or default_workers()
    return work_ahead(read, rows, threads, _AHEAD * threads)


def refuse_changed(stamps: Mapping[str, FileStamp]) -> None:
    """Refuses files that are no longer as they were when the packing began.

    Raises:
        ManifestError: Names the first of them.
    """
    for name, stamp in stamps.items():
        try:
            same = FileStamp.of(Path(name)) == stamp
        except OSError:
            same = False
        if not same:
            raise ManifestError(
                f"{name} was changed or removed since this pack was begun, so its shards would "
                "not belong together. Delete the unfinished pack and pack anew."
            )


def _file_bytes(file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise ImageError(f"{file} cannot be read: {error.strerror}.") from None


def _format(content: bytes, name: str) -> str:
    try:
        with Image.open(io.BytesIO(content), formats=IMAGE_FORMATS) as image:
            found = str(image.format).lower()
    except Exception as error:  # a damaged file can raise nearly anything
        raise ImageError(f"{name} is no image that can be read: {error}.") from None
    return "jpeg" if found == "mpo" else found  # a JPEG file with further pictures behind


def _as_png(image: Image.Image) -> SourceImage:
    file = io.BytesIO()
    image.save(file, "png")
    return SourceImage(file.getvalue(), "png")
