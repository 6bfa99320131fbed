"""Finds the image files below a folder."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
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


def find_images(root: Path, outside_links: bool = True) -> ImageFiles:
    """Lists all images below a folder, at any depth, symbolic links to folders included.

    Names that begin with a dot and folders that operating systems leave behind are passed over.

    Args:
        root: The folder.
        outside_links: Whether links may lead out of `root`. Published data sets have no such
            links, so their readers refuse them, before they follow them.

    Raises:
        ManifestError: If `root` is no folder, a name is not valid Unicode, or a link leads out of
            `root` and must not.
    """
    if not root.is_dir():
        kind = "a file" if root.exists() else "missing"
        raise ManifestError(f"{root} is {kind}; a folder with images was expected.")
    paths: list[str] = []
    others: list[str] = []
    empty: list[str] = []
    for folder, folders, files in _walk(root):
        if not outside_links:
            links = [n for n in files if os.path.islink(f"{root}/{folder}{n}")]  # noqa: PTH114
            refuse_outside(root, [f"{folder}{name}" for name in ("", *links)])
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


def refuse_outside(root: Path, names: Iterable[str]) -> None:
    """Refuses files and folders that really lie somewhere else than below a folder.

    Args:
        root: The folder.
        names: Paths relative to it; links and ``..`` are followed, absolute paths taken as such.

    Raises:
        ManifestError: Names the first that leads out, and where to.
    """
    home = os.path.realpath(root)
    for name in names:
        real = os.path.realpath(os.path.join(root, name))  # noqa: PTH118 (100,000 files)
        if real != home and not real.startswith(home.rstrip(os.sep) + os.sep):
            raise ManifestError(
                f"{root / name} leads out of the data set {root}, to {real}; copy the images into "
                "the folder, or take the link away."
            )


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
