from __future__ import annotations

import pytest

from pipelines.bench_shards import StoredImagesSettings, bench_stored_images, rows_as_stored
from pipelines.datasets import open_dataset
from pipelines.shards.pack import pack_dataset
from tests.pipelines.shards.made import cells, small_shards


def test_shards_stand_beside_the_folder():
    settings = StoredImagesSettings(images=6, size=24, pixels=16, repeats=1, workers=1)
    rows = {row["name"]: row for row in bench_stored_images(settings)}
    assert len(rows) == 8
    for name, row in rows.items():
        folder = rows[name.replace("shards", "folder")]
        assert row["ratio"] == row["images_per_second"] / folder["images_per_second"]
        assert row["against"] == ("" if row is folder else folder["name"])
        size = row["megabytes_per_second"] / row["images_per_second"]
        assert size == pytest.approx(folder["megabytes_per_second"] / folder["images_per_second"])
        assert 0 < size < 0.01


def test_rows_as_they_lie_in_the_shards(tmp_path):
    pack_dataset(cells(tmp_path / "cells"), tmp_path / "pack", small_shards(order="manifest"))
    assert rows_as_stored(open_dataset(tmp_path / "pack")).tolist() == list(range(12))
    pack_dataset(cells(tmp_path / "again"), tmp_path / "shuffled", small_shards())
    rows = rows_as_stored(open_dataset(tmp_path / "shuffled"))
    assert sorted(rows) == list(range(12)) != rows.tolist()
