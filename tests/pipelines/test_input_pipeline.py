from __future__ import annotations

import numpy as np
import pytest

from pipelines.augment_settings import AugmentSettings, hal_transfer
from pipelines.image_cache import ImageCache
from pipelines.input_pipeline import (
    for_fit,
    make_for_eval,
    make_for_train,
)
from tests.pipelines.fake_manifest import FakeManifest, write_manifest
from tflite.runtime.contract import InputContract
from tflite.runtime.errors import ImageError, LabError

CONTRACT = InputContract(height=12, width=16)
ROWS = np.arange(1, 22)
BATCH = 4
STEPS = 5
EVERYTHING = AugmentSettings(
    rotation=0.5,
    contrast=0.3,
    noise=4,
    rand_augment_operations=1,
    cutmix_probability=0.4,
    mixup_probability=0.4,
)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> FakeManifest:
    return write_manifest(tmp_path_factory.mktemp("images"), (12, 8, 2))


def take(manifest: FakeManifest, count: int, **options) -> list[dict[str, np.ndarray]]:
    arguments = {"augment": hal_transfer(), "batch_size": BATCH, "seed": 3, **options}
    dataset = make_for_train(manifest, ROWS, CONTRACT, **arguments)
    return list(dataset.take(count).as_numpy_iterator())


def assert_equal(first: list, second: list) -> None:
    assert len(first) == len(second)
    for a, b in zip(first, second):
        for name in a:
            np.testing.assert_array_equal(a[name], b[name], err_msg=name)


class TestMakeForTrain:
    def test_the_element_is_as_promised(self, manifest):
        dataset = make_for_train(manifest, ROWS, CONTRACT, hal_transfer(), BATCH, 0)
        spec = {name: (s.shape.as_list(), s.dtype.name) for name, s in dataset.element_spec.items()}
        assert spec == {
            "image": ([BATCH, 12, 16, 3], "float32"),
            "label": ([BATCH, 3], "float32"),
            "weight": ([BATCH], "float32"),
            "index": ([BATCH], "int64"),
        }

    def test_an_image_keeps_its_label_index_and_weight(self, manifest):
        weights = np.array([0.5, 1.5, 4.0])
        batches = take(manifest, STEPS, augment=AugmentSettings(), class_weights=weights)
        for batch in batches:
            labels = manifest.label_ids[batch["index"]]
            np.testing.assert_array_equal(batch["image"][:, 5, 5, 0], 2 * batch["index"])
            np.testing.assert_array_equal(batch["label"], np.eye(3)[labels])
            np.testing.assert_allclose(batch["weight"], weights[labels])

    def test_an_epoch_shows_no_row_twice_and_only_rows_asked_for(self, manifest):
        for epoch in range(2):
            batches = take(manifest, STEPS, start_epoch=epoch)
            shown = np.concatenate([batch["index"] for batch in batches])
            assert len(set(shown)) == STEPS * BATCH
            assert set(shown) <= set(ROWS)

    def test_epochs_and_images_differ_in_order_and_draws(self, manifest):
        batches = take(manifest, 2 * STEPS)
        first, second = batches[:STEPS], batches[STEPS:]
        assert any((a["index"] != b["index"]).any() for a, b in zip(first, second))

    @pytest.mark.parametrize(
        ("sampling", "augment"),
        [("natural", hal_transfer()), ("balanced", hal_transfer()), ("balanced", EVERYTHING)],
        ids=["natural", "balanced", "everything"],
    )
    def test_a_resumed_stream_is_the_rest_of_the_unbroken_one(self, manifest, sampling, augment):
        options = {"sampling": sampling, "augment": augment}
        unbroken = take(manifest, 4 * STEPS, **options)
        resumed = take(manifest, 2 * STEPS, start_epoch=2, **options)
        assert_equal(unbroken[2 * STEPS :], resumed)

    def test_the_cache_changes_nothing(self, manifest):
        assert_equal(take(manifest, STEPS), take(manifest, STEPS, cache_megabytes=0))

    def test_iterating_again_starts_again(self, manifest):
        dataset = make_for_train(manifest, ROWS, CONTRACT, hal_transfer(), BATCH, 0)
        passes = [list(dataset.take(3).as_numpy_iterator()) for _ in range(2)]
        assert_equal(*passes)

    def test_another_seed_gives_another_order(self, manifest):
        first, second = take(manifest, 1, seed=1), take(manifest, 1, seed=2)
        assert (first[0]["index"] != second[0]["index"]).any()

    def test_mixed_batches_have_soft_labels_and_mixed_weights(self, manifest):
        weights = np.array([1.0, 2.0, 7.0])
        settings = AugmentSettings(cutmix_probability=0.5, mixup_probability=0.5)
        batches = take(manifest, STEPS, augment=settings, class_weights=weights)
        assert max((batch["label"] > 0.01).sum(1).max() for batch in batches) > 1
        for batch in batches:
            np.testing.assert_allclose(batch["label"].sum(1), 1, atol=1e-5)
            np.testing.assert_allclose(batch["weight"], batch["label"] @ weights, rtol=1e-4)

    def test_the_share_of_mixed_batches_is_the_probability(self, manifest):
        settings = AugmentSettings(cutmix_probability=0.3)
        batches = take(manifest, 200, augment=settings, batch_size=20)
        mixed = np.mean([(batch["label"].max(1) < 1).any() for batch in batches])
        # Four standard deviations of 200 draws.
        assert mixed == pytest.approx(0.3, abs=0.13)

    def test_balanced_sampling_shows_every_class_alike(self, manifest):
        batches = take(manifest, STEPS, sampling="balanced", batch_size=4)
        shown = np.concatenate([batch["index"] for batch in batches])
        # One of the 21 rows is left over.
        counts = np.bincount(manifest.label_ids[shown], minlength=3)
        assert counts.min() >= 6
        assert counts.max() <= 7

    def test_repeats_of_a_row_are_augmented_anew(self, manifest):
        settings = AugmentSettings(exposure=0.5)
        (batch,) = take(manifest, 1, sampling="balanced", batch_size=21, augment=settings)
        row = np.bincount(batch["index"]).argmax()
        levels = batch["image"][batch["index"] == row][:, 0, 0, 0]
        assert len(levels) >= 3
        assert len(set(levels)) == len(levels)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"batch_size": 22}, "fewer than one batch of 22"),
            ({"batch_size": 0}, "at least 1"),
            ({"sampling": "fair"}, r"one of \['balanced', 'natural'\]"),
            ({"class_weights": np.ones(2)}, "3 finite numbers"),
            ({"class_weights": np.array([1, 1, np.nan])}, "3 finite numbers"),
            ({"start_epoch": -1}, "must not be negative"),
        ],
    )
    def test_bad_arguments_are_refused(self, manifest, options, message):
        with pytest.raises(LabError, match=message):
            take(manifest, 1, **options)

    def test_an_unreadable_image_is_named_at_once(self, tmp_path):
        manifest = write_manifest(tmp_path, (3, 3))
        manifest.path(4).write_bytes(b"no image")
        with pytest.raises(ImageError, match=r"4\.png"):
            make_for_train(manifest, np.arange(6), CONTRACT, hal_transfer(), 2, 0)


class TestMakeForEval:
    @pytest.mark.parametrize("batch_size", [1, 4, 7, 30])
    def test_every_row_once_in_order(self, manifest, batch_size):
        dataset = make_for_eval(manifest, ROWS, CONTRACT, batch_size)
        batches = list(dataset.as_numpy_iterator())
        assert len(batches) == dataset.cardinality()
        rows = np.concatenate([batch["index"] for batch in batches])
        np.testing.assert_array_equal(rows, ROWS)
        images = np.concatenate([batch["image"] for batch in batches])
        np.testing.assert_array_equal(images[:, 0, 0, 0], 2 * ROWS)
        labels = np.concatenate([batch["label"] for batch in batches])
        np.testing.assert_array_equal(labels, manifest.label_ids[ROWS])

    def test_the_element_is_as_promised(self, manifest):
        spec = make_for_eval(manifest, ROWS, CONTRACT, 4).element_spec
        types = {name: s.dtype.name for name, s in spec.items()}
        assert types == {"image": "uint8", "label": "int32", "weight": "float32", "index": "int64"}
        assert spec["image"].shape.as_list() == [None, 12, 16, 3]

    def test_the_second_pass_equals_the_first(self, manifest):
        dataset = make_for_eval(manifest, ROWS, CONTRACT, 4)
        assert_equal(*[list(dataset.as_numpy_iterator()) for _ in range(2)])

    def test_nothing_to_evaluate_is_an_error(self, manifest):
        with pytest.raises(LabError, match="at least one image"):
            make_for_eval(manifest, np.array([], int), CONTRACT, 4)


class TestForFit:
    def test_both_kinds_give_what_fit_takes(self, manifest):
        train = make_for_train(manifest, ROWS, CONTRACT, hal_transfer(), BATCH, 0)
        evaluation = make_for_eval(manifest, ROWS, CONTRACT, BATCH)
        for dataset in (train, evaluation):
            image, label, weight = next(iter(for_fit(dataset, 3)))
            assert image.dtype == label.dtype == weight.dtype == "float32"
            assert label.shape == (BATCH, 3)
            np.testing.assert_allclose(label.numpy().sum(1), 1)


def test_a_shared_cache_serves_both(manifest):
    cache = ImageCache(manifest, CONTRACT)
    train = make_for_train(manifest, ROWS, CONTRACT, AugmentSettings(), BATCH, 0, cache=cache)
    evaluation = make_for_eval(manifest, ROWS[:3], CONTRACT, 2, cache=cache)
    assert next(iter(train))["image"].shape == (BATCH, 12, 16, 3)
    np.testing.assert_array_equal(next(iter(evaluation))["image"][:, 0, 0, 0], [2, 4])
