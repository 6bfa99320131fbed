"""Reads an annotation of Pascal VOC: one XML file with the boxes of one image.

The form is that of the VOC challenges (M. Everingham and others, "The Pascal Visual Object
Classes (VOC) Challenge", IJCV 88:303, 2010, and their development kit). ``xmin`` and ``xmax`` are
the first and the last column of a box, both inside of it, and the first column of the image is 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.boxes import Box
from pipelines.errors import ManifestError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_EDGES = ("xmin", "ymin", "xmax", "ymax")


@dataclass(frozen=True)
class VocObject:
    """One ``object``.

    Args:
        name: Its class.
        box: In pixels from the upper left corner; not a number where there are no four numbers.
        difficult: Whether the annotators found it hard to tell.
        truncated: Whether the box does not hold all of it.
    """

    name: str
    box: Box
    difficult: bool
    truncated: bool


@dataclass(frozen=True)
class VocFile:
    """What a file holds.

    Args:
        file_name: The image's file name, "" if none is given.
        size: Its columns and rows; None if none are given (some tools write 0).
        objects: In the order of the file.
    """

    file_name: str
    size: tuple[int, int] | None
    objects: tuple[VocObject, ...]


def read_voc(file: Path, first_pixel: int = 1) -> VocFile:
    """Reads a file.

    Document types and entities are refused before they are expanded: annotations need none, and
    with them a small file can fill the memory or read other files.

    Args:
        file: The XML.
        first_pixel: Number of an image's first column and row: 1 in VOC; many tools write 0.

    Raises:
        ManifestError: If the file is missing, is no XML or not of this form, or an object has no
            name.
    """
    root = _parse(file)
    if root.tag != "annotation":
        raise ManifestError(
            f"{file} is no annotation of Pascal VOC: it begins with <{root.tag}> instead of "
            "<annotation>."
        )
    objects = tuple(
        _object(file, n, o, first_pixel) for n, o in enumerate(root.findall("object"), 1)
    )
    width, height = (_number(root, f"size/{name}") for name in ("width", "height"))
    known = 1 <= width < math.inf and 1 <= height < math.inf
    size = (int(width), int(height)) if known else None
    name = _text(root, "filename").replace("\\", "/").rsplit("/", 1)[-1]
    return VocFile(name, size, objects)


def _parse(file: Path) -> Element:
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import ParseError, parse

    try:
        root: Element = parse(file, forbid_dtd=True).getroot()
    except OSError as error:
        raise ManifestError(f"{file} cannot be read: {error.strerror}.") from None
    except DefusedXmlException:
        raise ManifestError(
            f"{file} declares a document type or entities, which can be used to attack the reader; "
            "annotations of Pascal VOC have none."
        ) from None
    except (ParseError, ValueError, LookupError) as error:  # the latter two: of the encoding
        raise ManifestError(f"{file} is no XML: {error}.") from None
    return root


def _object(file: Path, number: int, part: Element, first_pixel: int) -> VocObject:
    name = _text(part, "name")
    if not name:
        raise ManifestError(f"Object {number} (counted from 1) of {file} has no name.")
    left, top, right, bottom = (_number(part, f"bndbox/{edge}") for edge in _EDGES)
    # The last column belongs to the box, so a box from 5 to 5 is one column wide.
    box = Box(left - first_pixel, top - first_pixel, right - left + 1, bottom - top + 1)
    return VocObject(name, box, _flag(part, "difficult"), _flag(part, "truncated"))


def _text(part: Element, path: str) -> str:
    return (part.findtext(path) or "").strip()


def _number(part: Element, path: str) -> float:
    try:
        return float(_text(part, path))
    except ValueError:
        return math.nan


def _flag(part: Element, path: str) -> bool:
    return _text(part, path).lower() in ("1", "true")
