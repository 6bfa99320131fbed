"""Shard files: TFRecord framing around ``tf.train.Example`` records.

The features of a record:

=======================  =====  ==========================================================
``image/encoded``        bytes  the image file as it is (JPEG, PNG, ...)
``image/format``         text   ``jpeg``, ``png``, ...
``image/sha256``         text   of ``image/encoded``, hexadecimal
``label``, ``label/id``  text,  the class, and its place among the classes of ``pack.json``
                         int64
``path``                 text   where the image was before it was packed
``index``                int64  row in ``manifest.csv``, from 0
other column names       text   as in ``manifest.csv``, "" where nothing is known
=======================  =====  ==========================================================

A further image of the column ``image:dark_field`` has the features ``image:dark_field/encoded``,
``/format``, ``/sha256`` and ``/path``; where a row lacks the image only the last, which is "". A
column whose name is one of the above is called ``column/<name>``. All text is UTF-8.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.manifest import FURTHER_IMAGE
from pipelines.shards.source_images import SourceImage

if TYPE_CHECKING:
    import tensorflow as tf

_HEAD, _FRAME = 12, 16
"""Bytes of a TFRecord before its data (length and its checksum), and around it."""

_RESERVED = ("image/encoded", "image/format", "image/sha256", "label/id", "index")

Spans = dict[str, tuple[int, int]]
"""By column: first byte and number of bytes of an image file within its shard."""


@dataclass(frozen=True)
class Row:
    """What becomes a record.

    Args:
        index: Row in the manifest.
        label_id: Place of its class.
        values: Its columns as text; of image columns the original paths.
        images: The image files by column.
    """

    index: int
    label_id: int
    values: Mapping[str, str]
    images: Mapping[str, SourceImage]


@dataclass(frozen=True)
class WrittenShard:
    """A shard file that is complete.

    Args:
        bytes: Its size.
        sha256: Its digest, hexadecimal.
        spans: Where the images of each record lie, in the order of records.
    """

    bytes: int
    sha256: str
    spans: tuple[Spans, ...]


def write_shard(path: Path, rows: Iterable[Row]) -> WrittenShard:
    """Writes a shard file.

    Args:
        path: The file; one that is there is replaced.
        rows: Its records in order.

    Returns:
        Its size, digest and the places of all images.

    Raises:
        OSError: If it cannot be written; what there is of the file is removed.
    """
    import tensorflow as tf

    position, spans = 0, []
    try:
        with tf.io.TFRecordWriter(str(path)) as writer:
            for row in rows:
                record = _example(row).SerializeToString(deterministic=True)
                writer.write(record)
                spans.append(_spans(record, row.images, position + _HEAD))
                position += len(record) + _FRAME
    except tf.errors.OpError as error:
        path.unlink(missing_ok=True)
        raise OSError(error.message) from None
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    size = path.stat().st_size
    if size != position:
        path.unlink()
        raise OSError(f"{path} has {size:,} bytes, {position:,} were written")
    return WrittenShard(size, file_digest(path), tuple(spans))


def file_digest(path: Path) -> str:
    """SHA-256 of a file, hexadecimal.

    Raises:
        OSError: If it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _spans(record: bytes, images: Mapping[str, SourceImage], start: int) -> Spans:
    # Wherever the bytes are found first, they are those of the image.
    return {
        column: (start + record.index(image.content), len(image.content))
        for column, image in images.items()
    }


def _example(row: Row) -> tf.train.Example:
    import tensorflow as tf

    def whole_number(value: int) -> tf.train.Feature:
        return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))

    def content(value: str | bytes) -> tf.train.Feature:
        data = value.encode() if isinstance(value, str) else value
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[data]))

    features: dict[str, Any] = {
        "index": whole_number(row.index),
        "label/id": whole_number(row.label_id),
    }
    for column, value in row.values.items():
        features[_feature_name(column)] = content(value)
    for column, image in row.images.items():
        name = "image" if column == "path" else column
        features[f"{name}/encoded"] = content(image.content)
        features[f"{name}/format"] = content(image.format)
        features[f"{name}/sha256"] = content(hashlib.sha256(image.content).hexdigest())
    return tf.train.Example(features=tf.train.Features(feature=features))


def _feature_name(column: str) -> str:
    if column.startswith(FURTHER_IMAGE):
        return f"{column}/path"
    return f"column/{column}" if column in _RESERVED else column
