"""From the box that an annotator drew to the cut-out that a network sees: whole pixels, square.

Boxes are in pixels of the upright image: the upper left corner of the upper left pixel is (0, 0),
x runs to the right and y downwards, and a box of width 1 at x 0 is the first column.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from pipelines.errors import ManifestError


class Box(NamedTuple):
    """A box as drawn: fractions of pixels are allowed."""

    x: float
    y: float
    width: float
    height: float


class CutOut(NamedTuple):
    """Whole pixels of an image: left column, upper row, columns, rows."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True)
class CutSettings:
    """How a box becomes a cut-out.

    Args:
        margin: Added on each of the four sides, as a fraction of the box's width and height, from
            0. A cell's surroundings tell its size, and boxes are often drawn too tightly.
        square: Whether the longer side counts both ways. Networks take a centred square (see the
            crop of `tflite.runtime.contract.InputContract`); of an oblong cut-out they would not
            see the ends.
        smallest: Boxes whose shorter side is less than this many pixels, without the margin and
            without what lies outside of the image, are not worth cutting out.

    Raises:
        ManifestError: If a field is out of range; all bad fields are named.
    """

    margin: float = 0.1
    square: bool = True
    smallest: float = 8

    def __post_init__(self) -> None:
        faults = []
        if not _is_size(self.margin):
            faults.append(f"margin must be a fraction from 0, such as 0.1, got {self.margin!r}")
        if not isinstance(self.square, bool):
            faults.append(f"square must be true or false, got {self.square!r}")
        if not _is_size(self.smallest):
            faults.append(f"smallest must be a number of pixels from 0, got {self.smallest!r}")
        if faults:
            raise ManifestError("Boxes cannot be cut out so: " + "; ".join(faults) + ".")


def _is_size(value: object) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and 0 <= value < math.inf  # type: ignore[operator]


def box_fault(box: Box, size: tuple[int, int]) -> str:
    """What is wrong with a box, in words; "" if nothing is.

    A box may lead out of the image (annotators draw over the edge) as long as its centre lies in
    it.

    Args:
        box: Any four numbers.
        size: Columns and rows of the image.
    """
    if not all(math.isfinite(value) for value in box):
        return "is not four finite numbers"
    if box.width < 0 or box.height < 0:
        return "has a negative width or height"
    if box.width == 0 or box.height == 0:
        return "has no width or no height"
    centre = box.x + box.width / 2, box.y + box.height / 2
    if not (0 <= centre[0] <= size[0] and 0 <= centre[1] <= size[1]):
        return f"has its centre outside of the image of {size[0]}x{size[1]} pixels"
    return ""


def clip_box(box: Box, size: tuple[int, int]) -> Box:
    """The part of a box that lies in the image.

    Args:
        box: One that has no `box_fault`.
        size: Columns and rows of the image.
    """
    x, width = _clip(box.x, box.width, size[0])
    y, height = _clip(box.y, box.height, size[1])
    return Box(x, y, width, height)


def _clip(start: float, length: float, limit: int) -> tuple[float, float]:
    """What lies within is not touched, so that nothing is rounded."""
    if start >= 0 and start + length <= limit:
        return start, length
    first = max(0.0, start)
    return first, min(float(limit), start + length) - first


def cut_out(box: Box, size: tuple[int, int], settings: CutSettings) -> CutOut:
    """The pixels that are cut out for a box.

    Every pixel that the box touches is in the cut-out, and the margin as far as the image
    reaches. A square has the box in its middle; where it leads out of the image it is moved in,
    where the image is too small for it its margin is cut, and only where the image is too small
    for the box itself it is no square.

    Args:
        box: One that lies in the image (see `clip_box`).
        size: Columns and rows of the image.
        settings: Margin and shape.

    Returns:
        A cut-out that lies in the image and has at least one pixel.
    """
    across, down = _touched(box.x, box.width, size[0]), _touched(box.y, box.height, size[1])
    if not settings.square:
        left, right = _widened(box.x, box.width, across, settings.margin, size[0])
        top, bottom = _widened(box.y, box.height, down, settings.margin, size[1])
        return CutOut(left, top, right - left, bottom - top)
    least = max(across[1] - across[0], down[1] - down[0])
    wanted = max(box.width, box.height) * (1 + 2 * settings.margin)
    side = max(least, math.ceil(min(wanted, *size)))
    width, height = min(side, size[0]), min(side, size[1])
    left = _place(box.x + box.width / 2, width, across, size[0])
    top = _place(box.y + box.height / 2, height, down, size[1])
    return CutOut(left, top, width, height)


def _touched(start: float, length: float, limit: int) -> tuple[int, int]:
    """First pixel that a box touches and the one after its last; at least one, in the image."""
    first = min(math.floor(start), limit - 1)
    return first, min(max(math.ceil(start + length), first + 1), limit)


def _widened(
    start: float, length: float, touched: tuple[int, int], margin: float, limit: int
) -> tuple[int, int]:
    first = min(touched[0], math.floor(max(0.0, start - margin * length)))
    last = max(touched[1], math.ceil(min(limit, start + length + margin * length)))
    return first, last


def _place(centre: float, length: int, touched: tuple[int, int], limit: int) -> int:
    """Where `length` pixels around the centre begin that hold what is touched, in the image."""
    first = math.floor(centre - length / 2 + 0.5)
    first = max(min(first, touched[0]), touched[1] - length)
    return max(0, min(first, limit - length))
