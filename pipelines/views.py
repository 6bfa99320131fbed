"""Augmented views of a batch, made inside a training step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipelines import draws
from pipelines.augment import augment_images
from pipelines.augment_settings import AugmentSettings
from pipelines.keras_cv_layers import layer_keys, make_rand_augment
from tflite.runtime.errors import LabError

if TYPE_CHECKING:
    import tensorflow as tf


class ViewMaker:
    """Augments images by the same code, and with the same settings, as the input pipeline.

    The draws of an image belong to the address (seed, step, position, view): they are the same
    however often and in whatever portions the views of a step are made. So a step can be worked
    through twice with equal views, and a resumed training draws what the unbroken one would have.

    The work is done by OpenCV on the host, therefore not under XLA.

    Args:
        settings: What to do to each image. Mixing images (CutMix, MixUp) would make labels soft,
            which contrastive losses have no use for, and is refused.
        seed: 0..2**63-1.

    Raises:
        LabError: If the settings mix images.
        ValueError: If the seed is out of range.
    """

    def __init__(self, settings: AugmentSettings, seed: int) -> None:
        if settings.mixes:
            raise LabError(
                "Views for a contrastive loss cannot be mixed, since their labels must stay "
                "whole: set cutmix_probability and mixup_probability to 0 "
                f"(got {settings.cutmix_probability} and {settings.mixup_probability})."
            )
        self.settings = settings
        self.seed = draws.check_seed(seed)
        self._rand_augment = (
            make_rand_augment(settings) if settings.rand_augment_operations else None
        )

    def __call__(
        self, images: tf.Tensor, step: tf.Tensor, positions: tf.Tensor, view: int
    ) -> tf.Tensor:
        """One view of each image.

        Args:
            images: Pixel values 0..255, uint8 or float, ``(batch, height, width, 3)``.
            step: Number of the training step, int64 scalar.
            positions: Position of each image in the whole batch of the step, int64 ``(batch,)``.
            view: Number of the view, from 0.

        Returns:
            float32 ``(batch, height, width, 3)``, values 0..255.
        """
        import tensorflow as tf

        def make(*values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return self._make(values[0], values[1], values[2], view)

        made, keys = tf.numpy_function(
            make,
            [images, step, positions],
            (tf.float32, tf.int64),
            stateful=False,
        )
        made = tf.ensure_shape(made, images.shape)
        if self._rand_augment is None:
            return made
        return self._rand_augment(made, tf.ensure_shape(keys, (images.shape[0], 2)))

    def _make(
        self, images: np.ndarray, step: np.ndarray, positions: np.ndarray, view: int
    ) -> tuple[np.ndarray, np.ndarray]:
        copies = np.full(len(positions), view)
        made = augment_images(
            as_pixels(images), self.settings, self.seed, int(step), positions, copies
        )
        if self._rand_augment is None:
            return made, np.zeros((len(positions), 2), np.int64)
        return made, layer_keys(self.seed, int(step), positions, copies)


def as_pixels(images: np.ndarray) -> np.ndarray:
    """Images as uint8.

    Args:
        images: uint8, or floats in 0..255, which are rounded.

    Raises:
        ValueError: If floats are not finite or seem to be scaled to 0..1 or -1..1.
    """
    if images.dtype == np.uint8:
        return images
    low, high = float(np.min(images, initial=0)), float(np.max(images, initial=0))
    if not np.isfinite([low, high]).all() or low < -0.5 or high > 255.5 or 0 < high <= 1:
        raise ValueError(
            "Images must be pixel values in 0..255, since the network scales them itself; got "
            f"values from {low:g} to {high:g}."
        )
    return np.rint(np.clip(images, 0, 255)).astype(np.uint8)
