from __future__ import annotations

import pandas as pd

from lab_models.bench import BenchSettings, run_bench, write_bench
from lab_models.bench_contrastive import FrozenPhaseSettings, LargeBatchSettings
from pipelines.bench_inspection import InspectionBenchSettings
from pipelines.bench_shards import StoredImagesSettings


def test_rows_cover_what_users_wait_for_and_are_written_whole(tmp_path, monkeypatch):
    row = {"name": "one warp", "pixels": 96, "images_per_second": 10.0, "ratio": 5.0,
           "against": "Keras layers", "runs": 1}  # fmt: skip
    monkeypatch.setattr("pipelines.bench.bench_augmentation", lambda: [row])
    settings = BenchSettings(
        (("resnet10_half", 32),), 2, repeats=1, steps=1, smears=40, smear_size=32,
        large_batch=LargeBatchSettings("resnet10_half", 32, 8, 4, images=8, repeats=1),
        frozen_phase=FrozenPhaseSettings("resnet10_half", 32, 16, 2, 1, 8, repeats=1),
        stored_images=StoredImagesSettings(images=6, size=24, pixels=16, repeats=1),
        inspection=InspectionBenchSettings((16,), images=2, hashes=40, rounds=1),
    )  # fmt: skip
    said = []
    table = run_bench(settings, said.append)
    assert list(table["name"]) == [
        "one warp",
        "images, bytes, folder, in order",
        "images, bytes, shards, in order",
        "images, bytes, folder, at random",
        "images, bytes, shards, at random",
        "images, decoded to 16 px, folder, in order",
        "images, decoded to 16 px, shards, in order",
        "images, decoded to 16 px, folder, at random",
        "images, decoded to 16 px, shards, at random",
        "inspection, measuring, 16 px",
        "near duplicates, every turn of every pair compared",
        "near duplicates, turns bounded by two transforms",
        "synthetic smears, drawn and written",
        "resnet10_half, training step",
        "resnet10_half, evaluation",
        "resnet10_half, SupCon step, batch of 4",
        "resnet10_half, SupCon step, batch of 8 in parts of 4",
        "resnet10_half frozen, classifier 2 epochs, encoder in each",
        "resnet10_half frozen, classifier 2 epochs, 1 stored views",
    ]
    assert (table["images_per_second"] > 0).all()
    assert len("\n".join(said).splitlines()) == 19
    assert (table["megabytes_per_second"].dropna() > 0).sum() == 8
    memory = table.set_index("name")["megabytes"].dropna()
    assert len(memory) == 2
    assert (memory > 100).all()
    path = write_bench(table, tmp_path)
    assert {"tensorflow_version", "commit"} <= set(pd.read_csv(path).columns)
