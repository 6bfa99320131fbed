from __future__ import annotations

import pandas as pd

from lab_models.bench import BenchSettings, run_bench, write_bench


def test_rows_cover_what_users_wait_for_and_are_written_whole(tmp_path, monkeypatch):
    row = {"name": "one warp", "pixels": 96, "images_per_second": 10.0, "ratio": 5.0,
           "against": "Keras layers", "runs": 1}  # fmt: skip
    monkeypatch.setattr("pipelines.bench.bench_augmentation", lambda: [row])
    settings = BenchSettings((("resnet10_half", 32),), 2, repeats=1, steps=1, smears=40,
                             smear_size=32)  # fmt: skip
    said = []
    table = run_bench(settings, said.append)
    assert list(table["name"]) == [
        "one warp",
        "synthetic smears, drawn and written",
        "resnet10_half, training step",
        "resnet10_half, evaluation",
    ]
    assert (table["images_per_second"] > 0).all()
    assert len("\n".join(said).splitlines()) == 4
    path = write_bench(table, tmp_path)
    assert {"tensorflow_version", "commit"} <= set(pd.read_csv(path).columns)
