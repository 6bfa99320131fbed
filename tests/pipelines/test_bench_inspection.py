from __future__ import annotations

from pipelines.bench_inspection import InspectionBenchSettings, bench_inspection


def test_measuring_and_both_searches_have_a_row():
    rows = bench_inspection(InspectionBenchSettings((16, 20), images=2, hashes=70, rounds=1))
    assert [row["pixels"] for row in rows] == [16, 20, 64, 64]
    assert [row["name"] for row in rows] == [
        "inspection, measuring, 16 px",
        "inspection, measuring, 20 px",
        "near duplicates, every turn of every pair compared",
        "near duplicates, turns bounded by two transforms",
    ]
    assert all(row["images_per_second"] > 0 for row in rows)
    assert rows[2]["ratio"] == 1
    assert {row["against"] for row in rows} == {"", rows[2]["name"]}
