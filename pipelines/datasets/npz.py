"""A NumPy archive (.npz) with one array of images and one of labels, or a folder with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pipelines.errors import ManifestError, name_some
from pipelines.image_arrays import (
    Header,
    LabelledArray,
    describe_headers,
    image_note,
    parse_names,
    read_headers,
    read_rows,
)
from pipelines.manifest import Manifest, make_manifest

ORDER = 95  # behind folders, where features and the like may lie as archives

IMAGES = ("images", "x", "X", "data")
LABELS = ("labels", "y", "Y", "targets")
"""Names that are preferred where several arrays could be it."""


def recognise(path: Path) -> str | None:
    """A file that ends in .npz, or a folder with such a file."""
    if path.is_file():
        return "a NumPy archive" if path.suffix.lower() == ".npz" else None
    files = find_archives(path)
    return f"the folder holds {name_some(file.name for file in files)}" if files else None


def read(
    path: Path,
    *,
    images: str | None = None,
    labels: str | None = None,
    names: str | None = None,
) -> Manifest:
    """Reads the images and labels of an archive.

    Args:
        path: The archive, or a folder with exactly one.
        images: Name of the array of images; by default the only one that can be it, or the one
            that is called as in `IMAGES`.
        labels: Name of the array of labels; alike (`LABELS`).
        names: Classes of the labels 0, 1, ..., with commas between them; by default the numbers
            are the names. Labels that are texts are the names themselves.

    Returns:
        The manifest, on no side of a split; paths such as ``cells.npz#array=images,17``.

    Raises:
        ManifestError: If it is no archive or damaged, or its arrays cannot be used (see
            `pipelines.image_arrays.read_rows`).
    """
    file = only_archive(path)
    headers = read_headers(file)
    pair = find_arrays(file, headers, images, labels)
    table, classes = read_rows(file, headers, [pair], parse_names(names))
    return make_manifest(table, file.parent, classes).with_notes(*image_note(headers, [pair]))


def find_archives(folder: Path) -> list[Path]:
    """The .npz files directly in a folder, sorted by name; none if it cannot be listed."""
    try:
        found = [file for file in folder.iterdir() if file.suffix.lower() == ".npz"]
    except OSError:  # no folder, or one that must not be read: other kinds tell it
        return []
    return sorted(file for file in found if file.name[0] != "." and file.is_file())


def only_archive(path: Path) -> Path:
    """The archive itself, or the only one in a folder.

    Raises:
        ManifestError: If the folder holds none or several.
    """
    if path.is_file():
        return path
    files = find_archives(path)
    if len(files) != 1:
        found = f"several: {name_some(file.name for file in files)}; name one" if files else "none"
        raise ManifestError(f"One NumPy archive (.npz) was expected in {path}; found {found}.")
    return files[0]


def find_arrays(
    file: Path, headers: Mapping[str, Header], images: str | None, labels: str | None
) -> LabelledArray:
    """The arrays of images and of labels.

    Args:
        file: For messages.
        headers: All arrays.
        images: Name of the array of images, if it is known.
        labels: Name of the array of labels, if it is known.

    Raises:
        ManifestError: If none or several could be it; says what is there.
    """
    if images is None:
        pictures = [name for name, (shape, _) in headers.items() if len(shape) in (3, 4)]
        images = _choose(file, headers, pictures, IMAGES, "images")
    count = headers[images][0][:1] if images in headers else ()
    if labels is None:
        flat = [n for n, (shape, _) in headers.items() if len(shape) in (1, 2) and n != images]
        fitting = [name for name in flat if headers[name][0][:1] == count]
        labels = _choose(file, headers, fitting or flat, LABELS, "labels")
    return LabelledArray(str(images), str(labels))


def _choose(
    file: Path,
    headers: Mapping[str, Header],
    candidates: Sequence[str],
    preferred: Sequence[str],
    option: str,
) -> str:
    known = [name for name in preferred if name in candidates]
    if len(candidates) == 1 or known:
        return known[0] if known else candidates[0]
    found = "several arrays" if candidates else "no array"
    raise ManifestError(
        f"{file} holds {found} that could be the {option}; it holds {describe_headers(headers)}. "
        f"Name the array with the option {option}."
    )
