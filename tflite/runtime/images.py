"""Finds the image files of a folder."""

from __future__ import annotations

from pathlib import Path
from typing import List, Union

from tflite.runtime.errors import ImageError

IMAGE_SUFFIXES = (
    ".bmp", ".gif", ".jfif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"
)  # fmt: skip
"""Endings of files that are taken for images; whether they are is seen when they are decoded."""


def find_images(folder: Union[str, Path]) -> List[Path]:
    """The image files of a folder and its sub-folders, sorted by path.

    Args:
        folder: Files with the suffixes `IMAGE_SUFFIXES`, in either case, count; hidden files and
            folders do not.

    Raises:
        ImageError: If the folder is missing, is a file, or holds no image.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ImageError(f"{folder} is no folder; a folder of images was expected.")
    found = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in IMAGE_SUFFIXES
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    if not found:
        raise ImageError(
            f"{folder} holds no image; files with these suffixes count: "
            f"{', '.join(IMAGE_SUFFIXES)}."
        )
    return found
