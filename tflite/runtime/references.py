"""How an image is named: a file, or a part of a file.

Data sets hold images in more ways than one file each. A reference is the path of a file, and
behind it, where the image is only a part of that file, one or two fragments:

``cell.png``
    the file is the image;
``shard-00001-of-00004.tfrecord#bytes=1234,5678``
    the 5,678 bytes from byte 1,234 on are an image file of their own;
``bloodmnist.npz#array=train_images,17``
    item 17, counted from 0, of an array in a NumPy archive;
``field.png#xywh=10,20,64,48``
    64 columns and 48 rows, whose upper left pixel is column 10, row 20, of the upright image
    (the spatial dimension of W3C Media Fragments 1.0). It may follow the other two.

Everything in the project that decodes images takes such references where it takes paths.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Tuple, Union

_NUMBER = r"(0|[1-9][0-9]{0,15})"
_FORM = re.compile(
    r"(?P<file>.+?)"
    rf"(?:#bytes={_NUMBER},{_NUMBER}|#array=(?P<array>[^#,/\\]+),{_NUMBER})?"
    rf"(?:#xywh={_NUMBER},{_NUMBER},{_NUMBER},{_NUMBER})?",
    re.DOTALL,
)
_MARKS = ("#bytes=", "#array=", "#xywh=")


@dataclass(frozen=True)
class ImageReference:
    """The parts of a reference. Make it with `parse_reference`.

    Args:
        file: Path of the file.
        span: First byte and number of bytes of the image file inside; None for all.
        item: Name of an array and number of the item in it, from 0; None where `file` is no
            NumPy archive.
        box: Left column, upper row, columns and rows of a cut-out, in pixels; None for all.
    """

    file: str
    span: Optional[Tuple[int, int]] = None
    item: Optional[Tuple[str, int]] = None
    box: Optional[Tuple[int, int, int, int]] = None

    @property
    def is_file(self) -> bool:
        """Whether the whole file is the image."""
        return self.span is None and self.item is None and self.box is None

    def __str__(self) -> str:
        parts = [self.file]
        if self.span is not None:
            parts.append("#bytes={},{}".format(*self.span))
        if self.item is not None:
            parts.append("#array={},{}".format(*self.item))
        if self.box is not None:
            parts.append("#xywh={},{},{},{}".format(*self.box))
        return "".join(parts)


def parse_reference(source: Union[str, Path]) -> ImageReference:
    """Takes a reference apart.

    What does not have exactly one of the forms above is the path of a file, so that every file
    name stays usable but for names that end in a fragment.
    """
    text = str(source)
    if not any(mark in text for mark in _MARKS):  # 100,000 plain paths are not parsed
        return ImageReference(text)
    match = _FORM.fullmatch(text)
    if match is None:
        return ImageReference(text)
    _, start, length, name, index, *box = match.groups()
    return ImageReference(
        match["file"],
        None if start is None else (int(start), int(length)),
        None if name is None else (name, int(index)),
        None if box[0] is None else (int(box[0]), int(box[1]), int(box[2]), int(box[3])),
    )


def file_of(source: Union[str, Path]) -> str:
    """Path of the file that a reference points into."""
    return parse_reference(source).file
