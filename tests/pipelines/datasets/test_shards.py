from __future__ import annotations

import json
import shutil

import pytest

from pipelines.datasets import open_dataset, recognise
from pipelines.errors import ManifestError
from pipelines.manifest import read_manifest, write_manifest
from pipelines.shards.pack import pack_dataset
from tests.pipelines.datasets.trees import write_pbc
from tests.pipelines.shards.made import cells, small_shards


@pytest.fixture
def pack(tmp_path):
    pack_dataset(cells(tmp_path / "cells"), tmp_path / "pack", small_shards())
    return tmp_path / "pack"


def shards(pack):
    return sorted(pack.glob("shard-*"))


def remove(path):
    path.unlink()


def cut(path):
    path.write_bytes(path.read_bytes()[:-1])


def alter(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "fault"), [(remove, "missing"), (cut, "of another size"), (alter, "altered")]
)
@pytest.mark.parametrize("verify", [False, True])
def test_shards_that_are_not_as_they_were_are_named(pack, damage, fault, verify):
    second = shards(pack)[1]
    damage(second)
    if fault == "altered" and not verify:
        assert len(open_dataset(pack)) == 12
        return
    with pytest.raises(ManifestError, match=f"not whole.*{fault}: '{second.name}'"):
        open_dataset(pack, verify=verify)


def test_a_whole_pack_is_verified(pack):
    assert len(open_dataset(pack, verify=True)) == 12


def test_an_unfinished_pack_is_recognised_and_refused(tmp_path):
    (tmp_path / ".unfinished").mkdir()
    assert recognise(tmp_path) == ("shards", "the folder holds an unfinished pack")
    with pytest.raises(ManifestError, match="not finished; repeat the command"):
        open_dataset(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"pack": 2}', "is of version 2, this program reads version 1"),
        ("{}", "is of version None"),
        ("[]", "is of version None"),
        ("{", "is damaged"),
        ('{"pack": 1}', "is damaged"),
        ('{"pack": 1, "classes": ["x"], "notes": [], "shards": [{}]}', "is damaged"),
        ('{"pack": 1, "classes": 3, "notes": [], "shards": []}', "is damaged"),
    ],
)
def test_descriptions_that_cannot_be_read(pack, text, message):
    (pack / "pack.json").write_text(text)
    with pytest.raises(ManifestError, match=message):
        open_dataset(pack)


def test_a_pack_without_its_manifest(pack):
    (pack / "manifest.csv").unlink()
    with pytest.raises(ManifestError, match=r"No such table: .*manifest\.csv"):
        open_dataset(pack)


def test_a_manifest_of_another_pack(pack):
    """Its references lead beyond the end."""
    table = (pack / "manifest.csv").read_text().replace("#bytes=", "#bytes=99")
    (pack / "manifest.csv").write_text(table)
    with pytest.raises(ManifestError, match=r"12 of 12 files are missing.*or too short"):
        open_dataset(pack)


def test_a_file_is_no_pack(pack):
    with pytest.raises(ManifestError, match="is no folder"):
        open_dataset(pack / "pack.json", "shards")


def test_a_pack_may_be_moved(pack, tmp_path):
    shutil.move(pack, tmp_path / "elsewhere" / "other name")
    manifest = open_dataset(tmp_path / "elsewhere" / "other name", verify=True)
    assert manifest.path(0).name in {manifest.table["path"][0]}


def test_a_manifest_beside_points_into_the_pack(pack, tmp_path):
    write_manifest(open_dataset(pack), tmp_path / "beside.csv", rebase=True)
    beside = read_manifest(tmp_path / "beside.csv")
    assert beside.table["path"][0].startswith("pack/shard-0000")


def test_subsets_of_the_source_come_along(tmp_path):
    write_pbc(tmp_path / "pbc")
    pack_dataset(open_dataset(tmp_path / "pbc"), tmp_path / "pack")
    assert recognise(tmp_path / "pack")[0] == "shards"
    tiny = [open_dataset(tmp_path / name, subset="tiny").table for name in ("pbc", "pack")]
    assert len(tiny[0]) == 16
    assert tiny[0]["path"].tolist() == tiny[1]["packed_from"].tolist()
    fine = open_dataset(tmp_path / "pack", "pbc", fine=True)
    assert "metamyelocyte" in fine.classes


def test_a_subset_that_is_not_known(pack):
    with pytest.raises(ManifestError, match="no column smallest_subset"):
        open_dataset(pack, subset="tiny")


def test_the_description_names_nothing_of_this_machine(pack, tmp_path):
    values = json.loads((pack / "pack.json").read_text())
    assert str(tmp_path) not in json.dumps(values)
    assert str(tmp_path) not in (pack / "manifest.csv").read_text()
