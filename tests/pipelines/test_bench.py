from __future__ import annotations

from pipelines.bench import BenchSettings, bench_augmentation


def test_each_size_and_method_has_a_row():
    rows = bench_augmentation(
        BenchSettings(pixels=(8, 12), batch_size=4, megapixels=0.001, rounds=1)
    )
    assert [(row["pixels"], row["name"]) for row in rows] == [
        (8, "augmentation, separate Keras layers"),
        (8, "augmentation, one warp and one table"),
        (12, "augmentation, separate Keras layers"),
        (12, "augmentation, one warp and one table"),
    ]
    assert all(row["images_per_second"] > 0 for row in rows)
    assert [row["ratio"] for row in rows if row["name"] == row["against"]] == [1, 1]
