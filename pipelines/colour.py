"""Contrast, exposure and white balance as one look-up table; hue and saturation as one matrix.

Contrast, exposure and the gains of the channels change each channel by a straight line. On uint8
they are 256 entries per channel, so one table does all three, the clipping and the step to float
in a single pass. Hue and saturation mix the channels: a 3x3 matrix, only where they are asked for.
"""

from __future__ import annotations

import numpy as np

from pipelines.augment_settings import AugmentSettings

NUMBER_OF_DRAWS = 9

# Weights of the channels in the perceived brightness (ITU-R BT.601).
LUMINANCE = np.array([0.299, 0.587, 0.114])

# From RGB to brightness and two colour axes (YIQ, as NTSC television used it): hue is the angle
# and saturation the radius in the plane of the second and third.
_YIQ = np.array([LUMINANCE, [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
_YIQ_BACK = np.linalg.inv(_YIQ)


def channel_tables(means: np.ndarray, contrast: np.ndarray, gains: np.ndarray) -> np.ndarray:
    """Look-up tables from uint8 to float32 pixel values in 0..255.

    Args:
        means: Mean of each channel of each image, ``(n, 3)``.
        contrast: Factor about the mean, ``(n,)``.
        gains: Factor of each channel after that, ``(n, 3)``.

    Returns:
        float32 array ``(n, 256, 3)``: clip(((x - mean) * contrast + mean) * gain, 0, 255).
    """
    slope = contrast[:, None] * gains
    offset = means * (1 - contrast[:, None]) * gains
    values = np.arange(256)[None, :, None] * slope[:, None, :] + offset[:, None, :]
    return np.clip(values, 0, 255).astype(np.float32)


def colour_matrices(angle: np.ndarray, saturation: np.ndarray) -> np.ndarray:
    """Matrices that turn the hue and scale the saturation at constant brightness.

    Args:
        angle: Turn around the grey axis, in radians, ``(n,)``.
        saturation: Factor of the distance from grey, ``(n,)``.

    Returns:
        float32 array ``(n, 3, 3)``, applied as ``matrix @ (r, g, b)``.
    """
    turn = np.zeros((len(angle), 3, 3))
    turn[:, 0, 0] = 1
    turn[:, 1, 1] = turn[:, 2, 2] = saturation * np.cos(angle)
    turn[:, 2, 1] = saturation * np.sin(angle)
    turn[:, 1, 2] = -turn[:, 2, 1]
    return (_YIQ_BACK @ turn @ _YIQ).astype(np.float32)


def draw_tables(uniforms: np.ndarray, settings: AugmentSettings, means: np.ndarray) -> np.ndarray:
    """The look-up tables that the settings ask for.

    Args:
        uniforms: Numbers in [0, 1), ``(n, NUMBER_OF_DRAWS)``.
        settings: Strengths of contrast, exposure and colour.
        means: Mean of each channel of each image, ``(n, 3)``.

    Returns:
        float32 array ``(n, 256, 3)`` as of `channel_tables`.
    """
    signed = 2 * uniforms - 1
    contrast = 1 + settings.contrast * signed[:, 0]
    gains = np.exp(settings.exposure * signed[:, 1:2] + settings.colour * signed[:, 2:5])
    return channel_tables(means, contrast, gains)


def draw_matrices(uniforms: np.ndarray, settings: AugmentSettings) -> np.ndarray | None:
    """The colour matrices that the settings ask for, or None where they ask for none.

    Args:
        uniforms: Numbers in [0, 1), ``(n, NUMBER_OF_DRAWS)``.
        settings: Strengths of hue and saturation.

    Returns:
        float32 array ``(n, 3, 3)`` as of `colour_matrices`.
    """
    if not settings.hue and not settings.saturation:
        return None
    signed = 2 * uniforms - 1
    angle = 2 * np.pi * settings.hue * signed[:, 5]
    return colour_matrices(angle, 1 + settings.saturation * signed[:, 6])


def channel_means(images: np.ndarray) -> np.ndarray:
    """Mean of each channel of each image, float64 ``(n, 3)``, of uint8 ``(n, h, w, 3)``."""
    import cv2

    return np.array([cv2.mean(image)[:3] for image in images]).reshape(len(images), 3)
