"""Reads the JSON of COCO object detection: images, categories, annotations with boxes.

The form is that of the COCO data set ("Data format" at cocodataset.org): ``images`` with ``id``,
``file_name``, ``width``, ``height``; ``categories`` with ``id`` and ``name``; ``annotations`` with
``id``, ``image_id``, ``category_id``, ``iscrowd`` and ``bbox``, which is [x, y, width, height] in
pixels from the upper left corner. Outlines, key points and everything else is passed over.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard, TypeVar

from pipelines.boxes import Box
from pipelines.errors import ManifestError, name_some

_LARGEST = 1 << 63

MOST_BYTES = 2 << 30
"""Larger files are refused before they fill the memory; that of COCO itself has 0.5e9 bytes."""

Id = int | str


@dataclass(frozen=True)
class CocoImage:
    """One of ``images``.

    Args:
        file_name: With slashes, relative to a folder that the file does not name.
        size: Columns and rows; None if the file gives none.
    """

    file_name: str
    size: tuple[int, int] | None


@dataclass(frozen=True)
class CocoAnnotation:
    """One of ``annotations``.

    Args:
        id: Its id, or "" if it has none.
        image: Id of its image.
        category: Name of its category.
        box: As it stands there; not a number where there are no four numbers.
        crowd: Whether it is drawn around several.
    """

    id: Id
    image: Id
    category: str
    box: Box
    crowd: bool


@dataclass(frozen=True)
class CocoFile:
    """What a file holds.

    Args:
        images: By id.
        categories: Names in the order of the file, each once.
        annotations: In the order of the file.
    """

    images: Mapping[Id, CocoImage]
    categories: tuple[str, ...]
    annotations: tuple[CocoAnnotation, ...]


def read_coco(file: Path) -> CocoFile:
    """Reads a file and checks that its parts fit together.

    Boxes are not looked at; an image's size is known better by the image.

    Args:
        file: The JSON, UTF-8.

    Raises:
        ManifestError: If the file is missing, too large, or no JSON of this form; if an id stands
            twice, a value is missing or of the wrong kind, or an annotation names an image or
            category that does not exist. Names the ids.
    """
    content = _load(file)
    faults = _Faults()
    images = _by_id(content["images"], "image", _image, faults)
    categories = _by_id(content["categories"], "category", _category, faults)
    faults.refuse(file)
    annotations = tuple(_annotations(content["annotations"], images, categories, faults))
    faults.refuse(file)
    return CocoFile(images, tuple(dict.fromkeys(categories.values())), annotations)


def _load(file: Path) -> dict[str, list[Any]]:
    try:
        if file.stat().st_size > MOST_BYTES:
            raise ManifestError(
                f"{file} has more than {MOST_BYTES / 1e9:.1f}e9 bytes; write a file for each part "
                "of the data, or leave the outlines out."
            )
        with file.open(encoding="utf-8-sig") as text:
            content = json.load(text, object_hook=_without_outline)
    except OSError as error:
        raise ManifestError(f"{file} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise ManifestError(f"{file} is not UTF-8 text (byte {error.start}).") from None
    except ValueError as error:
        raise ManifestError(f"{file} is no JSON, or is cut off: {error}.") from None
    except RecursionError:
        raise ManifestError(f"{file} is nested too deeply to be COCO's JSON.") from None
    parts = ("images", "annotations", "categories")
    given = content if isinstance(content, dict) else {}
    lacking = [name for name in parts if not isinstance(given.get(name), list)]
    if lacking:
        raise ManifestError(
            f"{file} is no JSON of COCO object detection: it has no list {', '.join(lacking)}; "
            f"expected {', '.join(parts)}."
        )
    return given


def _without_outline(part: dict[str, Any]) -> dict[str, Any]:
    """Outlines are nine tenths of such files; dropped while reading, they never fill the memory."""
    part.pop("segmentation", None)
    return part


_Part = TypeVar("_Part")


class _Faults:
    """What is wrong, and with which parts."""

    def __init__(self) -> None:
        self.which: dict[str, list[str]] = {}

    def add(self, fault: str, part: str) -> None:
        self.which.setdefault(fault, []).append(part)

    def refuse(self, file: Path) -> None:
        if self.which:
            told = ";\n  ".join(f"{name_some(parts)} {f}" for f, parts in self.which.items())
            raise ManifestError(f"{file} cannot be used: {told}.")


class _FaultyPartError(Exception):
    """Its message says what is wrong with one part."""


def _by_id(
    parts: list[Any], kind: str, make: Callable[[dict[str, Any]], _Part], faults: _Faults
) -> dict[Id, _Part]:
    found: dict[Id, _Part] = {}
    for number, part in enumerate(parts, 1):
        if not isinstance(part, dict) or not _is_id(part.get("id")):
            faults.add("(counted from 1) has no id", f"{kind} number {number}")
            continue
        identity: Id = part["id"]
        if identity in found:
            faults.add("has an id that stands twice", f"{kind} {identity}")
        try:
            found[identity] = make(part)
        except _FaultyPartError as error:
            faults.add(str(error), f"{kind} {identity}")
    return found


def _image(part: dict[str, Any]) -> CocoImage:
    name, width, height = part.get("file_name"), part.get("width"), part.get("height")
    if not isinstance(name, str) or not name.strip():
        raise _FaultyPartError("has no file_name")
    name = name.replace("\\", "/")
    if (width, height) in ((None, None), (0, 0)):  # as some tools write where they do not know it
        return CocoImage(name, None)
    return CocoImage(name, (_pixels(width), _pixels(height)))


def _pixels(value: object) -> int:
    if not _is_number(value) or value < 1 or value % 1 != 0:
        raise _FaultyPartError("has a width or height that is no whole number of pixels")
    return int(value)


def _category(part: dict[str, Any]) -> str:
    name = part.get("name")
    if not isinstance(name, str) or not name.strip():
        raise _FaultyPartError("has no name")
    return name.strip()


def _annotations(
    parts: list[Any], images: Mapping[Id, object], categories: Mapping[Id, str], faults: _Faults
) -> Iterator[CocoAnnotation]:
    known: set[Id] = set()
    for number, part in enumerate(parts, 1):
        if not isinstance(part, dict):
            faults.add("(counted from 1) is no object with keys", f"annotation number {number}")
            continue
        identity = part.get("id", "")
        name = f"annotation {identity}" if identity != "" else f"annotation number {number}"
        if not _is_id(identity):
            faults.add("has an id that is neither a whole number nor a text", name)
            continue
        if identity != "" and identity in known:
            faults.add("has an id that stands twice", name)
        known.add(identity)
        image, category = part.get("image_id"), part.get("category_id")
        if not _is_id(image) or image not in images:
            faults.add("has an image_id that no image has", f"{name} ({image!r})")
        elif not _is_id(category) or category not in categories:
            faults.add("has a category_id that no category has", f"{name} ({category!r})")
        else:
            crowd = bool(part.get("iscrowd"))
            yield CocoAnnotation(
                identity, image, categories[category], _box(part.get("bbox")), crowd
            )


def _box(values: object) -> Box:
    if not isinstance(values, list) or len(values) != 4 or not all(map(_is_number, values)):
        return Box(math.nan, math.nan, math.nan, math.nan)
    return Box(*map(float, values))


def _is_id(value: object) -> TypeGuard[Id]:
    return isinstance(value, (int, str)) and not isinstance(value, bool)


def _is_number(value: object) -> TypeGuard[float]:
    """Whether a JSON value is a number that fits into 64 bits; NaN and the infinite ones do."""
    if isinstance(value, int) and not isinstance(value, bool):
        return abs(value) < _LARGEST
    return isinstance(value, float)
