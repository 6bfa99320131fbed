from __future__ import annotations

import threading

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipelines.augment_settings import AugmentSettings
from pipelines.keras_cv_layers import (
    CUTMIX,
    MIXUP,
    NO_MIX,
    _keyed,
    layer_keys,
    make_mix,
    make_rand_augment,
    mix_draw,
)

SETTINGS = AugmentSettings(rand_augment_operations=3, cutmix_probability=0.5, mixup_probability=0.3)
BATCH, SIZE = 8, 16


def images() -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 255, (BATCH, SIZE, SIZE, 3)).astype(np.float32)


def keys(epoch: int = 0) -> np.ndarray:
    return layer_keys(1, epoch, np.arange(BATCH), np.zeros(BATCH, int))


def labels() -> np.ndarray:
    return np.eye(BATCH, dtype=np.float32)


def weights() -> np.ndarray:
    return np.arange(1, BATCH + 1, dtype=np.float32)


@pytest.fixture(scope="module")
def rand_augment():
    return make_rand_augment(SETTINGS)


@pytest.fixture(scope="module")
def mix():
    return make_mix(SETTINGS)


@pytest.fixture(params=["mixed_float16", "mixed_bfloat16"])
def policy(request):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy(before)


def operations(function, *arguments) -> set[str]:
    graph = function.get_concrete_function(*map(tf.constant, arguments)).graph.as_graph_def()
    nodes = [*graph.node, *(node for f in graph.library.function for node in f.node_def)]
    return {node.op for node in nodes}


def test_no_draw_keeps_a_state(rand_augment, mix):
    found = operations(rand_augment, images(), keys())
    found |= operations(mix, images(), labels(), weights(), 1, keys()[0])
    draws = {op for op in found if "Random" in op or "Rng" in op}
    assert draws
    assert {op for op in draws if not op.startswith("Stateless")} == set()
    assert not {op for op in found if "Variable" in op}


class TestMixedPrecision:
    def test_the_policy_is_left_as_it_was(self, policy):
        make_rand_augment(SETTINGS)
        make_mix(SETTINGS)
        assert keras.config.dtype_policy().name == policy

    def test_the_images_are_those_of_single_precision(self, policy, rand_augment, mix):
        ours = make_rand_augment(SETTINGS)(images(), keys())
        assert ours.dtype == tf.float32
        np.testing.assert_array_equal(ours, rand_augment(images(), keys()))
        arguments = (images(), labels(), weights())
        for choice in (CUTMIX, MIXUP):
            results = make_mix(SETTINGS)(*arguments, choice, keys()[0])
            for result, expected in zip(results, mix(*arguments, choice, keys()[0])):
                assert result.dtype == tf.float32
                np.testing.assert_array_equal(result, expected)


class TestRandAugment:
    def test_the_key_alone_decides(self, rand_augment):
        first = rand_augment(images(), keys()).numpy()
        backwards = rand_augment(images()[::-1], keys()[::-1]).numpy()
        np.testing.assert_array_equal(first, backwards[::-1])
        np.testing.assert_array_equal(first[:3], rand_augment(images()[:3], keys()[:3]))
        assert (first != rand_augment(images(), keys(epoch=1)).numpy()).any()

    def test_every_operation_of_kerascv_comes_up(self):
        """One operation per image always: equal images fall into as many looks and more."""
        settings = AugmentSettings(
            rand_augment_operations=1, rand_augment_rate=1.0, rand_augment_deviation=0.0
        )
        same = np.repeat(images()[:1], 200, axis=0)
        many = layer_keys(0, 0, np.arange(200), np.zeros(200, int))
        result = make_rand_augment(settings)(same, many).numpy()
        looks = np.unique(result.round(2), axis=0)
        assert len(looks) >= 10

    def test_a_greater_magnitude_changes_more(self):
        change = {}
        for magnitude in (0.05, 0.9):
            settings = AugmentSettings(rand_augment_operations=1, rand_augment_magnitude=magnitude)
            flat = np.tile(np.linspace(80, 160, SIZE, dtype=np.float32)[:, None], (BATCH, 1, SIZE))
            batch = np.repeat(flat[..., None], 3, axis=3)
            change[magnitude] = np.abs(make_rand_augment(settings)(batch, keys()) - batch).mean()
        assert change[0.05] < change[0.9]


class TestMix:
    def test_no_mix_is_what_came(self, mix):
        result = mix(images(), labels(), weights(), NO_MIX, keys()[0])
        for value, expected in zip(result, (images(), labels(), weights())):
            np.testing.assert_array_equal(value, expected)

    @pytest.mark.parametrize("choice", [CUTMIX, MIXUP])
    def test_weights_are_mixed_in_the_shares_of_the_labels(self, mix, choice):
        _, soft, mixed = mix(images(), labels(), weights(), choice, keys()[0])
        np.testing.assert_allclose(soft.numpy().sum(1), 1, atol=1e-5)
        assert (soft.numpy().max(1) < 1).mean() > 0.5
        np.testing.assert_allclose(mixed, soft.numpy() @ weights(), rtol=1e-4)

    def test_cutmix_pastes_rectangles_and_counts_their_pixels(self, mix):
        level = 10 * weights()
        flat = np.ones((BATCH, SIZE, SIZE, 3), np.float32) * level[:, None, None, None]
        cut_at_the_border = 0
        for key in keys():
            result, soft, _ = mix(flat, labels(), weights(), CUTMIX, key)
            for own, image, label in zip(level, result.numpy()[..., 0], soft.numpy()):
                pixels = [(image == other).mean() for other in level]
                np.testing.assert_allclose(label, pixels, atol=1e-6)
                rows, columns = np.nonzero(image != own)
                assert len(rows) == len(set(rows)) * len(set(columns))
                border = {0, SIZE - 1}
                cut_at_the_border += bool(len(rows) and border & {*rows, *columns})
        assert cut_at_the_border > 10

    def test_mixup_is_the_mean_of_two_in_the_shares_of_the_labels(self, mix):
        result, soft, _ = mix(images(), labels(), weights(), MIXUP, keys()[0])
        expected = np.tensordot(soft.numpy(), images(), axes=1)
        np.testing.assert_allclose(result, expected, atol=0.05)

    def test_the_key_alone_decides(self, mix):
        for choice in (CUTMIX, MIXUP):
            results = [
                mix(images(), labels(), weights(), choice, key)[0].numpy()
                for key in (keys()[0], keys()[0], keys()[1])
            ]
            np.testing.assert_array_equal(results[0], results[1])
            assert (results[0] != results[2]).any()


class TestMixDraw:
    def test_choices_come_in_their_shares(self):
        choices = [mix_draw(SETTINGS, 0, 0, batch)[0] for batch in range(2000)]
        shares = np.bincount(choices, minlength=3) / 2000
        np.testing.assert_allclose(shares[[CUTMIX, MIXUP, NO_MIX]], [0.5, 0.3, 0.2], atol=0.04)

    @pytest.mark.parametrize(
        ("settings", "choice"),
        [
            (AugmentSettings(), NO_MIX),
            (AugmentSettings(cutmix_probability=1.0), CUTMIX),
            (AugmentSettings(mixup_probability=1.0), MIXUP),
        ],
    )
    def test_certain_choices(self, settings, choice):
        assert {mix_draw(settings, 0, 0, batch)[0] for batch in range(200)} == {choice}

    def test_keys_differ_between_batches_and_epochs(self):
        places = [(epoch, batch) for epoch in range(5) for batch in range(5)]
        found = {tuple(mix_draw(SETTINGS, 0, *place)[1]) for place in places}
        assert len(found) == 25


class TestReplacedDraws:
    def test_they_are_put_back(self):
        before = (tf.random.uniform, tf.random.normal, tf.random.gamma, tf.random.shuffle)
        with _keyed(tf.constant([1, 2], tf.int64)):
            first = tf.random.uniform((3,))
        with _keyed(tf.constant([1, 2], tf.int64)):
            np.testing.assert_array_equal(tf.random.uniform((3,)), first)
        assert before == (
            tf.random.uniform,
            tf.random.normal,
            tf.random.gamma,
            tf.random.shuffle,
        )

    def test_they_are_put_back_after_an_error(self):
        before = tf.random.uniform
        with pytest.raises(RuntimeError, match="inside"), _keyed(tf.constant([1, 2], tf.int64)):
            raise RuntimeError("inside")
        assert tf.random.uniform is before

    def test_other_threads_keep_their_own(self):
        numbers: list[tf.Tensor] = []
        with _keyed(tf.constant([1, 2], tf.int64)):
            ours = tf.random.uniform((4,)).numpy()
            thread = threading.Thread(target=lambda: numbers.append(tf.random.uniform((4,))))
            thread.start()
            thread.join()
        assert (numbers[0].numpy() != ours).any()
