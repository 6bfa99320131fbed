"""Rotation, zoom, stretch, flips and shift as one affine matrix, and one warp that applies it.

Separate layers resample the image once each: four times the work and four times the blur. Affine
maps compose, so one warp gives the same picture, sharper, for the price of one. Beyond the border
it is not quite the same: separate layers reflect anew after each step, the one warp reflects once.
"""

from __future__ import annotations

import numpy as np

from pipelines.augment_settings import AugmentSettings

NUMBER_OF_DRAWS = 7


def affine_matrices(
    angle: np.ndarray,
    scale_x: np.ndarray,
    scale_y: np.ndarray,
    shift_x: np.ndarray,
    shift_y: np.ndarray,
    size: tuple[int, int],
) -> np.ndarray:
    """Matrices that take each output pixel to the place in the input where it comes from.

    The order, seen from the image, is that of the Keras stack of study hairy: rotation about the
    centre, then shift, then zoom about the centre.

    Args:
        angle: Rotation in radians, anticlockwise on the screen, ``(n,)``.
        scale_x: Input pixels per output pixel along a row; negative mirrors left and right.
        scale_y: The same down a column; negative mirrors top and bottom.
        shift_x: Shift to the right, in pixels of the rotated image.
        shift_y: Shift downwards, in pixels.
        size: Height and width of the images, in pixels.

    Returns:
        float64 array ``(n, 2, 3)``: x and y of the input from ``(x, y, 1)`` of the output,
        with pixel centres at whole numbers.
    """
    centre = np.array([(size[1] - 1) / 2, (size[0] - 1) / 2])
    cos, sin = np.cos(angle), np.sin(angle)
    rotation = np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], -2)
    linear = rotation * np.stack([scale_x, scale_y], -1)[:, None, :]
    # input = R (S (output - centre) - shift) + centre
    shift = np.stack([shift_x, shift_y], -1)
    offset = centre - linear @ centre - (rotation @ shift[..., None])[..., 0]
    return np.concatenate([linear, offset[..., None]], -1)


def draw_matrices(
    uniforms: np.ndarray, settings: AugmentSettings, size: tuple[int, int]
) -> np.ndarray:
    """The matrices that the settings ask for.

    Args:
        uniforms: Numbers in [0, 1), ``(n, NUMBER_OF_DRAWS)``.
        settings: Strengths of rotation, translation, zoom, aspect and flips.
        size: Height and width of the images, in pixels.

    Returns:
        float64 array ``(n, 2, 3)`` as of `affine_matrices`.
    """
    signed = 2 * uniforms - 1
    zoom = 1 + settings.zoom * signed[:, 1]
    stretch = np.exp(0.5 * settings.aspect * signed[:, 2])
    flip_x = np.where(settings.horizontal_flip & (uniforms[:, 5] < 0.5), -1.0, 1.0)
    flip_y = np.where(settings.vertical_flip & (uniforms[:, 6] < 0.5), -1.0, 1.0)
    return affine_matrices(
        angle=2 * np.pi * settings.rotation * signed[:, 0],
        scale_x=flip_x * zoom * stretch,
        scale_y=flip_y * zoom / stretch,
        shift_x=settings.translation * size[1] * signed[:, 3],
        shift_y=settings.translation * size[0] * signed[:, 4],
        size=size,
    )


def warp(image: np.ndarray, matrix: np.ndarray, fill: str, fill_value: float = 0.0) -> np.ndarray:
    """Resamples one image bilinearly.

    Args:
        image: uint8 array ``(height, width, 3)``.
        matrix: ``(2, 3)`` as of `affine_matrices`.
        fill: One of `pipelines.augment_settings.FILLS`.
        fill_value: Pixel value beyond the border for ``constant``.

    Returns:
        uint8 array of the same shape.
    """
    import cv2

    borders = {
        "reflect": cv2.BORDER_REFLECT,
        "nearest": cv2.BORDER_REPLICATE,
        "wrap": cv2.BORDER_WRAP,
        "constant": cv2.BORDER_CONSTANT,
    }
    return cv2.warpAffine(
        image,
        matrix,
        (image.shape[1], image.shape[0]),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=borders[fill],
        borderValue=(fill_value,) * 3,
    )
