"""Pascal VOC: an XML with boxes around the cells for each image of a field.

On disk, ``JPEGImages/``, ``Annotations/*.xml`` and optionally ``ImageSets/Main/train.txt``,
``val.txt``, ``test.txt``, ``trainval.txt``, in the folder or one below it, as in the VOC
challenges and in BCCD (RBC, WBC, Platelets); ``images/`` and ``annotations/`` alike. Or, as
labelImg and Roboflow write them, each XML beside its image, in the folder itself or in ``train``,
``valid`` and ``test``.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.boxes import CutSettings
from pipelines.datasets.folders import SPLIT_FOLDERS
from pipelines.errors import ManifestError, name_some
from pipelines.fields import DrawnBox, FieldImage, FieldSettings, cut_fields
from pipelines.image_files import SUFFIXES
from pipelines.manifest import Manifest
from pipelines.voc_file import VocFile, VocObject, read_voc

ORDER = 45

ANNOTATIONS = "annotations"
IMAGES = ("jpegimages", "images")
LISTS = "ImageSets/Main"

_HEAD_BYTES, _TRIED = 4096, 20
_FORM = "A box goes from xmin, ymin (first column and row) to xmax, ymax (last column and row)."


@dataclass(frozen=True)
class _Part:
    """XML files, the folder of their images, and the sides that lists put them on."""

    files: tuple[Path, ...]
    images: Path
    sides: dict[str, str]
    side: str = ""


def recognise(path: Path) -> str | None:
    """Annotations/*.xml with JPEGImages, here or one folder below, or XML files beside images."""
    parts = _find_parts(path)
    if not parts:
        return None
    number = sum(len(part.files) for part in parts)
    places = (part.files[0].parent for part in parts)
    names = [place.relative_to(path).as_posix() for place in places]
    return f"boxes of Pascal VOC in {number:,} XML file(s) in {name_some(names, 3)}"


def read(
    path: Path,
    *,
    difficult: bool = False,
    truncated: bool = True,
    first_pixel: int = 1,
    margin: float = CutSettings.margin,
    square: bool = CutSettings.square,
    smallest: float = CutSettings.smallest,
    slide: str = "",
    leave_out_faulty: bool = False,
) -> Manifest:
    """Reads boxes, each of which becomes a cell.

    In VOC the first column is 1 and the last column belongs to the box: xmin 1, xmax 10 are the
    10 columns from 0 to 9 of the image.

    Args:
        path: The folder.
        difficult: Whether objects that are marked as difficult are read.
        truncated: Whether objects that are marked as truncated are read, such as cells at the
            edge.
        first_pixel: Number of the first column and row, 1 or 0. It moves boxes by a pixel.
        margin: Added on each side of a box, as a fraction of its width and height.
        square: Whether the longer side of a box counts both ways.
        smallest: Boxes with a side of less than so many pixels are left out and counted.
        slide: Regular expression that finds the slide in an image's path: its first group, or
            all it matches; by default the image is the slide.
        leave_out_faulty: Whether boxes that cannot be right are left out and counted.

    Returns:
        The manifest (see `pipelines.fields.cut_fields`). ``split`` is what the lists in
        ``ImageSets/Main`` say (``trainval`` is train where nothing finer is said), or the folders
        train, valid and test. Further columns: ``annotation``, the name of the XML and the
        object's number from 1; ``difficult`` and ``truncated``, true or false.

    Raises:
        ManifestError: If there is no XML, one cannot be used (see `pipelines.voc_file.read_voc`),
            an image is missing or on two sides, or the boxes cannot be cut out of the images
            (see `pipelines.fields.cut_fields`).
    """
    settings = FieldSettings(CutSettings(margin, square, smallest), slide, leave_out_faulty)
    wanted = {"difficult": difficult, "truncated": truncated}
    if first_pixel not in (0, 1):
        raise ManifestError(f"The first pixel of an image is number 1 or 0, got {first_pixel}.")
    parts = _find_parts(path)
    if not parts:
        raise ManifestError(
            f"{path} holds no annotation of Pascal VOC: neither Annotations/*.xml with JPEGImages "
            "(or images) nor XML files beside images."
        )
    fields, left_out = [], dict.fromkeys(wanted, 0)
    for part in parts:
        for file, voc, image in _read_part(path, part, first_pixel):
            boxes = []
            for number, one in enumerate(voc.objects, 1):
                unwanted = [
                    name for name, take in wanted.items() if not take and getattr(one, name)
                ]
                if unwanted:
                    left_out[unwanted[0]] += 1
                else:
                    boxes.append(_drawn(file, number, one))
            side = part.sides.get(file.stem, part.side)
            fields.append(FieldImage(image, voc.size, side, boxes))
    _refuse_twice(path, fields)
    manifest = cut_fields(path, fields, settings, _FORM)
    return manifest.with_notes(*_notes(parts, left_out))


def _find_parts(path: Path) -> list[_Part]:
    if not path.is_dir():
        return []
    below = _folders(path)
    parts = [part for folder in (path, *below.values()) for part in _home(folder)]
    if parts:
        return parts
    sides = {name: folder for name, folder in below.items() if name in SPLIT_FOLDERS}
    parts = [_Part(_xml_files(path), path, {})]
    parts += [_Part(_xml_files(f), f, {}, SPLIT_FOLDERS[name]) for name, f in sides.items()]
    return [part for part in parts if _begins_as_voc(part.files)]


def _home(folder: Path) -> list[_Part]:
    """A folder of XML files with a folder of images beside it: what is in them is not looked at."""
    inside = _folders(folder)
    files = _xml_files(inside[ANNOTATIONS]) if ANNOTATIONS in inside else ()
    images = [inside[name] for name in IMAGES if name in inside]
    return [_Part(files, images[0], _sides(folder))] if files and images else []


def _folders(path: Path) -> dict[str, Path]:
    """Folders by their names in lower case, in order."""
    return {folder.name.lower(): folder for folder in sorted(path.iterdir()) if folder.is_dir()}


def _xml_files(folder: Path) -> tuple[Path, ...]:
    files = (f for f in folder.iterdir() if f.suffix.lower() == ".xml" and f.name[0] != ".")
    return tuple(sorted(files))


def _begins_as_voc(files: Sequence[Path]) -> bool:
    """Whether one of the first files does."""
    for file in files[:_TRIED]:
        with contextlib.suppress(OSError), file.open("rb") as opened:
            if b"<annotation" in opened.read(_HEAD_BYTES):
                return True
    return False


def _sides(home: Path) -> dict[str, str]:
    """Name of an image without its ending -> side of the split."""
    sides: dict[str, str] = {}
    twice = []
    for name in ("train", "val", "test", "trainval"):
        for image in _listed(home / LISTS / f"{name}.txt"):
            side = SPLIT_FOLDERS.get(name, "train")
            if name == "trainval" and sides.get(image) == "validation":
                continue
            if sides.setdefault(image, side) != side:
                twice.append(image)
    if twice:
        raise ManifestError(
            f"{len(twice)} image(s) stand in several lists of {home / LISTS}: "
            f"{name_some(twice, 3)}; keep each in one."
        )
    return sides


def _listed(file: Path) -> list[str]:
    """Names of images, one a line, without the ending and folder that some tools write."""
    if not file.is_file():
        return []
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(f"The list {file} cannot be read: {error}.") from None
    names = [Path(line.strip()) for line in lines if line.strip()]
    return [name.stem if name.suffix.lower() in SUFFIXES else name.name for name in names]


def _read_part(root: Path, part: _Part, first_pixel: int) -> Iterator[tuple[Path, VocFile, str]]:
    """Every XML, what it holds, and its image's path below the root."""
    present: dict[str, list[str]] = {}
    if part.images.is_dir():
        for name in sorted(file.name for file in part.images.iterdir()):
            if Path(name).suffix.lower() in SUFFIXES:
                present.setdefault(Path(name).stem, []).append(name)
    missing = []
    for file in part.files:
        voc = read_voc(file, first_pixel)
        # Lists go by the name of the XML; what stands in it was not always changed with it.
        names = present.get(file.stem, [])
        if len(names) != 1 and voc.file_name in present.get(Path(voc.file_name).stem, []):
            names = [voc.file_name]
        if len(names) > 1:
            raise ManifestError(f"{file} may belong to {' or '.join(names)}; remove one of them.")
        if not names:
            missing.append(file.name)
            continue
        yield file, voc, (part.images / names[0]).relative_to(root).as_posix()
    if missing:
        raise ManifestError(
            f"{len(missing)} of {len(part.files)} XML files have no image in {part.images}: "
            f"{name_some(missing, 3)}."
        )


def _drawn(file: Path, number: int, one: VocObject) -> DrawnBox:
    columns = {
        "annotation": f"{file.stem}:{number}",
        "difficult": str(one.difficult).lower(),
        "truncated": str(one.truncated).lower(),
    }
    return DrawnBox(f"object {number} of {file.name}", one.name, one.box, columns)


def _refuse_twice(root: Path, fields: Sequence[FieldImage]) -> None:
    counts = Counter(image.path for image in fields)
    twice = [path for path, count in counts.items() if count > 1]
    if twice:
        raise ManifestError(
            f"Several XML files of {root} belong to the same image: {name_some(twice, 3)}."
        )


def _notes(parts: Sequence[_Part], left_out: dict[str, int]) -> list[str]:
    notes = [
        f"{number} object(s) marked as {name} were left out (option {name}=true takes them)."
        for name, number in left_out.items()
        if number
    ]
    annotated = [(part, {file.stem for file in part.files}) for part in parts if part.sides]
    without = sum(len(set(part.sides) - stems) for part, stems in annotated)
    if without:
        notes.append(f"{without} image(s) of the lists in {LISTS} have no annotation.")
    unlisted = sum(len(stems - set(part.sides)) for part, stems in annotated)
    if unlisted:
        notes.append(f"{unlisted} annotation(s) stand in no list of {LISTS}.")
    return notes
