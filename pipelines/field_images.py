"""Whether the images that boxes were drawn on are there, and have the size they had then."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipelines.errors import ManifestError, name_some
from pipelines.image_files import refuse_case_twins, refuse_outside
from pipelines.image_headers import ImageHeader, read_header
from pipelines.stored_content import is_there

Size = tuple[int, int]


def check_field_images(
    root: Path, images: Sequence[tuple[str, Size | None]]
) -> tuple[list[Size], list[str]]:
    """Finds out how large every image is, upright, from its header.

    Args:
        root: Folder that the paths are relative to.
        images: Path of each image, and the columns and rows that the boxes' file gives for it.

    Returns:
        Columns and rows of every image, in order, and what a reader should know. An image that
        cannot be read gets the size given; decoding it tells why it cannot.

    Raises:
        ManifestError: If an image is missing, outside of `root`, or called like another but for
            capitals; if it has another size than given, because EXIF turns it or otherwise; or
            if it cannot be read and no size is given.
    """
    paths = [path for path, _ in images]
    missing = [path for path in paths if not is_there(str(root / path))]
    if missing:
        raise ManifestError(
            f"{len(missing)} of {len(paths)} image(s) are missing below {root}: "
            f"{name_some(missing, 3)}."
        )
    refuse_outside(root, paths)
    refuse_case_twins(paths, root)
    sizes: list[Size] = []
    doubtful: list[str] = []
    turned: list[str] = []
    other: list[str] = []
    for path, given in images:
        header = read_header(root / path)
        size = given if header is None else header.upright
        if size is None:
            raise ManifestError(f"{root / path} is no image that can be read.")
        sizes.append(size)
        if header is None:
            continue
        if given not in (None, header.upright):
            told = f"{path} ({_times(given)} given, {_times(header.upright)} upright)"
            (turned if given == header.stored else other).append(told)
        elif _is_doubtful(header, given):
            doubtful.append(path)
    _refuse_sizes(root, turned, other)
    return sizes, _note(doubtful)


def _is_doubtful(header: ImageHeader, given: Size | None) -> bool:
    """Whether the size does not tell if boxes were drawn before or after EXIF's rotation."""
    return header.orientation != 1 and (given is None or header.stored == header.upright)


def _note(doubtful: Sequence[str]) -> list[str]:
    if not doubtful:
        return []
    return [
        f"{len(doubtful)} image(s) are turned or mirrored by their EXIF orientation "
        f"({name_some(doubtful, 3)}), and their size does not tell whether the boxes were drawn "
        "on them upright; that was taken for granted. Look at some cells."
    ]


def _refuse_sizes(root: Path, turned: Sequence[str], other: Sequence[str]) -> None:
    faults = []
    if turned:
        faults.append(
            f"{len(turned)} image(s) are turned by their EXIF orientation, but boxes were drawn on "
            f"them unturned: {name_some(turned, 3)}; save them without the orientation"
        )
    if other:
        faults.append(
            f"{len(other)} image(s) have another size than the boxes' file says: "
            f"{name_some(other, 3)}; use the images that the boxes were drawn on"
        )
    if faults:
        raise ManifestError(f"The boxes of {root} cannot be placed: " + ";\n  ".join(faults) + ".")


def _times(size: Size | None) -> str:
    return "no size" if size is None else f"{size[0]}x{size[1]}"
