"""Augmentation of a batch of images: one warp, one look-up table, and no hidden state.

Every image's draws come from the address (seed, epoch, index, copy) of `pipelines.draws`. They do
not depend on the batch the image is in, on threads, or on where a run was resumed.
"""

from __future__ import annotations

import numpy as np

from pipelines import colour, draws, geometry
from pipelines.augment_settings import (
    PRESETS,
    AugmentSettings,
    hal_projection,
    hal_transfer,
    no_augmentation,
    preset,
)

__all__ = [
    "PRESETS",
    "AugmentSettings",
    "augment_images",
    "hal_projection",
    "hal_transfer",
    "no_augmentation",
    "preset",
]

_NUMBER_OF_DRAWS = geometry.NUMBER_OF_DRAWS + colour.NUMBER_OF_DRAWS


def augment_images(
    images: np.ndarray,
    settings: AugmentSettings,
    seed: int,
    epoch: int,
    indices: np.ndarray,
    copies: np.ndarray | None = None,
) -> np.ndarray:
    """Augments each image of a batch on its own.

    The order is: warp (rotation, shift, zoom, stretch, flips), contrast about the mean of the
    image as it came, exposure and channel gains, hue and saturation, blur, noise. RandAugment,
    CutMix and MixUp are not done here but by `pipelines.keras_cv_layers`.

    Args:
        images: uint8 array ``(batch, height, width, 3)``.
        settings: What to do, and how strongly.
        seed: Seed of the run, 0..2**63-1.
        epoch: Number of the epoch, from 0.
        indices: Row of each image in its manifest, int64 ``(batch,)``.
        copies: How often the row came before in this epoch, int64 ``(batch,)``; zeros if None.

    Returns:
        float32 array ``(batch, height, width, 3)``, values 0..255.

    Raises:
        ValueError: If shapes or types differ from the above.
    """
    indices, copies = _check(images, indices, copies)
    draws.check_seed(seed)
    count = len(images)
    uniforms = draws.uniforms(seed, draws.AUGMENT, epoch, indices, copies, _NUMBER_OF_DRAWS)
    for_geometry, for_colour = np.split(uniforms, [geometry.NUMBER_OF_DRAWS], axis=1)
    # Interpolation and reflection keep a mean's meaning, so contrast may follow the warp and
    # still use the mean of the image as it came, as in the Keras stack.
    tables = colour.draw_tables(for_colour, settings, colour.channel_means(images))
    matrices = geometry.draw_matrices(for_geometry, settings, images.shape[1:3])
    result = np.empty(images.shape, np.float32)
    for i in range(count):
        image = images[i]
        if settings.moves:
            image = geometry.warp(image, matrices[i], settings.fill, settings.fill_value)
        _look_up(image, tables[i], result[i])
    _mix_channels(result, colour.draw_matrices(for_colour, settings))
    _blur(result, settings.blur * for_colour[:, 7])
    if settings.noise:
        for i in range(count):
            source = draws.generator(seed, draws.NOISE, epoch, indices[i], copies[i])
            _add_noise(result[i], settings.noise * for_colour[i, 8], source)
    return result


def _check(
    images: np.ndarray, indices: np.ndarray, copies: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] != 3:
        raise ValueError(
            "Images must be uint8 of shape (batch, height, width, 3), "
            f"got {images.dtype} {images.shape}."
        )
    indices = np.asarray(indices)
    copies = np.zeros_like(indices) if copies is None else np.asarray(copies)
    if indices.shape != images.shape[:1] or copies.shape != images.shape[:1]:
        raise ValueError(
            f"Each of {len(images)} images needs one index and one copy number, "
            f"got shapes {indices.shape} and {copies.shape}."
        )
    return indices, copies


def _look_up(image: np.ndarray, table: np.ndarray, result: np.ndarray) -> None:
    import cv2

    cv2.LUT(image, table[:, None, :], dst=result)


def _mix_channels(images: np.ndarray, matrices: np.ndarray | None) -> None:
    import cv2

    if matrices is None:
        return
    for image, matrix in zip(images, matrices):
        cv2.transform(image, matrix, dst=image)
    np.clip(images, 0, 255, out=images)


def _blur(images: np.ndarray, deviations: np.ndarray) -> None:
    import cv2

    for image, deviation in zip(images, deviations):
        # Below a tenth of a pixel the kernel is a single one.
        if deviation > 0.1:
            image[:] = cv2.GaussianBlur(
                image, (0, 0), float(deviation), borderType=cv2.BORDER_REFLECT
            )


def _add_noise(image: np.ndarray, deviation: float, source: np.random.Generator) -> None:
    image += deviation * source.standard_normal(image.shape, np.float32)
    np.clip(image, 0, 255, out=image)
