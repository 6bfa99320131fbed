import numpy as np
import pytest

from tflite.compress import (
    ClusteringSettings,
    FineTuning,
    PruningSettings,
    Variant,
    cluster,
    compression_table,
    measure,
    prune,
    zero_share,
)
from tflite.fine_tuning import FineTuneSettings
from tflite.runtime.errors import LabError


@pytest.fixture(scope="module")
def tuning(pixels, label_ids):
    import tensorflow as tf

    onehot = np.eye(3, dtype=np.float32)[label_ids]
    batches = tf.data.Dataset.from_tensor_slices((pixels.astype(np.float32), onehot)).batch(8)
    settings = FineTuneSettings(epochs=2, learning_rate=1e-3, distillation=0.0)
    return FineTuning(batches, batches, settings=settings, say=lambda line: None)


def _kernel(model):
    return next(w for w in model.get_weights() if w.ndim == 4)


def test_pruning_reaches_the_sparsity_and_nothing_else_becomes_zero(model, tuning):
    before = [w.copy() for w in model.get_weights()]
    pruned = prune(model, tuning, PruningSettings(0.75, smallest_kernel=100))
    kernel = _kernel(pruned.model)
    assert (kernel == 0).mean() == pytest.approx(0.75, abs=0.01)
    assert zero_share(pruned.model) == pytest.approx(162 / 240, abs=0.01)
    assert len(pruned.history) == 3
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def test_clustered_kernels_share_few_values(model, tuning, pixels):
    clustered = cluster(model, tuning, ClusteringSettings(4, smallest_kernel=100))
    assert len(np.unique(_kernel(clustered.model))) <= 4
    # It began with the trained weights: it still answers like the network it came from.
    images = pixels.astype(np.float32)
    before, after = model(images, training=False), clustered.model(images, training=False)
    assert (np.argmax(before, 1) == np.argmax(after, 1)).mean() > 0.8


def test_files_are_measured_plain_and_packed(model, pixels):
    seen = []

    def accuracy(content):
        seen.append(content)
        return 0.5

    variants = measure("as trained", model, pixels, accuracy)
    assert [v.recipe for v in variants] == ["float32", "int8_full"]
    assert [v.content for v in variants] == seen
    assert all(0 < v.packed_bytes < len(v.content) for v in variants)
    assert "as trained" in compression_table(variants)


def test_table_gives_kilobytes():
    row = compression_table([Variant("a", "float32", bytes(12_345), 0.91234, 0.5)]).splitlines()[2]
    assert [cell.strip() for cell in row.strip("|").split("|")] == [
        "a", "float32", "0.9123", "0.500", "12", "0"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PruningSettings(1.0), "sparsity"),
        (lambda: PruningSettings(0.5, initial_sparsity=0.6), "initial_sparsity"),
        (lambda: PruningSettings(0.5, ends_at=0.0), "ends_at"),
        (lambda: ClusteringSettings(1), "clusters"),
    ],
)
def test_bad_settings_are_refused(make, message):
    with pytest.raises(LabError, match=message):
        make()


def test_a_network_without_large_kernels_is_refused(model, tuning):
    with pytest.raises(LabError, match="smallest_kernel"):
        prune(model, tuning, PruningSettings(smallest_kernel=10**6))
