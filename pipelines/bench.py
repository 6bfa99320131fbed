"""Throughput of augmentation, beside the stack of separate Keras layers. Run with ``-m``."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.augment import augment_images
from pipelines.augment_settings import AugmentSettings, hal_transfer

if TYPE_CHECKING:
    import tensorflow as tf


_KERAS = "augmentation, separate Keras layers"
_OURS = "augmentation, one warp and one table"


@dataclass(frozen=True)
class BenchSettings:
    """What is measured.

    Args:
        pixels: Heights, equal to widths, of the images.
        batch_size: Images per batch.
        megapixels: Work per round and method; more is steadier and slower.
        rounds: Rounds; the methods take turns in each, so that both meet the same load of the
            machine, and the median counts.
        augment: Strengths; only rotation, translation, zoom and contrast take part.
    """

    pixels: tuple[int, ...] = (96, 256)
    batch_size: int = 32
    megapixels: float = 30
    rounds: int = 5
    augment: AugmentSettings = field(default_factory=hal_transfer)


def bench_augmentation(settings: BenchSettings | None = None) -> list[dict[str, Any]]:
    """Images per second through `tf.data` of our augmentation and of the Keras layers.

    Both take uint8 batches out of memory and give float32 batches in 0..255, mapped in parallel
    over batches with a prefetch behind.

    Returns:
        One row per image size and method: ``name``, ``pixels``, ``images_per_second``,
        ``ratio`` to the rate of the row named in ``against``, ``runs``.
    """
    settings = settings or BenchSettings()
    rows = []
    for pixels in settings.pixels:
        datasets = {
            _KERAS: _keras_stack(settings, pixels),
            _OURS: _one_warp(settings, pixels),
        }
        rates = _measure(datasets, settings, pixels)
        rows += [
            {
                "name": name,
                "pixels": pixels,
                "images_per_second": rate,
                "ratio": rate / rates[_KERAS],
                "against": _KERAS,
                "runs": settings.rounds,
            }
            for name, rate in rates.items()
        ]
    return rows


def _images(settings: BenchSettings, pixels: int) -> np.ndarray:
    shape = (settings.batch_size, pixels, pixels, 3)
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def _mapped(function: Callable[[tf.Tensor], tf.Tensor]) -> tf.data.Dataset:
    import tensorflow as tf

    steps = tf.data.Dataset.range(np.iinfo(np.int64).max)
    return steps.map(function, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def _keras_stack(settings: BenchSettings, pixels: int) -> tf.data.Dataset:
    import tensorflow as tf
    from keras import layers

    augment = settings.augment
    stack = [
        layers.RandomContrast(augment.contrast, value_range=(0, 255)),
        layers.RandomRotation(augment.rotation, fill_mode="reflect"),
        layers.RandomTranslation(augment.translation, augment.translation, fill_mode="reflect"),
        layers.RandomZoom(augment.zoom, fill_mode="reflect"),
    ]
    images = tf.constant(_images(settings, pixels))

    def batch(step: tf.Tensor) -> tf.Tensor:
        result = tf.cast(images, tf.float32)
        for layer in stack:
            result = layer(result, training=True)
        return result

    return _mapped(batch)


def _one_warp(settings: BenchSettings, pixels: int) -> tf.data.Dataset:
    import tensorflow as tf

    images = _images(settings, pixels)
    indices = np.arange(settings.batch_size)

    def make(step: np.ndarray) -> np.ndarray:
        return augment_images(images, settings.augment, 0, int(step), indices)

    return _mapped(lambda step: tf.numpy_function(make, [step], tf.float32, stateful=False))


def _measure(
    datasets: dict[str, tf.data.Dataset], settings: BenchSettings, pixels: int
) -> dict[str, float]:
    steps = max(1, round(settings.megapixels * 1e6 / (pixels**2 * settings.batch_size)))
    rates: dict[str, list[float]] = {name: [] for name in datasets}
    for _ in range(settings.rounds):
        for name, dataset in datasets.items():
            # A fresh iterator, so that the other method's prefetch does not run meanwhile.
            iterator = iter(dataset)
            next(iterator)
            start = time.perf_counter()
            for _ in range(steps):
                next(iterator)
            rates[name].append(steps * settings.batch_size / (time.perf_counter() - start))
            del iterator
    return {name: statistics.median(values) for name, values in rates.items()}


if __name__ == "__main__":
    for row in bench_augmentation():
        print(
            f"{row['name']:<38} {row['pixels']:>4} px {row['images_per_second']:>9.0f} images/s "
            f"{row['ratio']:>6.1f} x"
        )
