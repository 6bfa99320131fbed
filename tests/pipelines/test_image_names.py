from __future__ import annotations

import pandas as pd
import pytest

from pipelines.folds import FoldSettings, make_folds
from pipelines.image_names import names_to_draw_by
from pipelines.manifest import make_manifest
from pipelines.shards.pack import pack_dataset
from pipelines.shards.pack_file import MANIFEST
from tests.pipelines.shards.made import cells


@pytest.mark.parametrize(
    ("columns", "names"),
    [
        ({}, ["a", "b"]),
        ({"packed_from": ["c", "d"]}, ["c", "d"]),
        ({"packed_from": ["c", ""]}, ["a", "b"]),
        ({"packed_from": ["c", "c"]}, ["a", "b"]),
    ],
    ids=["never packed", "packed", "packed in part", "two packs with equal names"],
)
def test_names_before_packing_count_where_each_image_has_one(columns, names):
    assert names_to_draw_by(pd.DataFrame({"path": ["a", "b"], **columns})) == names


def test_a_pack_is_dealt_to_the_folds_of_its_folder(tmp_path):
    manifest = cells(tmp_path / "cells", 30)
    pack_dataset(manifest, tmp_path / "pack")
    table = pd.read_csv(tmp_path / "pack" / MANIFEST, dtype=str, keep_default_na=False)
    packed = make_manifest(table, tmp_path / "pack")
    settings = FoldSettings(folds=3, by="image")
    for one, two in zip(make_folds(manifest, settings), make_folds(packed, settings)):
        assert one.table["split"].tolist() == two.table["split"].tolist()
