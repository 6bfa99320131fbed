"""COCO object detection: a JSON with boxes around the cells, and images of whole fields.

On disk, the JSON files of COCO (``annotations/instances_train2017.json``, images in
``train2017/`` or ``images/train2017/``), of Roboflow (``train/_annotations.coco.json`` among the
images, alike for ``valid`` and ``test``), of CVAT and Label Studio (``images/`` beside
``annotations/instances_default.json`` or ``result.json``), or one file anywhere. Source of the
form: T.-Y. Lin and others, "Microsoft COCO: Common Objects in Context", ECCV 2014.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from pipelines.boxes import CutSettings
from pipelines.coco_file import CocoFile, CocoImage, read_coco
from pipelines.datasets.folders import SPLIT_FOLDERS
from pipelines.errors import ManifestError, name_some
from pipelines.fields import DrawnBox, FieldImage, FieldSettings, cut_fields
from pipelines.manifest import Manifest
from pipelines.stored_content import is_there

ORDER = 40

_NAMES = re.compile(r"instances_.*\.json|_annotations\.coco\.json")
"""Names that nobody gives to other files; these are taken for it even if they are broken."""

_HEAD_BYTES = 1 << 16
_LISTS = re.compile(rb'"(images|annotations|categories)"\s*:\s*\[')
_TRIED = 20
"""So many images of a file are looked for to find out in which folder they lie."""

_FORM = "A bbox is [x, y, width, height] in pixels, not two corners."


def recognise(path: Path) -> str | None:
    """JSON files that begin as COCO's: here, in annotations, or in folders train, val and test."""
    files = _find_files(path)
    if not files:
        return None
    names = [file.name if file == path else file.relative_to(path).as_posix() for file in files]
    return f"boxes of COCO in {name_some(names, 3)}"


def read(
    path: Path,
    *,
    images: Path | str | None = None,
    margin: float = CutSettings.margin,
    square: bool = CutSettings.square,
    smallest: float = CutSettings.smallest,
    slide: str = "",
    leave_out_faulty: bool = False,
) -> Manifest:
    """Reads boxes, each of which becomes a cell.

    Boxes around crowds (``iscrowd``) are left out and counted. The side of the split is what a
    word in the name of the JSON says, its folder below `path`, or the first folder in the image's
    name.

    Args:
        path: The JSON, or a folder that holds it or them. Of COCO's own annotations only
            ``instances_*.json`` are read.
        images: Folder that the names of the images are relative to; by default looked for.
        margin: Added on each side of a box, as a fraction of its width and height.
        square: Whether the longer side of a box counts both ways.
        smallest: Boxes with a side of less than so many pixels are left out and counted.
        slide: Regular expression that finds the slide in an image's path: its first group, or
            all it matches; by default the image is the slide.
        leave_out_faulty: Whether boxes that cannot be right are left out and counted.

    Returns:
        The manifest (see `pipelines.fields.cut_fields`); labels are the names of the categories;
        the further column ``annotation`` is the annotation's id.

    Raises:
        ManifestError: If there is no such JSON, it cannot be used (see
            `pipelines.coco_file.read_coco`), two files name the same image, or the boxes cannot
            be cut out of the images (see `pipelines.fields.cut_fields`).
    """
    settings = FieldSettings(CutSettings(margin, square, smallest), slide, leave_out_faulty)
    files = [path] if path.is_file() else _find_files(path)
    if not files:
        raise ManifestError(
            f"{path} holds no JSON of COCO object detection: neither *.json nor "
            "annotations/*.json nor train/*.json (val, test) with images, annotations and "
            "categories."
        )
    read_files = [read_coco(file) for file in files]
    folders = [_image_folder(f, c, images) for f, c in zip(files, read_files)]
    around = [path] if path.is_dir() and images is None else []
    root = Path(os.path.commonpath([*around, *folders]))
    fields = [
        _fields(content, Path(os.path.relpath(folder, root)), _side_of(file, path))
        for file, content, folder in zip(files, read_files, folders)
    ]
    _refuse_twice(files, fields)
    manifest = cut_fields(root, [one for part in fields for one in part], settings, _FORM)
    return manifest.with_notes(*_notes(path, files, read_files, manifest))


def _find_files(path: Path) -> list[Path]:
    if path.is_file():
        return [path] if path.suffix.lower() == ".json" and _begins_as_coco(path) else []
    if not path.is_dir():
        return []
    below = sorted(f for f in path.iterdir() if f.is_dir())
    inside = [f for f in below if f.name.lower() in ("annotations", *SPLIT_FOLDERS)]
    found = [file for folder in (path, *inside) for file in sorted(folder.glob("*.json"))]
    found = [file for file in found if file.is_file()]
    files = [file for file in found if _NAMES.fullmatch(file.name) or _begins_as_coco(file)]
    return [file for file in files if file.name.startswith("instances_")] or files


def _begins_as_coco(file: Path) -> bool:
    try:
        with file.open("rb") as opened:
            head = opened.read(_HEAD_BYTES)
    except OSError:
        return False
    return head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"{" and bool(_LISTS.search(head))


def _side_of(file: Path, path: Path) -> str:
    """Side of the split that a file belongs to, "" for none."""
    folder = "" if file.parent == path or file == path else file.parent.name.lower()
    return _side_named(file) or SPLIT_FOLDERS.get(folder, "")


def _side_named(file: Path) -> str:
    """Side of the split that a file's name holds as a word, "" for none."""
    words = re.findall(r"[a-z]+", file.stem.lower())
    sides = {SPLIT_FOLDERS[word] for word in words if word in SPLIT_FOLDERS}
    return sides.pop() if len(sides) == 1 else ""


def _image_folder(file: Path, content: CocoFile, given: Path | str | None) -> Path:
    """The first folder, in the order in which such data sets lie, that holds one of the images."""
    if given is not None:
        return Path(given)
    near = file.parent
    home = near.parent if near.name.lower() == "annotations" else near
    side = _side_named(file)
    names = [file.stem.rsplit("_", 1)[-1], *(n for n, s in SPLIT_FOLDERS.items() if s == side)]
    named = [folder / name for name in names for folder in (home, home / "images")]
    places = [*named, near, home, home / "images", home / "data"]
    first = [image.file_name for image in islice(content.images.values(), _TRIED)]
    if not first:  # an empty side: one place is as good as another
        return near
    for place in places:
        if any(is_there(str(place / name)) for name in first):
            return place
    raise ManifestError(
        f"The images of {file}, such as {name_some(first, 2)}, are in none of "
        f"{', '.join(str(p) for p in dict.fromkeys(places) if p.is_dir())}; give the folder that "
        "their names are relative to as the option images."
    )


def _fields(content: CocoFile, folder: Path, side: str) -> list[FieldImage]:
    """The images of a file; `folder` is where they lie below the root."""
    boxes: dict[int | str, list[DrawnBox]] = {identity: [] for identity in content.images}
    for number, one in enumerate(content.annotations, 1):
        if not one.crowd:
            name = f"annotation {one.id}" if one.id != "" else f"annotation number {number}"
            drawn = DrawnBox(name, one.category, one.box, {"annotation": str(one.id)})
            boxes[one.image].append(drawn)
    return [
        FieldImage(
            Path(os.path.normpath(folder / image.file_name)).as_posix(),
            image.size,
            side or _top_side(image),
            boxes[identity],
        )
        for identity, image in content.images.items()
    ]


def _top_side(image: CocoImage) -> str:
    top, *below = image.file_name.split("/")
    return SPLIT_FOLDERS.get(top.lower(), "") if below else ""


def _refuse_twice(files: Sequence[Path], fields: Sequence[Sequence[FieldImage]]) -> None:
    seen: dict[str, Path] = {}
    twice: dict[str, str] = {}
    for file, images in zip(files, fields):
        for image in images:
            if image.path in seen:
                twice[image.path] = f"{image.path} in {seen[image.path]} and {file}"
            seen[image.path] = file
    if twice:
        raise ManifestError(
            f"{len(twice)} image(s) stand twice: {name_some(twice.values(), 3)}; give one of the "
            "files as the path, or each image one id."
        )


def _notes(
    path: Path, files: Sequence[Path], contents: Sequence[CocoFile], manifest: Manifest
) -> list[str]:
    notes = []
    crowds = sum(annotation.crowd for content in contents for annotation in content.annotations)
    if crowds:
        notes.append(f"{crowds} box(es) around crowds were left out.")
    named = dict.fromkeys(name for content in contents for name in content.categories)
    unused = [name for name in named if name not in manifest.classes]
    if unused:
        notes.append(f"Categories without a cell: {', '.join(unused)}.")
    if path.is_dir():
        others = [f.name for f in sorted(files[0].parent.glob("*.json")) if f not in files]
        if others:
            notes.append(f"JSON files that were not read: {name_some(others)}.")
    return notes
