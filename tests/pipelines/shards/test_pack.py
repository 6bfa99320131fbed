"""What a pack holds, and that it is the same data set."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pipelines.datasets import open_dataset
from pipelines.errors import ManifestError
from pipelines.further_images import choose_image
from pipelines.manifest import make_manifest
from pipelines.same_content import same_content
from pipelines.shards.pack import pack_dataset
from pipelines.shards.plan import _shards
from pipelines.shards.settings import PackSettings
from pipelines.split import SplitSettings, split_manifest
from pipelines.split_plan import SplitPlan
from pipelines.subsets import SubsetSettings, choose_subset
from tests.pipelines.datasets.trees import BUILDERS
from tests.pipelines.disk import BAD_FILES, write_bad_file
from tests.pipelines.shards.made import cells, content, lights, parts, small_shards
from tests.pipelines.untimed import UNTIMED
from tflite.runtime.preprocess import decode_image
from tflite.runtime.references import parse_reference
from tflite.runtime.stored_images import read_stored


def records(folder):
    """All records by the library's own reader, as plain values, in the order of the shards."""
    files = sorted(map(str, folder.glob("*.tfrecord")))
    found = []
    for record in tf.data.TFRecordDataset(files).as_numpy_iterator():
        features = tf.train.Example.FromString(record).features.feature
        found.append(
            {
                name: (list(feature.int64_list.value) or list(feature.bytes_list.value))[0]
                for name, feature in features.items()
            }
        )
    return found


def test_bytes_at_the_references_are_the_files(tmp_path):
    manifest = cells(tmp_path / "cells")
    pack_dataset(manifest, tmp_path / "pack", small_shards())
    packed = open_dataset(tmp_path / "pack")
    assert len(list((tmp_path / "pack").glob("shard-*-of-*.tfrecord"))) > 2
    for row in range(len(manifest)):
        stored = read_stored(parse_reference(packed.path(row)))
        assert stored == manifest.path(row).read_bytes()


def test_the_manifest_keeps_rows_order_and_columns(tmp_path):
    manifest = cells(
        tmp_path / "cells", slide=[f"s{i // 4}" for i in range(12)], stain="MGG",
        experts=[3, 0] * 6, agreement=[0.5, None] * 6, split=["train"] * 8 + ["test"] * 4,
    )  # fmt: skip
    pack_dataset(manifest, tmp_path / "pack", small_shards())
    packed = open_dataset(tmp_path / "pack")
    assert packed.notes[0] == "Read as shards: the folder holds a pack.json."
    assert packed.table["packed_from"].tolist() == manifest.table["path"].tolist()
    rest = packed.table.drop(columns=["path", "packed_from"])
    pd.testing.assert_frame_equal(rest, manifest.table.drop(columns="path"))


def test_records_are_read_by_any_reader_of_tfrecord(tmp_path):
    manifest = cells(tmp_path / "cells", slide=[f"s{i}" for i in range(12)], index="mine")
    pack_dataset(manifest, tmp_path / "pack", small_shards())
    found = {record["index"]: record for record in records(tmp_path / "pack")}
    assert sorted(found) == list(range(12))
    for row, record in found.items():
        original = manifest.path(row).read_bytes()
        assert record["image/encoded"] == original
        assert record["image/sha256"].decode() == hashlib.sha256(original).hexdigest()
        assert record["image/format"] == (b"jpeg" if original[:2] == b"\xff\xd8" else b"png")
        assert record["label"].decode() == manifest.table["label"][row]
        assert record["label/id"] == manifest.label_ids[row]
        assert record["path"].decode() == manifest.table["path"][row]
        assert record["slide"].decode() == f"s{row}"
        assert record["agreement"] == b""
        assert record["column/index"] == b"mine"


def test_items_and_cut_outs_become_files_without_loss(tmp_path):
    manifest = parts(tmp_path / "parts")
    pack_dataset(manifest, tmp_path / "pack")
    packed = open_dataset(tmp_path / "pack")
    for row in range(len(manifest)):
        before, after = (np.asarray(decode_image(m.path(row))) for m in (manifest, packed))
        np.testing.assert_array_equal(after, before)
    assert {record["image/format"] for record in records(tmp_path / "pack")} == {b"png"}


@pytest.mark.parametrize("kind", sorted(set(BUILDERS) - {"shards"}))
def test_every_kind_of_data_set_can_be_packed(tmp_path, kind):
    BUILDERS[kind](tmp_path / "source")
    manifest = open_dataset(tmp_path / "source")
    pack_dataset(manifest, tmp_path / "pack", small_shards())
    packed = open_dataset(tmp_path / "pack")
    assert packed.classes == manifest.classes
    assert packed.table["label"].tolist() == manifest.table["label"].tolist()
    for row in range(len(manifest)):
        before, after = (np.asarray(decode_image(m.path(row))) for m in (manifest, packed))
        np.testing.assert_array_equal(after, before)


def test_further_images_are_packed_too(tmp_path):
    manifest = lights(tmp_path / "lights")
    pack_dataset(manifest, tmp_path / "pack", small_shards())
    packed = open_dataset(tmp_path / "pack")
    assert packed.further_images == ("image:dark_field",)
    before, after = (choose_image(m, "dark_field") for m in (manifest, packed))
    assert len(after) == 3
    for row in range(3):
        stored = read_stored(parse_reference(after.path(row)))
        assert stored == before.path(row).read_bytes()
    by_row = {record["index"]: record for record in records(tmp_path / "pack")}
    assert by_row[0]["image:dark_field/path"] == b"dark/0.png"
    assert by_row[0]["image:dark_field/encoded"] == (tmp_path / "lights/dark/0.png").read_bytes()
    assert by_row[2]["image:dark_field/path"] == b""
    assert "image:dark_field/encoded" not in by_row[2]


def test_a_pack_can_be_packed_again(tmp_path):
    manifest = cells(tmp_path / "cells")
    pack_dataset(manifest, tmp_path / "first", small_shards(seed=1))
    pack_dataset(open_dataset(tmp_path / "first"), tmp_path / "second", small_shards(seed=2))
    again = open_dataset(tmp_path / "second")
    assert again.table["packed_from"].tolist() == manifest.table["path"].tolist()
    assert again.path(3) != open_dataset(tmp_path / "first").path(3)
    for row in range(len(manifest)):
        assert read_stored(parse_reference(again.path(row))) == manifest.path(row).read_bytes()
    assert {r["path"].decode() for r in records(tmp_path / "second")} == set(manifest.table["path"])


def test_a_packed_image_equals_its_file(tmp_path):
    manifest = cells(tmp_path / "cells", 4)
    pack_dataset(manifest, tmp_path / "pack")
    both = [*manifest.paths(), *open_dataset(tmp_path / "pack").paths()]
    assert same_content(both).tolist() == [0, 1, 2, 3, 0, 1, 2, 3]


def test_the_same_call_gives_the_same_bytes(tmp_path):
    packs = []
    for name in ("one", "two"):
        manifest = cells(tmp_path / name / "cells")
        pack_dataset(manifest, tmp_path / name / "pack", small_shards(workers=len(packs) + 1))
        packs.append(content(tmp_path / name / "pack"))
    assert packs[0] == packs[1]
    assert set(packs[0]) >= {"pack.json", "manifest.csv"}
    assert not any("/" in name for name in packs[0])


def order(folder):
    return [record["path"].decode() for record in records(folder)]


def test_the_order_is_drawn_from_names_and_seed(tmp_path):
    manifest = cells(tmp_path / "cells", 30)
    turned = manifest.with_table(manifest.table[::-1])
    asked = {"a": (manifest, {}), "turned": (turned, {}), "seed": (manifest, {"seed": 1})}
    asked["kept"] = (manifest, {"order": "manifest"})
    for name, (source, values) in asked.items():
        pack_dataset(source, tmp_path / name, small_shards(**values))
    listed = manifest.table["path"].tolist()
    assert order(tmp_path / "kept") == listed
    assert order(tmp_path / "a") == order(tmp_path / "turned")
    assert len({tuple(order(tmp_path / name)) for name in ("a", "seed", "kept")}) == 3
    assert sorted(order(tmp_path / "a")) == sorted(listed)


def test_the_beginning_is_a_fair_sample(tmp_path):
    names = [f"{label}/{i:03d}.png" for label in "ab" for i in range(60)]
    table = pd.DataFrame({"path": names, "label": [name[0] for name in names]})
    for name in names:
        (tmp_path / "cells" / name).parent.mkdir(parents=True, exist_ok=True)
    source = cells(tmp_path / "one", 1).path(0).read_bytes()
    for name in names:
        (tmp_path / "cells" / name).write_bytes(source + name.encode())
    pack_dataset(make_manifest(table, tmp_path / "cells"), tmp_path / "pack")
    first = [record["label"] for record in records(tmp_path / "pack")][:40]
    assert 10 <= first.count(b"a") <= 30


def test_a_split_that_is_asked_for_is_packed(tmp_path):
    manifest = cells(tmp_path / "cells", 20)
    split = SplitSettings(by="image", seed=4, test=0.2)
    pack_dataset(manifest, tmp_path / "pack", split=SplitPlan(split=split))
    expected = split_manifest(manifest, split).table
    packed = open_dataset(tmp_path / "pack").table
    assert packed["split"].tolist() == expected["split"].tolist()
    assert packed["split_by"].tolist() == expected["split_by"].tolist()


def test_a_pack_is_split_as_its_folder(tmp_path):
    manifest = cells(tmp_path / "cells", 40)
    pack_dataset(manifest, tmp_path / "pack")
    packed = open_dataset(tmp_path / "pack")
    split = SplitSettings(by="image", seed=4, test=0.2)
    sides = [split_manifest(m, split).table["split"].tolist() for m in (manifest, packed)]
    assert sides[0] == sides[1]
    subsets = SubsetSettings((("few", 10), ("all", 40)))
    few = [choose_subset(m, "few", subsets).table for m in (manifest, packed)]
    assert few[0]["path"].tolist() == few[1]["packed_from"].tolist()


def test_equal_pixels_on_two_sides_are_no_pack(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (16, 32, 3), np.uint8)
    pixels[:, 16:] = pixels[:, :16]
    fields = tmp_path / "fields"
    fields.mkdir()
    Image.fromarray(pixels).save(fields / "a.png")
    Image.fromarray(pixels[:, ::-1]).save(fields / "b.png")
    paths = ["a.png#xywh=0,0,16,16", "a.png#xywh=16,0,16,16", "b.png#xywh=0,0,16,16"]
    sides = {"split": ["train", "validation", "train"]}
    manifest = make_manifest(pd.DataFrame({"path": paths, "label": list("xxy"), **sides}), fields)
    with pytest.raises(ManifestError, match="hold the same pixels") as caught:
        pack_dataset(manifest, tmp_path / "one")
    assert all(f"'{path}'" in str(caught.value) for path in paths[:2])
    with pytest.raises(ManifestError, match="not finished"):
        open_dataset(tmp_path / "one")
    kept = make_manifest(manifest.table.drop(index=1), fields)
    pack_dataset(kept, tmp_path / "two")
    assert len(open_dataset(tmp_path / "two")) == 2


def test_classes_keep_their_order(tmp_path):
    manifest = cells(tmp_path / "cells")
    backwards = make_manifest(manifest.table, manifest.root, ("y", "x"))
    pack_dataset(backwards, tmp_path / "pack")
    assert open_dataset(tmp_path / "pack").classes == ("y", "x")
    assert {(r["label"], r["label/id"]) for r in records(tmp_path / "pack")} == {
        (b"y", 0),
        (b"x", 1),
    }


def test_unreadable_images_are_refused_by_name(tmp_path):
    manifest = with_bad_files(tmp_path)
    with pytest.raises(
        ManifestError, match=r"4 image\(s\) cannot be read.*nothing was packed"
    ) as e:
        pack_dataset(manifest, tmp_path / "pack")
    assert all(name in str(e.value) for name in BAD_FILES)
    assert not (tmp_path / "pack").exists()


def test_unreadable_images_are_left_out_if_asked_for(tmp_path):
    manifest = with_bad_files(tmp_path)
    settings = small_shards(leave_out_unreadable=True)
    packed = pack_dataset(manifest, tmp_path / "pack", settings)
    listed = pd.read_csv(tmp_path / "pack" / "quarantine.csv")
    assert listed["path"].tolist() == [f"x/{name}" for name in BAD_FILES]
    assert packed.unreadable["reason"].tolist() == listed["reason"].tolist()
    read = open_dataset(tmp_path / "pack")
    assert read.table["packed_from"].tolist() == manifest.table["path"].tolist()[:6]
    assert "4 unreadable file(s) are in quarantine" in read.notes[-1]


def with_bad_files(tmp_path):
    manifest = cells(tmp_path / "cells", 6)
    for name in BAD_FILES:
        write_bad_file(tmp_path / "cells" / "x", name)
    names = [*manifest.table["path"], *(f"x/{name}" for name in BAD_FILES)]
    return make_manifest(
        pd.DataFrame({"path": names, "label": [name[0] for name in names]}), manifest.root
    )


def test_an_unreadable_further_image_counts(tmp_path):
    manifest = lights(tmp_path / "lights")
    (tmp_path / "lights/dark/1.png").write_bytes(b"no image")
    with pytest.raises(ManifestError, match=r"dark/1\.png is empty or no image"):
        pack_dataset(manifest, tmp_path / "pack")
    settings = PackSettings(leave_out_unreadable=True)
    assert pack_dataset(manifest, tmp_path / "pack", settings).pack.images == 3


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"shard_megabytes": 0}, "more than 0 megabytes, got 0"),
        ({"shard_megabytes": float("nan")}, "more than 0 megabytes"),
        ({"order": "random"}, "one of shuffled, manifest, got 'random'"),
        ({"workers": 0}, "At least 1 worker"),
    ],
)
def test_settings_are_checked(values, message):
    with pytest.raises(ManifestError, match=message):
        PackSettings(**values)


@settings(UNTIMED)
@given(
    st.lists(st.integers(1, 10**6), min_size=1, max_size=200),
    st.floats(1, 10**7, allow_nan=False),
)
def test_shards_are_runs_of_about_equal_size(sizes, wanted):
    sizes = np.array(sizes)
    shards = _shards(sizes, wanted)
    assert shards[0] == 0
    assert set(np.diff(shards)) <= {0, 1}
    filled = np.bincount(shards, weights=sizes)
    assert filled.max() <= wanted + sizes.max()


def test_the_description_is_plain_json(tmp_path):
    packed = pack_dataset(cells(tmp_path / "cells"), tmp_path / "pack", small_shards(seed=9))
    values = json.loads((tmp_path / "pack" / "pack.json").read_text(encoding="utf-8"))
    assert (values["pack"], values["classes"], values["seed"]) == (1, ["x", "y"], 9)
    for shard in values["shards"]:
        stored = (tmp_path / "pack" / shard["file"]).read_bytes()
        assert shard["bytes"] == len(stored)
        assert shard["sha256"] == hashlib.sha256(stored).hexdigest()
    assert sum(shard["records"] for shard in values["shards"]) == packed.pack.images == 12
