"""Finds the image files below a folder."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import ManifestError, name_some
from tflite.runtime.images import IMAGE_SUFFIXES

SUFFIXES = frozenset(IMAGE_SUFFIXES)
"""Endings of files that are taken for images; whether they are is seen when they are decoded."""

_SYSTEM_FOLDERS = frozenset(("__MACOSX", "@eaDir", "$RECYCLE.BIN"))


@dataclass(frozen=True)
class ImageFiles:
    """What lies below a folder.

    Args:
        paths: Image files relative to the folder, posix style, sorted.
        others: Files with another ending, such as lists and notes.
        empty_folders: Folders without sub-folders that hold no image.
        repeated_folders: Links to folders that are listed already under another name.
    """

    paths: tuple[str, ...]
    others: tuple[str, ...]
    empty_folders: tuple[str, ...]
    repeated_folders: tuple[str, ...] = ()


def find_images(root: Path, outside_links: bool = False) -> ImageFiles:
    """Lists all images below a folder, at any depth, symbolic links to folders included.

    Names that begin with a dot and folders that operating systems leave behind are passed over.

    Args:
        root: The folder.
        outside_links: Whether links may lead out of `root`. Otherwise they are refused before
            they are followed: whoever packs a data set could make it list any file of the reader.

    Raises:
        ManifestError: If `root` is no folder, a folder below it cannot be read, a name is not
            valid Unicode, an image is a pipe or a device, or a link leads out of `root` and must
            not.
    """
    if not root.is_dir():
        kind = "a file" if root.exists() else "missing"
        raise ManifestError(f"{root} is {kind}; a folder with images was expected.")
    paths: list[str] = []
    others: list[str] = []
    empty: list[str] = []
    repeated: list[str] = []
    for folder, folders, files in _walk(root, repeated, outside_links):
        _check_files(root, folder, files, outside_links)
        images = [name for name in files if is_image(name)]
        rest = set(files) - set(images)
        paths += [f"{folder}{name}" for name in images]
        others += [f"{folder}{name}" for name in rest]
        if folder and not folders and not images:
            empty.append(folder.rstrip("/"))
    broken = [path for path in paths if not path.isprintable() and _is_broken(path)]
    if broken:
        raise ManifestError(
            f"{len(broken)} file name(s) below {root} are not valid Unicode, such as "
            f"{name_some(map(ascii, broken), 2)}; rename them."
        )
    return ImageFiles(*(tuple(sorted(names)) for names in (paths, others, empty, repeated)))


def count_images(root: Path) -> tuple[int, int]:
    """How many images a folder holds, and how many links that lead out of it.

    The links are not followed, so this ends soon whatever they lead to.

    Raises:
        ManifestError: If a folder below `root` cannot be read.
    """
    images = links = 0
    home = os.path.realpath(root)
    for folder, folders, files in os.walk(root, onerror=_refuse_unreadable):
        folders[:] = _seen(folders)
        images += sum(is_image(name) for name in files)
        named = [*folders, *(name for name in files if is_image(name))]
        joined = (f"{folder}/{name}" for name in named)
        links += sum(
            not _is_below(os.path.realpath(path), home)
            for path in joined
            if os.path.islink(path)  # noqa: PTH114 (100,000 files)
        )
    return images, links


def images_elsewhere(root: Path, folders: Collection[str]) -> dict[str, int]:
    """The images of a folder that are in none of the sub-folders named.

    Args:
        root: The folder.
        folders: Names of sub-folders that are read.

    Returns:
        Number of images by sub-folder, sorted; "." stands for those directly in `root`. Links
        that lead out are not followed.

    Raises:
        ManifestError: If a folder below `root` cannot be read.
    """
    children = sorted(root.iterdir())
    loose = sum(is_image(child.name) for child in children if child.is_file())
    home = os.path.realpath(root)
    inside = (child for child in children if _is_below(os.path.realpath(child), home))
    others = _seen(child.name for child in inside if child.is_dir())
    counts = {".": loose} | {n: count_images(root / n)[0] for n in others if n not in folders}
    return {name: count for name, count in counts.items() if count}


def note_elsewhere(counts: Mapping[str, int]) -> list[str]:
    """A sentence on images that are not read, as `images_elsewhere` counts them; none if none."""
    if not counts:
        return []
    told = name_some([f"{name} ({count:,})" for name, count in counts.items()])
    return [f"{sum(counts.values()):,} image(s) that lie elsewhere are not read: {told}."]


def _check_files(root: Path, folder: str, files: list[str], outside_links: bool) -> None:
    """Refuses links that lead out, and what would never end when it is read as an image."""
    for name in files:
        path = f"{root}/{folder}{name}"
        mode = os.lstat(path).st_mode
        if stat.S_ISLNK(mode):
            if not outside_links:
                refuse_outside(root, [f"{folder}{name}"])
            try:
                mode = os.stat(path).st_mode  # noqa: PTH116 (100,000 files)
            except OSError:
                continue  # to nothing, or to itself: it is told when the image is read
        if is_image(name) and not stat.S_ISREG(mode):
            raise ManifestError(
                f"{path} is no file but a pipe, a socket or a device; take it out of the data set."
            )


def is_image(name: str) -> bool:
    """Whether a file is taken for an image by its name; hidden files are not."""
    return name[0] != "." and name[name.rfind(".") :].lower() in SUFFIXES


def _seen(folders: Iterable[str]) -> list[str]:
    """Folders that are not passed over."""
    return sorted(name for name in folders if name[0] != "." and name not in _SYSTEM_FOLDERS)


def _refuse_unreadable(error: OSError) -> None:
    raise ManifestError(
        f"The folder {error.filename} cannot be read: {error.strerror}. Allow it to be read, or "
        "take it out of the data set."
    )


def _walk(
    root: Path, repeated: list[str], outside_links: bool
) -> Iterator[tuple[str, list[str], list[str]]]:
    """Folder relative to root with a closing slash ("" for root), its folders, its files.

    Links come after all true folders, so that a folder goes by its own name and not by that of a
    link to it. Links to what was listed already are added to `repeated`.
    """
    visited: set[str] = set()
    waiting = [""]
    for start in waiting:  # grows as links are met
        for folder, folders, files in os.walk(root / start, onerror=_refuse_unreadable):
            relative = Path(folder).relative_to(root).as_posix()
            relative = "" if relative == "." else f"{relative}/"
            if not outside_links:
                refuse_outside(root, [relative])
            real = os.path.realpath(folder)
            folders[:] = _seen(folders)
            if real in visited:
                folders[:] = []
                repeated.append(relative.rstrip("/"))
                continue
            visited.add(real)
            there = list(folders)
            links = [n for n in there if os.path.islink(f"{folder}/{n}")]  # noqa: PTH114
            waiting += [f"{relative}{name}" for name in links]
            folders[:] = [name for name in there if name not in links]
            yield relative, there, sorted(name for name in files if name[0] != ".")


def refuse_outside(root: Path, names: Iterable[str], stated: bool = False) -> None:
    """Refuses files and folders that really lie somewhere else than below a folder.

    Args:
        root: The folder.
        names: Paths relative to it; links and ``..`` are followed, absolute paths taken as such.
        stated: Whether names may state that they lie elsewhere, by ``..`` or as absolute paths,
            so that only links are refused.

    Raises:
        ManifestError: Names the first that leads out, and where to.
    """
    home = os.path.realpath(root)
    for name in names:
        real = os.path.realpath(os.path.join(root, name))  # noqa: PTH118 (100,000 files)
        if not _is_below(real, home):
            if stated and not _is_below(os.path.normpath(os.path.join(home, name)), home):  # noqa: PTH118
                continue
            raise ManifestError(
                f"{root / name} leads out of the data set {root}, to {real}; copy the images into "
                "the folder, take the link away, or, if the images lie elsewhere on purpose and "
                "the kind of data set has that option, ask for outside_links=true."
            )


def _is_below(path: str, home: str) -> bool:
    return path == home or path.startswith(home.rstrip(os.sep) + os.sep)


def refuse_case_twins(paths: Iterable[str], where: Path) -> None:
    """Refuses files or folders whose names differ by capitals only.

    They are two on one system and one on another, so labels and splits would depend on where
    the data set is copied to.

    Args:
        paths: Paths below `where`, posix style.
        where: The folder, for the message.

    Raises:
        ManifestError: Names the first twins.
    """
    known: dict[str, str] = {}
    twins: dict[tuple[str, str], None] = {}
    for path in paths:
        parts = path.split("/")
        for end in range(1, len(parts) + 1):
            name = "/".join(parts[:end])
            first = known.setdefault(name.casefold(), name)
            if first != name:
                twins[first, name] = None
                break  # what lies in twins is not told one by one
    if twins:
        told = ", ".join(f"{first!r} and {second!r}" for first, second in list(twins)[:3])
        rest = f" and {len(twins) - 3} more" if len(twins) > 3 else ""
        raise ManifestError(
            f"Names below {where} differ by capitals only: {told}{rest}; rename or merge them."
        )


def _is_broken(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return True
    return False
