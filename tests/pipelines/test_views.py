from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from pipelines.augment import augment_images
from pipelines.augment_settings import AugmentSettings, hal_projection
from pipelines.views import ViewMaker, as_pixels
from tflite.runtime.errors import LabError

STEP = tf.constant(3, tf.int64)


def _images(count=6):
    return np.random.default_rng(0).integers(0, 256, (count, 16, 20, 3)).astype("uint8")


def _view(maker, images, positions, view=0, step=STEP):
    call = tf.function(lambda i, s, p: maker(i, s, p, view))
    return call(tf.constant(images), step, tf.constant(positions, tf.int64)).numpy()


def test_views_are_those_of_the_input_pipeline():
    images, positions = _images(), np.arange(6)
    made = _view(ViewMaker(hal_projection(), 5), images, positions, view=1)
    expected = augment_images(images, hal_projection(), 5, 3, positions, np.ones(6, int))
    np.testing.assert_array_equal(made, expected)


@pytest.mark.parametrize(
    "settings",
    [hal_projection(), AugmentSettings(rotation=0.2, rand_augment_operations=2)],
    ids=["warp", "rand_augment"],
)
def test_views_do_not_depend_on_the_portion_they_are_made_in(settings):
    images, positions = _images(), np.arange(6)
    maker = ViewMaker(settings, 5)
    whole = _view(maker, images, positions)
    parts = [_view(maker, images[s], positions[s]) for s in (slice(0, 4), slice(4, 6))]
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-3)
    assert whole.dtype == np.float32
    assert whole.min() >= 0
    assert whole.max() <= 255


def test_views_steps_positions_and_seeds_draw_anew():
    images = np.repeat(_images(1), 2, axis=0)
    maker = ViewMaker(hal_projection(), 5)
    first = _view(maker, images, [0, 1])
    assert not np.allclose(first[0], first[1])
    others = [
        _view(maker, images, [0, 1], view=1),
        _view(maker, images, [0, 1], step=tf.constant(4, tf.int64)),
        _view(ViewMaker(hal_projection(), 6), images, [0, 1]),
    ]
    for other in others:
        assert not np.allclose(first[0], other[0])


def test_float_images_are_rounded_and_scaled_ones_refused():
    images = _images()
    np.testing.assert_array_equal(as_pixels(images.astype("float32") + 0.2), images)
    for bad in (images / 255.0, images / 127.5 - 1, images * np.nan):
        with pytest.raises(ValueError, match=r"pixel values in 0\.\.255"):
            as_pixels(bad.astype("float32"))


def test_mixing_is_refused():
    with pytest.raises(LabError, match=r"got 0\.0 and 0\.3"):
        ViewMaker(AugmentSettings(mixup_probability=0.3), 0)
