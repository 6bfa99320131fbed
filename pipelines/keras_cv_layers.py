"""RandAugment, CutMix and MixUp of KerasCV, without hidden state. The one module that imports it.

KerasCV draws from `tf.random.Generator` objects and from stateful operations such as
`tf.random.uniform`. Under a parallel `Dataset.map` such draws come in any order, and after a
resume they start over. While the layers are traced, here, each draw is replaced by TensorFlow's
stateless operation of the same name, with a seed made of a key that is an input of the traced
function and the number of the draw. What comes out then depends on images and key alone.

The layers also inherit the global precision policy, and fail in half precision; they are built
while it is float32.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np

from pipelines import draws
from pipelines.augment_settings import AugmentSettings

if TYPE_CHECKING:
    import tensorflow as tf

_tracing = threading.local()
_building = threading.Lock()
_replacing = threading.Lock()

NO_MIX, CUTMIX, MIXUP = range(3)


def layer_keys(seed: int, epoch: int, indices: np.ndarray, copies: np.ndarray) -> np.ndarray:
    """Keys for the layers that treat each image on its own, int64 ``(n, 2)``."""
    keys = [
        draws.generator(seed, draws.LAYERS, epoch, index, copy).integers(2**62, size=2)
        for index, copy in zip(indices, copies)
    ]
    return np.array(keys, np.int64).reshape(len(indices), 2)


def mix_draw(
    settings: AugmentSettings, seed: int, epoch: int, batch: int
) -> tuple[int, np.ndarray]:
    """Which layer mixes a batch (`NO_MIX`, `CUTMIX` or `MIXUP`), and its key, int64 ``(2,)``."""
    source = draws.generator(seed, draws.MIX, epoch, batch)
    key = source.integers(2**62, size=2)
    limits = np.cumsum([settings.cutmix_probability, settings.mixup_probability])
    choice = (CUTMIX, MIXUP, NO_MIX)[int(np.searchsorted(limits, source.random(), side="right"))]
    return choice, key


class _KeyedGenerator:
    """Stands in for `tf.random.Generator`; numbers come from the key that is being traced."""

    def uniform(self, shape: Any, *limits: float, **options: Any) -> tf.Tensor:
        import tensorflow as tf

        return tf.random.stateless_uniform(shape, _next_seed(), *limits, **options)


def _next_seed() -> tf.Tensor:
    import tensorflow as tf

    _tracing.count += 1
    return tf.add(_tracing.key, (0, _tracing.count))


@contextmanager
def _keyed(key: tf.Tensor) -> Iterator[None]:
    """Replaces the stateful draws of this thread by stateless ones of this key."""
    import tensorflow as tf

    with _replacing, ExitStack() as stack:
        _tracing.key, _tracing.count = key, 0
        stack.callback(_tracing.__dict__.clear)
        for name, stateless in _replacements().items():
            stack.enter_context(patch.object(tf.random, name, stateless))
        yield


def _replacements() -> dict[str, Callable[..., Any]]:
    import tensorflow as tf

    stateless = {
        "uniform": tf.random.stateless_uniform,
        "normal": tf.random.stateless_normal,
        "gamma": tf.random.stateless_gamma,
        "shuffle": tf.random.experimental.stateless_shuffle,
    }
    return {name: _in_this_thread(name, function) for name, function in stateless.items()}


def _in_this_thread(name: str, stateless: Callable[..., Any]) -> Callable[..., Any]:
    """The stateless draw in the thread that traces; in all others whatever it was before."""
    import tensorflow as tf

    before = getattr(tf.random, name)
    signature = inspect.signature(before)

    @wraps(before)
    def draw(*positional: Any, **named: Any) -> Any:
        if not hasattr(_tracing, "key"):
            return before(*positional, **named)
        # The seed stands elsewhere in the stateless signature; the names are the same.
        arguments = signature.bind(*positional, **named).arguments
        return stateless(**{**arguments, "seed": _next_seed()})

    return draw


@contextmanager
def _float32() -> Iterator[None]:
    """Sets the global precision policy to float32 and back."""
    import keras

    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(policy)


def _build(make: Callable[[], Any]) -> Any:
    """Builds a layer in float32 whose generators, and those of its parts, are keyed."""
    with _building, _float32():
        layer = make()
    for part in layer._flatten_layers():
        part._random_generator = _KeyedGenerator()
    return layer


def make_rand_augment(settings: AugmentSettings) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """KerasCV's ``RandAugment`` (Cubuk et al. 2020) as a function of images and keys.

    Args:
        settings: Gives operations, magnitude, its deviation, and the rate.

    Returns:
        A function of images, float32 ``(batch, height, width, 3)`` in 0..255, and keys, int64
        ``(batch, 2)``, that gives images of the same shape, type and range. Equal image and key
        give an equal image, eagerly and in any graph.
    """
    import tensorflow as tf

    def make() -> Any:
        from keras_cv.layers import RandAugment

        return RandAugment(
            value_range=(0, 255),
            augmentations_per_image=settings.rand_augment_operations,
            magnitude=settings.rand_augment_magnitude,
            magnitude_stddev=settings.rand_augment_deviation,
            rate=settings.rand_augment_rate,
        )

    layer = _build(make)

    def one(pair: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        image, key = pair
        with _keyed(key):
            result = layer(image)
        return tf.ensure_shape(tf.clip_by_value(result, 0.0, 255.0), image.shape)

    @tf.function
    def rand_augment(images: tf.Tensor, keys: tf.Tensor) -> tf.Tensor:
        return tf.map_fn(one, (images, keys), fn_output_signature=images.dtype)

    return rand_augment


def make_mix(settings: AugmentSettings) -> Callable[..., tuple[tf.Tensor, tf.Tensor, tf.Tensor]]:
    """KerasCV's ``CutMix`` and ``MixUp`` as one function of a batch, a choice and a key.

    Labels and weights are mixed in the shares of the images (for CutMix, of the pixels), so that
    a class weight counts for as much as there is of its class.

    Args:
        settings: Gives the parameters of the Beta distributions.

    Returns:
        A function of images float32 ``(batch, height, width, 3)``, labels float32
        ``(batch, classes)``, weights float32 ``(batch,)``, the choice (`NO_MIX`, `CUTMIX` or
        `MIXUP`) and the key, int64 ``(2,)``, that gives mixed images, labels and weights.
    """
    import tensorflow as tf

    def make(name: str, alpha: float) -> Any:
        import keras_cv

        return getattr(keras_cv.layers, name)(alpha=alpha)

    cutmix = _build(lambda: make("CutMix", settings.cutmix_alpha))
    mixup = _build(lambda: make("MixUp", settings.mixup_alpha))

    @tf.function
    def mix(
        images: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor, choice: tf.Tensor, key: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        # The weight rides along as one more column of the label.
        both = tf.concat([labels, weights[:, None]], axis=1)
        branches = {
            NO_MIX: lambda: (images, both),
            CUTMIX: lambda: _cutmix(cutmix, images, both, key),
            MIXUP: lambda: _mixup(mixup, images, both, key),
        }
        pixels, mixed = tf.switch_case(tf.convert_to_tensor(choice, tf.int32), branches)
        mixed = tf.ensure_shape(mixed, both.shape)
        return tf.ensure_shape(pixels, images.shape), mixed[:, :-1], mixed[:, -1]

    return mix


def _mixup(
    layer: Any, images: tf.Tensor, labels: tf.Tensor, key: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    with _keyed(key):
        result = layer({"images": images, "labels": labels})
    return result["images"], result["labels"]


def _cutmix(
    layer: Any, images: tf.Tensor, labels: tf.Tensor, key: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """CutMix with labels in the shares of the pixels.

    KerasCV reckons the share from the whole rectangle, the part beyond the border included: an
    image with half of its pixels exchanged may count as the other class entirely. Yun et al.
    take what was pasted, and so do we: a mask of image numbers goes through the same cut.
    """
    import tensorflow as tf

    numbers = tf.range(tf.shape(images)[0], dtype=tf.float32)[:, None, None, None]
    masks = tf.ones_like(images[..., :1]) * numbers
    with _keyed(key):
        result = layer({"images": images, "segmentation_masks": masks})
    foreign = result["segmentation_masks"] != numbers
    share = tf.reduce_mean(tf.cast(foreign, tf.float32), axis=(1, 2))
    found = tf.reduce_max(tf.where(foreign, result["segmentation_masks"], -1.0), axis=(1, 2, 3))
    partners = tf.where(found < 0, numbers[:, 0, 0, 0], found)
    partner_labels = tf.gather(labels, tf.cast(partners, tf.int32))
    return result["images"], (1 - share) * labels + share * partner_labels
