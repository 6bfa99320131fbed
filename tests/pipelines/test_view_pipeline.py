from __future__ import annotations

import numpy as np
import pytest

from pipelines.augment_settings import AugmentSettings
from pipelines.balanced_sampling import ClassBatches
from pipelines.input_pipeline import make_for_train
from pipelines.view_pipeline import make_for_views
from tests.pipelines.fake_manifest import FakeManifest, write_manifest
from tflite.runtime.contract import InputContract
from tflite.runtime.errors import ImageError, LabError

CONTRACT = InputContract(height=12, width=16)
ROWS = np.arange(1, 22)
BATCH = 4
STEPS = 5

Batch = tuple[np.ndarray, np.ndarray, np.ndarray]


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> FakeManifest:
    return write_manifest(tmp_path_factory.mktemp("images"), (12, 8, 2))


def take(manifest: FakeManifest, count: int, **options) -> list[Batch]:
    dataset = make_for_views(
        manifest, ROWS, CONTRACT, **{"batch_size": BATCH, "seed": 3, **options}
    )
    return list(dataset.take(count).as_numpy_iterator())


def rows_of(batch: Batch) -> np.ndarray:
    """The images are of one colour, which tells their row."""
    return batch[0][:, 5, 5, 0] // 2


def test_the_element_is_as_promised(manifest):
    spec = make_for_views(manifest, ROWS, CONTRACT, BATCH, 0).element_spec
    assert [(s.shape.as_list(), s.dtype.name) for s in spec] == [
        ([BATCH, 12, 16, 3], "uint8"),
        ([BATCH], "int32"),
        ([BATCH], "float32"),
    ]


@pytest.mark.parametrize("sampling", ["natural", "balanced"])
def test_the_order_is_that_of_make_for_train(manifest, sampling):
    options = {"sampling": sampling, "start_epoch": 1}
    batches = take(manifest, 2 * STEPS, **options)
    train = make_for_train(manifest, ROWS, CONTRACT, AugmentSettings(), BATCH, 3, **options)
    for batch, other in zip(batches, train.as_numpy_iterator()):
        np.testing.assert_array_equal(rows_of(batch), other["index"])
        np.testing.assert_array_equal(batch[0], other["image"])
        np.testing.assert_array_equal(batch[1], other["label"].argmax(1))


def test_an_image_keeps_its_label_and_weight(manifest):
    weights = np.array([0.5, 1.5, 4.0])
    for batch in take(manifest, STEPS, class_weights=weights):
        labels = manifest.label_ids[rows_of(batch)]
        np.testing.assert_array_equal(batch[1], labels)
        np.testing.assert_allclose(batch[2], weights[labels])


@pytest.mark.parametrize("class_batches", [None, ClassBatches(2, 2)])
def test_a_resumed_stream_is_the_rest_of_the_unbroken_one(manifest, class_batches):
    unbroken = take(manifest, 4 * STEPS, class_batches=class_batches)
    resumed = take(manifest, 2 * STEPS, start_epoch=2, class_batches=class_batches)
    for first, second in zip(unbroken[2 * STEPS :], resumed, strict=True):
        for a, b in zip(first, second):
            np.testing.assert_array_equal(a, b)


def test_class_batches_are_balanced_and_show_every_class(manifest):
    batches = take(manifest, STEPS, class_batches=ClassBatches(2, 2))
    for batch in batches:
        assert sorted(np.bincount(batch[1], minlength=3)) == [0, 2, 2]
    assert {label for batch in batches for label in batch[1]} == {0, 1, 2}


def test_fit_takes_the_stream(manifest):
    import keras

    model = keras.Sequential(
        [keras.Input((12, 16, 3)), keras.layers.Flatten(), keras.layers.Dense(3)]
    )
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    dataset = make_for_views(manifest, ROWS, CONTRACT, BATCH, 0)
    assert len(model.fit(dataset, steps_per_epoch=2, epochs=2, shuffle=False, verbose=0).epoch) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 22}, "fewer than one batch of 22"),
        ({"class_batches": ClassBatches(2, 3)}, "hold 6 images, but batch_size is 4"),
        ({"class_batches": ClassBatches(4, 1)}, "cannot hold 4 classes: only 3"),
        ({"sampling": "balanced", "class_batches": ClassBatches(2, 2)}, "at 'natural'"),
        ({"class_weights": np.ones(2)}, "3 finite numbers"),
        ({"start_epoch": -1}, "must not be negative"),
    ],
)
def test_bad_arguments_are_refused(manifest, options, message):
    with pytest.raises(LabError, match=message):
        take(manifest, 1, **options)


def test_an_unreadable_image_is_named_at_once(tmp_path):
    manifest = write_manifest(tmp_path, (3, 3))
    manifest.path(4).write_bytes(b"no image")
    with pytest.raises(ImageError, match=r"4\.png"):
        make_for_views(manifest, np.arange(6), CONTRACT, 2, 0)
