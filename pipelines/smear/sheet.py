"""A picture that shows some cells of every class."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from pipelines.labels import display_name, order_classes
from pipelines.smear.picture import draw_image
from pipelines.smear.settings import SmearSettings
from pipelines.smear.slides import Image, plan
from tflite.runtime.errors import LabError
from tflite.runtime.files import whole_file

_GAP = 2  # pixels between pictures
_BAND = 18  # pixels of the line with the class' name
_PAPER, _INK = 255, (40, 40, 40)
LOOKALIKE = "lookalike"


def write_sheet(path: Path, settings: SmearSettings, columns: int = 10) -> None:
    """Writes the sheet as a picture (see `draw_sheet`).

    Args:
        path: Its suffix says the kind: ``.png`` or ``.jpg``.
        settings: Of the data set.
        columns: Cells of each class.

    Raises:
        LabError: If the suffix is another one.
    """
    if path.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise LabError(f"A sheet is a picture: its name must end in .png or .jpg, got {path}.")
    sheet = draw_sheet(settings, columns)
    with whole_file(path) as temporary:
        cv2.imwrite(str(temporary), sheet[..., ::-1])


def draw_sheet(
    settings: SmearSettings, columns: int = 10, draw: Callable[..., np.ndarray] = draw_image
) -> np.ndarray:
    """Cells of a data set, a row a class; lookalikes (set D) come last.

    They are images of the very data set that `write_smears` writes with these settings.

    Args:
        settings: Of the data set.
        columns: Cells of each class, spread over its slides; fewer where there are fewer.
        draw: Draws an image from settings and plan.

    Returns:
        uint8 ``(height, width, 3)``, red, green, blue.
    """
    if columns < 1:
        raise LabError(f"A sheet needs at least 1 column, got {columns}.")
    images = plan(settings)
    rows = []
    for kind in (*order_classes(settings.counts), LOOKALIKE):
        chosen = _spread([image for image in images if image.kind == kind], columns)
        if chosen:
            rows.append(_row(kind, [draw(settings, image) for image in chosen], columns))
    return np.concatenate(rows)


def _spread(images: list[Image], number: int) -> list[Image]:
    places = np.linspace(0, len(images) - 1, min(number, len(images)))
    return [images[int(place)] for place in places]


def _row(kind: str, pictures: list[np.ndarray], columns: int) -> np.ndarray:
    size = len(pictures[0])
    row = np.full((_BAND + size + _GAP, columns * (size + _GAP), 3), _PAPER, np.uint8)
    place, colour = (3, _BAND - 5), _INK
    cv2.putText(
        row, display_name(kind), place, cv2.FONT_HERSHEY_SIMPLEX, 0.42, colour, 1, cv2.LINE_AA
    )
    for column, picture in enumerate(pictures):
        left = column * (size + _GAP)
        row[_BAND : _BAND + size, left : left + size] = picture
    return row
