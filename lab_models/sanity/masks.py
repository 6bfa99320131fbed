"""Finds the cell in the middle of an image, and blots out the cell or everything else.

Nuclei and blue cytoplasm take up red light; red cells and eosin take up green and blue and hardly
any red. Absorbance of red light against the bright ground, less a share of what green takes up
beyond red, therefore finds the core of a white cell (Beer and Lambert; Ruifrok and Johnston 2001,
Analytical and Quantitative Cytology and Histology 23:291). Pink and pale cytoplasm is found from
there: outwards in every direction until the ground shows, but not much farther than in most
directions, because there a red cell touches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lab_models.sanity.settings import MaskSettings

CELL_OUT, BACKGROUND_OUT = "cell masked out", "background masked out"
MODES = (CELL_OUT, BACKGROUND_OUT)


@dataclass(frozen=True)
class CellMask:
    """Where the cell of an image is.

    Args:
        inside: bool ``(height, width)``, True on the cell; empty where none was found.
        centre: Column and row of the smallest circle around it.
        radius: Of that circle, in pixels.
        found: Whether a cell of a believable size was found; if not, a disc of the middle stands
            in for it.
    """

    inside: np.ndarray
    centre: tuple[float, float]
    radius: float
    found: bool


def ground_colour(image: np.ndarray) -> np.ndarray:
    """Colour of the bright ground: float32 ``(3,)``, median of the brightest tenth.

    Args:
        image: uint8 ``(height, width, 3)``.
    """
    pixels = image.reshape(-1, 3).astype(np.float32)
    darkest = pixels.min(axis=1)
    return np.median(pixels[darkest >= np.quantile(darkest, 0.9)], axis=0)


def absorbance(image: np.ndarray, settings: MaskSettings) -> np.ndarray:
    """Decadic absorbance against the ground, float32 ``(height, width, 3)``, smoothed.

    Args:
        image: uint8 ``(height, width, 3)``.
        settings: Choices.
    """
    import cv2

    pixels = image.astype(np.float32)
    sigma = settings.smoothing * min(image.shape[:2])
    if sigma > 0:
        pixels = cv2.GaussianBlur(pixels, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    absorbed: np.ndarray = -np.log10((pixels + 1) / (ground_colour(image) + 1))
    return absorbed


def core_absorbance(absorbed: np.ndarray, settings: MaskSettings) -> np.ndarray:
    """What nuclei and blue cytoplasm take up and red cells do not: float32 ``(height, width)``."""
    red, green = absorbed[..., 0], absorbed[..., 1]
    return red - settings.red_cell_margin * np.maximum(green - red, 0)


def find_cell(image: np.ndarray, settings: MaskSettings | None = None) -> CellMask:
    """Finds the stained thing in the middle of an image.

    Args:
        image: uint8 ``(height, width, 3)``, RGB.
        settings: Choices; by default `MaskSettings()`.
    """
    import cv2

    settings = settings or MaskSettings()
    absorbed = absorbance(image, settings)
    core = _core(core_absorbance(absorbed, settings), settings)
    inside = _with_cytoplasm(core, absorbed.max(axis=2), settings) if core.any() else core
    share = inside.mean()
    if not settings.smallest <= share <= settings.largest:
        return _stand_in(image.shape[:2])
    outline, _ = cv2.findContours(
        inside.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
    )
    centre, radius = cv2.minEnclosingCircle(np.concatenate(outline))
    return CellMask(inside, (float(centre[0]), float(centre[1])), float(radius), True)


def _stand_in(shape: tuple[int, int]) -> CellMask:
    height, width = shape
    centre, radius = ((width - 1) / 2, (height - 1) / 2), min(shape) / 3
    return CellMask(_disc(shape, centre, radius), centre, radius, False)


def _disc(shape: tuple[int, int], centre: tuple[float, float], radius: float) -> np.ndarray:
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return (columns - centre[0]) ** 2 + (rows - centre[1]) ** 2 <= radius**2


def _core(stained_by: np.ndarray, settings: MaskSettings) -> np.ndarray:
    """Nucleus and blue cytoplasm, bool ``(height, width)``; empty where nothing is stained."""
    import cv2

    side = min(stained_by.shape)
    stained = (stained_by > _threshold(stained_by, settings)).astype(np.uint8)
    width = max(3, 2 * round(settings.joining * side / 2) + 1)
    brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    # Closing at the border would otherwise join things to it.
    padded = cv2.copyMakeBorder(stained, width, width, width, width, cv2.BORDER_CONSTANT, value=0)
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, brush)[width:-width, width:-width]
    return _fill_holes(_central(closed, settings.middle * side))


def _with_cytoplasm(core: np.ndarray, stained: np.ndarray, settings: MaskSettings) -> np.ndarray:
    """The core and what is stained around it up to the ground, bool ``(height, width)``."""
    import cv2

    rows, columns = np.nonzero(core)
    centre = (float(columns.mean()), float(rows.mean()))
    length = int(np.hypot(*core.shape)) + 1
    # Without this flag places outside of the image are left undefined, not 0.
    flags = cv2.WARP_POLAR_LINEAR | cv2.INTER_NEAREST | cv2.WARP_FILL_OUTLIERS

    def rays(picture: np.ndarray) -> np.ndarray:
        """One row a direction, one column a pixel of distance; 0 outside of the image."""
        size = (length, settings.directions)
        return cv2.warpPolar(picture.astype(np.uint8), size, centre, length, flags).astype(bool)

    # Pale and hollow places inside of the core's outer border are no ground.
    core_ends = length - rays(core)[:, ::-1].argmax(axis=1)
    core_ends[~rays(core).any(axis=1)] = 0
    ground = ~rays(stained > settings.ground_absorbance)
    ground &= np.arange(length) >= core_ends[:, None]
    ends = np.where(ground.any(axis=1), ground.argmax(axis=1), length)
    farthest = np.median(ends) * settings.unevenness
    ends = np.maximum(np.minimum(ends, farthest), np.minimum(core_ends, farthest))
    angles = np.arange(settings.directions) * 2 * np.pi / settings.directions
    outline = np.stack([centre[0] + ends * np.cos(angles), centre[1] + ends * np.sin(angles)], 1)
    filled = np.zeros(core.shape, np.uint8)
    cv2.fillPoly(filled, [np.rint(outline).astype(np.int32)], (1,))
    return _fill_holes(core | filled.astype(bool))


def _threshold(absorbance: np.ndarray, settings: MaskSettings) -> float:
    """Half of Otsu's cut, which parts nuclei from the rest, so that cytoplasm is in."""
    import cv2

    levels = np.clip(absorbance * 255, 0, 255).astype(np.uint8)
    otsu, _ = cv2.threshold(levels, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    return max(settings.minimum_absorbance, 0.5 * otsu / 255)


def _central(stained: np.ndarray, reach: float) -> np.ndarray:
    """The connected things that lie in the middle, bool; none if nothing does."""
    import cv2

    count, numbers = cv2.connectedComponents(stained, connectivity=8)
    height, width = stained.shape
    middle = _disc((height, width), ((width - 1) / 2, (height - 1) / 2), reach)
    areas = np.bincount(numbers[middle], minlength=count)
    areas[0] = 0
    if not areas.any():
        return np.zeros(stained.shape, bool)
    # Further things that reach into the middle belong to it if they are no specks: lobes of a
    # nucleus whose cytoplasm is too pale to join them.
    return np.isin(numbers, np.flatnonzero(areas >= 0.2 * areas.max()))


def _fill_holes(inside: np.ndarray) -> np.ndarray:
    from scipy.ndimage import binary_fill_holes

    return np.asarray(binary_fill_holes(inside), bool)


def common_radius(masks: Sequence[CellMask], settings: MaskSettings) -> float:
    """Radius in pixels that discs over cells have at least (see `MaskSettings.cover`)."""
    return float(np.quantile([mask.radius for mask in masks], settings.cover))


def common_ground(images: np.ndarray) -> np.ndarray:
    """The ground that stands in for every background: float32 ``(3,)``, equal for all sources.

    Args:
        images: uint8 ``(images, height, width, 3)``.
    """
    return np.median([ground_colour(image) for image in images], axis=0).astype(np.float32)


def cell_masked_out(
    image: np.ndarray, mask: CellMask, radius: float, settings: MaskSettings
) -> np.ndarray:
    """The image with a disc over its cell, in the colour of its own ground.

    A disc, and of nearly equal size everywhere, because the outline of a cell would show the
    cell: hairs, lobes, size.

    Args:
        image: uint8 ``(height, width, 3)``.
        mask: Of its cell.
        radius: Least radius of the disc in pixels, before the margin (see `common_radius`).
        settings: Choices.
    """
    reach = max(mask.radius, radius) + settings.margin * min(image.shape[:2])
    disc = _disc(image.shape[:2], mask.centre, reach)
    return _blend(image, ground_colour(image), _soften(disc, settings))


def background_masked_out(
    image: np.ndarray, mask: CellMask, ground: np.ndarray, settings: MaskSettings
) -> np.ndarray:
    """The cell of an image before an even ground.

    Args:
        image: uint8 ``(height, width, 3)``.
        mask: Of its cell.
        ground: Colour of the ground, ``(3,)`` (see `common_ground`).
        settings: Choices.
    """
    # A border that is soft on both sides: outside of the cell its own ground would show.
    return _blend(image, ground, 1 - _blurred(mask.inside, settings))


def _soften(inside: np.ndarray, settings: MaskSettings) -> np.ndarray:
    """A mask with a soft border outside of it: float32 ``(height, width)`` in 0..1."""
    # Twice the blurred mask reaches 1 at the hard border: nothing inside shows through.
    return np.maximum(inside, np.minimum(2 * _blurred(inside, settings), 1))


def _blurred(inside: np.ndarray, settings: MaskSettings) -> np.ndarray:
    """A mask with a border that is soft on both sides: float32 ``(height, width)`` in 0..1."""
    import cv2

    hard = inside.astype(np.float32)
    sigma = settings.border * min(inside.shape)
    if sigma <= 0:
        return hard
    blurred: np.ndarray = cv2.GaussianBlur(hard, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    return blurred


def _blend(image: np.ndarray, colour: np.ndarray, share: np.ndarray) -> np.ndarray:
    weight = share[..., None]
    mixed = image.astype(np.float32) * (1 - weight) + np.asarray(colour, np.float32) * weight
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8)
