from __future__ import annotations

import numpy as np
import pytest

from lab_models.stored_features import StoredViews, ViewSource, store_features
from pipelines.augment import augment_images
from pipelines.augment_settings import hal_transfer
from pipelines.batch_rows import BatchRows
from pipelines.image_cache import ImageCache
from pipelines.manifest import read_manifest
from tests.lab_models.contrastive.tiny import tiny_encoder
from tflite.runtime.contract import InputContract


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    from PIL import Image

    folder = tmp_path_factory.mktemp("images")
    random = np.random.default_rng(0)
    lines = ["path,label"]
    for i in range(12):
        Image.fromarray(random.integers(0, 256, (24, 24, 3), np.uint8)).save(folder / f"{i}.png")
        lines.append(f"{i}.png,{'ab'[i % 2]}")
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    manifest = read_manifest(folder / "manifest.csv", classes=("a", "b"), root=folder)
    contract = InputContract(height=24, width=24)
    cache = ImageCache(manifest, contract, 10).fill()
    return ViewSource(tiny_encoder(), cache, hal_transfer(), 7, 5), manifest


ROWS = np.array([1, 2, 3, 5, 8, 9, 11])


def test_features_are_those_of_the_views(source, tmp_path):
    views, _ = source
    stored = store_features(views, ROWS, 3, tmp_path / "f.npy", lambda line: None)
    assert stored.shape == (7, 3, 12)
    assert stored.dtype == np.float32
    for view in range(3):
        made = augment_images(views.cache.get(ROWS), hal_transfer(), 7, view, ROWS)
        expected = views.encoder.predict(made, verbose=0)
        np.testing.assert_allclose(stored[:, view], expected, atol=1e-5)
    assert not np.allclose(stored[:, 0], stored[:, 1])


def test_no_views_takes_the_images_as_they_are(source, tmp_path):
    views, _ = source
    stored = store_features(views, ROWS, 0, tmp_path / "f.npy", lambda line: None)
    plain = views.encoder.predict(views.cache.get(ROWS).astype("float32"), verbose=0)
    np.testing.assert_allclose(stored[:, 0], plain, atol=1e-5)


def test_a_second_call_reads_the_file_unless_it_is_of_other_rows(source, tmp_path):
    views, _ = source
    said: list[str] = []
    path = tmp_path / "f.npy"
    first = np.array(store_features(views, ROWS, 2, path, said.append))
    np.testing.assert_array_equal(store_features(views, ROWS, 2, path, said.append), first)
    assert len(said) == 1
    store_features(views, ROWS[:5], 2, path, said.append)
    assert len(said) == 2


@pytest.mark.parametrize("views_per_step", [1, 2])
def test_batches_show_each_row_with_the_next_views(source, tmp_path, views_per_step):
    views, manifest = source
    features = store_features(views, ROWS, 3, tmp_path / "f.npy", lambda line: None)
    labels = np.asarray(manifest.label_ids, np.int32)
    order = BatchRows(ROWS, labels[ROWS], 3, seed=1)
    weights = np.array([1.0, 2.0], np.float32)
    stored = StoredViews(features, ROWS, labels, weights, order)
    batches = stored.batches(0, views_per_step).take(3 * order.steps)
    for step, (feature, label, weight) in enumerate(batches.as_numpy_iterator()):
        shown = order.of(step)
        np.testing.assert_array_equal(label, labels[shown.rows])
        np.testing.assert_array_equal(weight, weights[label])
        for place, row in enumerate(shown.rows):
            for view in range(views_per_step):
                chosen = (step // order.steps * views_per_step + view) % 3
                expected = features[list(ROWS).index(row), chosen]
                np.testing.assert_array_equal(feature[place, view], expected)
    # A stream that begins later is the end of one that began earlier.
    late = next(iter(stored.batches(4, views_per_step).as_numpy_iterator()))
    early = list(stored.batches(0, views_per_step).take(5).as_numpy_iterator())[4]
    for mine, theirs in zip(late, early):
        np.testing.assert_array_equal(mine, theirs)
