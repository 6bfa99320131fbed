"""Size and rotation of an image file, read off its header alone."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import NamedTuple

from PIL import ExifTags, Image

from tflite.runtime.preprocess import IMAGE_FORMATS

_COLUMNS, _ROWS = ExifTags.Base.ImageWidth, ExifTags.Base.ImageLength
_SWAPPING = (5, 6, 7, 8)
"""Values of EXIF's Orientation that turn rows into columns."""


class ImageHeader(NamedTuple):
    """What a header says.

    Args:
        stored: Columns and rows of the file.
        orientation: EXIF's Orientation, 1 (upright) to 8; 1 where there is none.
    """

    stored: tuple[int, int]
    orientation: int

    @property
    def upright(self) -> tuple[int, int]:
        """Columns and rows once the image is turned upright, as everything here sees it."""
        columns, rows = self.stored
        return (rows, columns) if self.orientation in _SWAPPING else (columns, rows)


def read_header(path: Path | str) -> ImageHeader | None:
    """Reads the beginning of an image file; no pixel is decoded.

    Args:
        path: The file, in one of the formats that `tflite.runtime.preprocess` decodes.

    Returns:
        None where that cannot be done. Whoever decodes the file says why.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about large images and damaged EXIF
            with Image.open(path, formats=IMAGE_FORMATS) as image:
                # The method of PNG files would decode them to look for EXIF behind the pixels.
                exif = Image.Image.getexif(image)
                orientation = exif.get(ExifTags.Base.Orientation, 1)
                # Of TIFF files some versions of Pillow say the size as stored, others upright.
                tags = getattr(image, "tag_v2", None)
                size = image.size if tags is None else (tags[_COLUMNS], tags[_ROWS])
    # A damaged header can raise nearly anything.
    except Exception:
        return None
    return ImageHeader(size, orientation if orientation in range(1, 9) else 1)
