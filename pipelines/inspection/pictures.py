"""Small pictures for the page, as data URLs."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from tflite.runtime.errors import ImageError
from tflite.runtime.preprocess import decode_image

SIDE = 104
_QUALITY = 80
_GROUND = (245, 247, 250)


def thumbnail(path: Path, side: int = SIDE) -> Image.Image | None:
    """The image shrunk into a square of `side` pixels, or None if it cannot be read."""
    try:
        image = decode_image(path)
    except ImageError:
        return None
    image.thumbnail((side, side), Image.Resampling.BOX)
    return image


def data_url(image: Image.Image) -> str:
    """The image as JPEG, for the ``src`` of an HTML image."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def contact_sheet(paths: Sequence[Path], columns: int, side: int = SIDE) -> Image.Image:
    """Images side by side and row by row; places of unreadable ones stay empty.

    Args:
        paths: The files, at least one.
        columns: Images in a row.
        side: Pixels of each.
    """
    columns = min(columns, len(paths))
    rows = -(-len(paths) // columns)
    sheet = Image.new("RGB", (columns * side, rows * side), _GROUND)
    for number, path in enumerate(paths):
        image = thumbnail(path, side)
        if image is not None:
            left = number % columns * side + (side - image.width) // 2
            top = number // columns * side + (side - image.height) // 2
            sheet.paste(image, (left, top))
    return sheet
