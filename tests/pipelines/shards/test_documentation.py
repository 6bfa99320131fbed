"""What docs/data.md says about reading shards without this project."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from pipelines.datasets import open_dataset
from pipelines.shards.pack import pack_dataset
from tests.pipelines.shards.made import cells, small_shards

DOCUMENT = Path(__file__).parents[3] / "docs" / "data.md"


def test_its_snippet_reads_a_pack(tmp_path, monkeypatch):
    manifest = cells(tmp_path / "cells")
    pack_dataset(manifest, tmp_path / "cells_pack", small_shards(order="manifest"))
    blocks = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    (block,) = [block for block in blocks if "TFRecordDataset" in block]
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    exec(compile(block, DOCUMENT.name, "exec"), names)
    read = list(names["images"].as_numpy_iterator())
    assert [int(label) for _, label in read] == open_dataset("cells_pack").label_ids.tolist()
    assert {image.shape for image, _ in read} == {(8, 8, 3)}
    assert {image.dtype for image, _ in read} == {np.dtype("uint8")}
