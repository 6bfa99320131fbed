"""Images of whole fields with a box around every cell, cut into single cells.

What data sets for detection have in common, whatever their files look like. Every box becomes a
row whose path is a reference into the field's image (see `tflite.runtime.references`): no pixel
is copied. Cells of one field share light, stain and patient, so the field is their ``slide``
unless the names of the images tell more.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from pipelines.boxes import Box, CutOut, CutSettings, box_fault, clip_box, cut_out
from pipelines.errors import ManifestError, name_some
from pipelines.field_images import check_field_images
from pipelines.image_files import is_image
from pipelines.manifest import Manifest, make_manifest

_COPY = re.compile(r"(.+)_(?:jpe?g|png|bmp|tiff?|webp|gif)\.rf\.\w+\.\w+", re.IGNORECASE)
"""Roboflow's names: ``<original>_jpg.rf.<hash>.jpg``, with another hash for every altered copy."""


@dataclass(frozen=True)
class DrawnBox:
    """A box and what it is drawn around.

    Args:
        name: How messages call it, such as ``annotation 17``.
        label: The class.
        box: In pixels of the upright image.
        columns: Further columns of the manifest and their values.
    """

    name: str
    label: str
    box: Box
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class FieldImage:
    """The image of a field and its boxes.

    Args:
        path: Relative to the data set's root, posix style.
        size: Columns and rows that the boxes' file gives for it; None if it gives none.
        split: Side of the split, "" for none.
        boxes: Those to be cut out.
    """

    path: str
    size: tuple[int, int] | None
    split: str
    boxes: Sequence[DrawnBox]


@dataclass(frozen=True)
class FieldSettings:
    """How fields are cut into cells.

    Args:
        cut: Margin, shape and smallest size.
        slide: Regular expression that finds the slide's name in an image's path: its first
            group, or all it matches. "" takes each field for a slide of its own.
        leave_out_faulty: Whether boxes that cannot be right are left out and counted instead of
            refused.

    Raises:
        ManifestError: If `slide` is no regular expression.
    """

    cut: CutSettings = field(default_factory=CutSettings)
    slide: str = ""
    leave_out_faulty: bool = False

    def __post_init__(self) -> None:
        try:
            re.compile(self.slide)
        except re.error as error:
            raise ManifestError(
                f"slide must be a regular expression, such as ([^/]+)_field, got {self.slide!r} "
                f"({error})."
            ) from None


@dataclass(frozen=True)
class _Cell:
    image: FieldImage
    drawn: DrawnBox
    place: CutOut

    @property
    def path(self) -> str:
        return "{}#xywh={},{},{},{}".format(self.image.path, *self.place)


def cut_fields(
    root: Path, images: Sequence[FieldImage], settings: FieldSettings, form: str
) -> Manifest:
    """Makes a manifest of cells.

    Args:
        root: Folder that the paths are relative to.
        images: The fields; each path once.
        settings: See `FieldSettings`.
        form: What a box of this kind of file is, in words, for the message about boxes that
            cannot be right.

    Returns:
        The manifest. ``slide`` is what `FieldSettings` says; for copies that Roboflow made of one
        image it is the name of the original. The further column ``field`` is the image. What was
        clipped or left out is counted in the notes.

    Raises:
        ManifestError: If an image is missing, lies outside of `root`, or has another size than
            the boxes' file says; if boxes cannot be right (see `pipelines.boxes.box_fault`); if
            an image's path does not tell the slide; or if no box is left.
    """
    sizes, notes = check_field_images(root, [(image.path, image.size) for image in images])
    sound, faulty = _sound_boxes(images, sizes)
    if faulty and not settings.leave_out_faulty:
        raise ManifestError(
            f"Boxes of {root} cannot be right: " + ";\n  ".join(_describe(faulty)) + f". {form} "
            "Repair them, or leave them out with the option leave_out_faulty=true."
        )
    notes += [f"Boxes that cannot be right were left out: {text}." for text in _describe(faulty)]
    clipped, small, cells = 0, 0, []
    for image, drawn, size in sound:
        box = clip_box(drawn.box, size)
        clipped += box != drawn.box
        if min(box.width, box.height) < settings.cut.smallest:
            small += 1
            continue
        cells.append(_Cell(image, drawn, cut_out(box, size, settings.cut)))
    cells, doubles = _without_doubles(cells)
    notes += [*_counts(images, clipped, small, settings.cut), *doubles, *_unnamed(root, images)]
    if not cells:
        raise ManifestError(f"No box of {root} can be cut out. {' '.join(notes)}".rstrip())
    if not settings.slide:
        notes.append(
            "Each image counts as a slide: a split by slide keeps its cells on one side. Images of "
            "one slide may still be on different sides; the option slide finds its name in the "
            "names of the images."
        )
    return make_manifest(_table(root, cells, settings.slide), root).with_notes(*notes)


def _unnamed(root: Path, images: Sequence[FieldImage]) -> Iterator[str]:
    """A sentence on images that lie beside those that are read and that no file names."""
    named: dict[Path, set[str]] = defaultdict(set)
    for image in images:
        file = root / image.path
        named[file.parent].add(file.name)
    unnamed = [
        file.name
        for folder, names in named.items()
        for file in folder.iterdir()
        if is_image(file.name) and file.name not in names
    ]
    if unnamed:
        yield (
            f"{len(unnamed)} image(s) in the folders of the fields stand in no annotation that was "
            f"read: {name_some(sorted(unnamed), 3)}."
        )


_Sound = list[tuple[FieldImage, DrawnBox, tuple[int, int]]]


def _sound_boxes(
    images: Sequence[FieldImage], sizes: Sequence[tuple[int, int]]
) -> tuple[_Sound, dict[str, list[str]]]:
    """The boxes that can be right, and the names of the others by what is wrong."""
    sound: _Sound = []
    faulty: dict[str, list[str]] = defaultdict(list)
    for image, size in zip(images, sizes):
        for drawn in image.boxes:
            fault = box_fault(drawn.box, size)
            if fault:
                parts = zip(drawn.box._fields, drawn.box)
                numbers = ", ".join(f"{name} {value:g}" for name, value in parts)
                faulty[fault].append(f"{drawn.name} in {image.path} ({numbers})")
            else:
                sound.append((image, drawn, size))
    return sound, faulty


def _describe(faulty: Mapping[str, Sequence[str]]) -> list[str]:
    return [f"{name_some(names, 3)} {fault}" for fault, names in faulty.items()]


def _counts(
    images: Sequence[FieldImage], clipped: int, small: int, cut: CutSettings
) -> Iterator[str]:
    empty = sum(not image.boxes for image in images)
    if empty:
        yield f"{empty} of {len(images)} image(s) have no box to be cut out."
    if clipped:
        yield f"{clipped} box(es) lead over the edge of their image and were clipped."
    if small:
        yield (
            f"{small} box(es) have a side of less than {cut.smallest:g} pixels and were left out "
            "(option smallest)."
        )


def _without_doubles(cells: Sequence[_Cell]) -> tuple[list[_Cell], list[str]]:
    """One cell a cut-out: the first of several of one class, none of several of different ones."""
    by_path: dict[str, list[_Cell]] = defaultdict(list)
    for cell in cells:
        by_path[cell.path].append(cell)
    kept, doubles, doubtful = [], 0, []
    for same in by_path.values():
        if len({cell.drawn.label for cell in same}) > 1:
            names = " and ".join(f"{cell.drawn.name} ({cell.drawn.label})" for cell in same)
            doubtful.append(f"{names} in {same[0].image.path}")
            continue
        kept.append(same[0])
        doubles += len(same) - 1
    notes = [f"{doubles} box(es) give a cut-out of the same class a second time."] * bool(doubles)
    if doubtful:
        notes.append(
            f"{len(doubtful)} cut-out(s) would have several classes and were left out: "
            f"{name_some(doubtful, 3)}."
        )
    return kept, notes


def _table(root: Path, cells: Sequence[_Cell], slide: str) -> pd.DataFrame:
    paths = dict.fromkeys(cell.image.path for cell in cells)
    slides = {path: _slide_of(path, slide) for path in paths}
    unknown = [path for path, name in slides.items() if not name]
    if unknown:
        raise ManifestError(
            f"The option slide, {slide!r}, finds no slide in the path of {len(unknown)} of "
            f"{len(paths)} images of {root}: {name_some(unknown, 3)}."
        )
    columns = dict.fromkeys(name for cell in cells for name in cell.drawn.columns)
    return pd.DataFrame(
        {
            "path": [cell.path for cell in cells],
            "label": [cell.drawn.label for cell in cells],
            "slide": [slides[cell.image.path] for cell in cells],
            "split": [cell.image.split for cell in cells],
            "field": [cell.image.path for cell in cells],
            **{name: [cell.drawn.columns.get(name, "") for cell in cells] for name in columns},
        }
    )


def _slide_of(path: str, pattern: str) -> str:
    if pattern:
        match = re.search(pattern, path)
        return "" if match is None else (match[1] or "" if match.re.groups else match[0])
    copy = _COPY.fullmatch(path.rsplit("/", 1)[-1])
    return copy[1] if copy else path
