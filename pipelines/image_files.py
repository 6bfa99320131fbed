"""Finds the image files below a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import ManifestError, name_some

SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".gif"))
"""Endings of files that are taken for images; whether they are is seen when they are decoded."""

_SYSTEM_FOLDERS = frozenset(("__MACOSX", "@eaDir", "$RECYCLE.BIN"))


@dataclass(frozen=True)
class ImageFiles:
    """What lies below a folder.

    Args:
        paths: Image files relative to the folder, posix style, sorted.
        others: Files with another ending, such as lists and notes.
        empty_folders: Folders without sub-folders that hold no image.
    """

    paths: tuple[str, ...]
    others: tuple[str, ...]
    empty_folders: tuple[str, ...]


def find_images(root: Path) -> ImageFiles:
    """Lists all images below a folder, at any depth, symbolic links to folders included.

    Names that begin with a dot and folders that operating systems leave behind are passed over.

    Raises:
        ManifestError: If `root` is no folder, or a name is not valid Unicode.
    """
    if not root.is_dir():
        kind = "a file" if root.exists() else "missing"
        raise ManifestError(f"{root} is {kind}; a folder with images was expected.")
    paths: list[str] = []
    others: list[str] = []
    empty: list[str] = []
    for folder, folders, files in _walk(root):
        images = [name for name in files if name[name.rfind(".") :].lower() in SUFFIXES]
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
    return ImageFiles(tuple(sorted(paths)), tuple(sorted(others)), tuple(sorted(empty)))


def _walk(root: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    """Folder relative to root with a closing slash ("" for root), its folders, its files."""
    visited = set()
    for folder, folders, files in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        folders[:] = sorted(n for n in folders if n[0] != "." and n not in _SYSTEM_FOLDERS)
        if real in visited:  # a link back to where we have been
            folders[:] = []
            continue
        visited.add(real)
        relative = Path(folder).relative_to(root).as_posix()
        yield (
            "" if relative == "." else f"{relative}/",
            folders,
            sorted(name for name in files if name[0] != "."),
        )


def _is_broken(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return True
    return False
