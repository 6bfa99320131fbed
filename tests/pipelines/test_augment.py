"""What every augmentation must do, each on its own, eagerly and inside `Dataset.map`."""

from __future__ import annotations

from dataclasses import fields
from functools import lru_cache

import numpy as np
import pytest

from pipelines.augment import augment_images
from pipelines.augment_settings import (
    PRESETS,
    AugmentSettings,
    hal_transfer,
)
from pipelines.colour import LUMINANCE
from pipelines.keras_cv_layers import CUTMIX, MIXUP, layer_keys, make_mix, make_rand_augment

BATCH, HEIGHT, WIDTH, CLASSES = 6, 20, 24, 3
INDICES = np.array([4, 8, 15, 16, 23, 42])
STRENGTHS = {
    "rotation": 0.5,
    "translation": 0.2,
    "zoom": 0.3,
    "aspect": 0.3,
    "horizontal_flip": True,
    "vertical_flip": True,
    "contrast": 0.5,
    "exposure": 0.4,
    "colour": 0.3,
    "hue": 0.2,
    "saturation": 0.5,
    "blur": 2.0,
    "noise": 10.0,
    "rand_augment_operations": 1,
    "cutmix_probability": 1.0,
    "mixup_probability": 1.0,
}
ALONE = {name: AugmentSettings(**{name: value}) for name, value in STRENGTHS.items()}
TOGETHER = AugmentSettings(**{k: v for k, v in STRENGTHS.items() if not k.startswith("mixup")})
# KerasCV's part has tests of its own.
PRESET = {name: make() for name, make in PRESETS.items() if name != "an2dl"}
TABLE = {**ALONE, "together": TOGETHER, **PRESET}
PER_IMAGE = {name: s for name, s in ALONE.items() if not s.mixes}


def images(dtype: type = np.uint8) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (BATCH, HEIGHT, WIDTH, 3)).astype(dtype)


def one_hot() -> np.ndarray:
    return np.eye(CLASSES, dtype=np.float32)[np.arange(BATCH) % CLASSES]


# Tracing is slow, and what comes out depends on settings, images and keys alone.
cached_rand_augment = lru_cache(make_rand_augment)
cached_mix = lru_cache(make_mix)


def make_augment(settings: AugmentSettings, seed: int = 1):
    """Everything that the settings ask for, as a function of images, labels, epoch, indices."""
    import tensorflow as tf

    rand_augment = cached_rand_augment(settings) if settings.rand_augment_operations else None
    mix = cached_mix(settings) if settings.mixes else None
    choice = CUTMIX if settings.cutmix_probability else MIXUP

    def own(batch: np.ndarray, epoch: int, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        keys = layer_keys(seed, int(epoch), indices, np.zeros_like(indices))
        return augment_images(batch, settings, seed, int(epoch), indices), keys

    def augment(batch, labels, epoch, indices):
        types = (tf.float32, tf.int64)
        batch, keys = tf.numpy_function(own, [batch, epoch, indices], types, stateful=False)
        # As in the pipeline; and eager calls and graphs then share one trace.
        batch.set_shape((BATCH, HEIGHT, WIDTH, 3))
        keys.set_shape((BATCH, 2))
        if rand_augment is not None:
            batch = rand_augment(batch, keys)
        if mix is not None:
            batch, labels, _ = mix(batch, labels, tf.ones(BATCH), choice, keys[0])
        return batch, labels

    return augment


def run_eagerly(augment, epoch: int = 0, order=slice(None)):
    import tensorflow as tf

    result = augment(tf.constant(images()), tf.constant(one_hot()), epoch, INDICES)
    return tuple(value.numpy()[order] for value in result)


def run_in_map(augment, epochs: int = 1):
    import tensorflow as tf

    steps = tf.data.Dataset.range(epochs)
    mapped = steps.map(
        lambda epoch: augment(tf.constant(images()), tf.constant(one_hot()), epoch, INDICES),
        num_parallel_calls=4,
    )
    return list(mapped.as_numpy_iterator())


def test_the_table_holds_every_augmentation():
    modifiers = ("fill", "fill_value", "cutmix_alpha", "mixup_alpha")
    strengths = {
        field.name
        for field in fields(AugmentSettings)
        if field.name not in modifiers and not field.name.startswith("rand_augment_")
    }
    assert strengths | {"rand_augment_operations"} == set(STRENGTHS)


@pytest.mark.parametrize("settings", TABLE.values(), ids=TABLE)
def test_contract(settings):
    augment = make_augment(settings)
    result, labels = run_eagerly(augment)
    assert result.shape == (BATCH, HEIGHT, WIDTH, 3)
    assert result.dtype == np.float32
    assert np.isfinite(result).all()
    assert 0 <= result.min() <= result.max() <= 255
    assert labels.shape == (BATCH, CLASSES)
    assert labels.dtype == np.float32
    np.testing.assert_allclose(labels.sum(1), 1, atol=1e-5)
    if not settings.mixes:
        np.testing.assert_array_equal(labels, one_hot())
    # Equal seeds give equal images, and a graph gives what eager execution gives.
    ((in_map, labels_in_map),) = run_in_map(augment)
    np.testing.assert_array_equal(in_map, result)
    np.testing.assert_array_equal(labels_in_map, labels)
    np.testing.assert_array_equal(run_eagerly(make_augment(settings))[0], result)


@pytest.mark.parametrize("settings", [*ALONE.values(), TOGETHER], ids=[*ALONE, "together"])
def test_something_happens_and_something_else_in_the_next_epoch_and_with_another_seed(settings):
    augment = make_augment(settings)
    (first, _), (second, _) = run_in_map(augment, epochs=2)
    assert (first != images()).any()
    assert (first != second).any()
    assert (run_eagerly(make_augment(settings, seed=2))[0] != first).any()


@pytest.mark.parametrize("settings", PER_IMAGE.values(), ids=PER_IMAGE)
def test_images_of_a_batch_draw_on_their_own(settings):
    same = np.repeat(images()[:1], 30, axis=0)
    result = augment_images(same, settings, 0, 0, np.arange(30))
    if settings.rand_augment_operations:
        keys = layer_keys(0, 0, np.arange(30), np.zeros(30, int))
        result = cached_rand_augment(settings)(result, keys).numpy()
    expected = 2 if "flip" in next(k for k, v in PER_IMAGE.items() if v == settings) else 20
    assert len(np.unique(result, axis=0)) >= expected


@pytest.mark.parametrize("settings", PER_IMAGE.values(), ids=PER_IMAGE)
def test_draws_do_not_depend_on_the_batch(settings):
    whole = augment_images(images(), settings, 3, 1, INDICES)
    backwards = augment_images(images()[::-1], settings, 3, 1, INDICES[::-1])[::-1]
    np.testing.assert_array_equal(whole, backwards)
    for i in range(BATCH):
        alone = augment_images(images()[i : i + 1], settings, 3, 1, INDICES[i : i + 1])
        np.testing.assert_array_equal(whole[i], alone[0])


def test_copies_of_a_row_draw_anew():
    settings = hal_transfer()
    first = augment_images(images(), settings, 0, 0, INDICES)
    zeros = np.zeros(BATCH, int)
    np.testing.assert_array_equal(augment_images(images(), settings, 0, 0, INDICES, zeros), first)
    second = augment_images(images(), settings, 0, 0, INDICES, zeros + 1)
    assert (first != second).any((1, 2, 3)).all()


def test_no_augmentation_is_the_image():
    result = augment_images(images(), AugmentSettings(), 0, 0, INDICES)
    np.testing.assert_array_equal(result, images().astype(np.float32))


def test_the_input_is_not_written_to():
    batch = images()
    augment_images(batch, AugmentSettings(hue=0.3, noise=9, blur=2), 0, 0, INDICES)
    np.testing.assert_array_equal(batch, images())


def test_a_batch_that_is_a_view_is_taken_too():
    batch = images()[:, ::-1, ::2]
    settings = AugmentSettings(rotation=0.2, hue=0.1, blur=1)
    expected = augment_images(np.ascontiguousarray(batch), settings, 0, 0, INDICES)
    np.testing.assert_array_equal(augment_images(batch, settings, 0, 0, INDICES), expected)


def test_an_empty_batch_stays_empty():
    result = augment_images(images()[:0], TOGETHER, 0, 0, INDICES[:0])
    assert result.shape == (0, HEIGHT, WIDTH, 3)


def test_noise_has_the_deviation_asked_for():
    grey = np.full((200, 16, 16, 3), 128, np.uint8)
    noisy = augment_images(grey, AugmentSettings(noise=20), 0, 0, np.arange(200))
    deviations = noisy.std((1, 2, 3))
    assert deviations.max() < 22
    assert deviations.mean() == pytest.approx(10, abs=2)
    assert noisy.mean() == pytest.approx(128, abs=0.5)


def test_hue_and_saturation_keep_the_brightness_of_every_pixel():
    muted = (100 + images() // 8).astype(np.uint8)
    result = augment_images(muted, AugmentSettings(hue=0.5, saturation=0.5), 0, 0, INDICES)
    assert np.abs(result - muted).max() > 5
    np.testing.assert_allclose(result @ LUMINANCE, muted @ LUMINANCE, atol=0.05)


def test_blur_takes_detail_and_leaves_the_mean():
    blurred = augment_images(images(), AugmentSettings(blur=3), 0, 0, INDICES)
    assert blurred.std((1, 2, 3)).min() < 0.3 * images().std()
    np.testing.assert_allclose(blurred.mean(), images().mean(), atol=4)


@pytest.mark.parametrize(
    ("batch", "indices", "copies", "message"),
    [
        (images(np.float32), INDICES, None, "must be uint8"),
        (images()[0], INDICES, None, "must be uint8"),
        (images()[..., :1], INDICES, None, "must be uint8"),
        (images(), INDICES[:2], None, "one index"),
        (images(), INDICES, INDICES[:2], "one copy number"),
    ],
)
def test_wrong_arrays_are_refused(batch, indices, copies, message):
    with pytest.raises(ValueError, match=message):
        augment_images(batch, hal_transfer(), 0, 0, indices, copies)


def test_a_bad_seed_is_refused():
    with pytest.raises(ValueError, match="seed"):
        augment_images(images(), hal_transfer(), -1, 0, INDICES)
