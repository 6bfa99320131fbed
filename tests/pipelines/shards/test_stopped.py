"""Packings that are stopped, and gone on with."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.datasets import open_dataset
from pipelines.errors import ManifestError
from pipelines.shards import pack as packing
from pipelines.shards.pack import pack_dataset
from pipelines.split import SplitSettings
from pipelines.split_plan import SplitPlan
from tests.pipelines.disk import write_bad_file
from tests.pipelines.shards.made import cells, content, lights, small_shards

KILLED = """
import os, signal, sys
from pathlib import Path
from pipelines.shards.pack import pack_dataset
from tests.pipelines.shards.made import cells, small_shards

def steps(step):
    def count(done, total):
        if step == sys.argv[2] and done == int(sys.argv[3]):
            os.kill(os.getpid(), signal.SIGKILL)
    return count

pack_dataset(cells(Path(sys.argv[1]) / "cells"), Path(sys.argv[1]) / "pack", small_shards(),
             steps=steps)
"""
ROOT = Path(__file__).parents[3]


class Stopped(BaseException):
    """Stands for a stop at any moment, as KeyboardInterrupt does."""


def stop_at(step, number):
    def steps(name):
        def count(done, total):
            if (name, done) == (step, number):
                raise Stopped

        return count

    return steps


def stopped_pack(tmp_path, number=8, manifest=None, **values):
    manifest = manifest or cells(tmp_path / "cells")
    with pytest.raises(Stopped):
        pack_dataset(
            manifest, tmp_path / "pack", small_shards(**values), steps=stop_at("packed", number)
        )
    return manifest


def visible(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


@pytest.mark.slow
@pytest.mark.parametrize(("step", "number"), [("opened", 5), ("packed", 1), ("packed", 8)])
def test_a_killed_packing_goes_on_to_the_same_bytes(tmp_path, step, number):
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path), step, str(number)], cwd=ROOT, check=False
    )
    assert done.returncode == -signal.SIGKILL
    assert not (tmp_path / "pack" / "pack.json").exists()
    # The same table, without writing its images again.
    manifest = replace(cells(tmp_path / "copy"), root=tmp_path / "cells")
    packed = pack_dataset(manifest, tmp_path / "pack", small_shards())
    assert (packed.gone_on > 0) == (number == 8)
    pack_dataset(manifest, tmp_path / "unbroken", small_shards())
    assert content(tmp_path / "pack") == content(tmp_path / "unbroken")


@pytest.mark.parametrize("number", [1, 5, 8, 12])
def test_a_stopped_packing_goes_on_to_the_same_bytes(tmp_path, monkeypatch, number):
    manifest = stopped_pack(tmp_path, number)
    assert all(name.startswith("shard-") for name in visible(tmp_path / "pack"))
    finished = len(visible(tmp_path / "pack"))
    monkeypatch.setattr(packing, "find_unreadable_images", None)  # not opened a second time
    packed = pack_dataset(manifest, tmp_path / "pack", small_shards())
    assert packed.gone_on == finished
    assert (finished > 0) == (number > 1)
    monkeypatch.undo()
    pack_dataset(manifest, tmp_path / "unbroken", small_shards())
    assert content(tmp_path / "pack") == content(tmp_path / "unbroken")


@pytest.mark.parametrize("last", ["write_manifest", "write_pack"])
def test_manifest_and_description_come_last(tmp_path, monkeypatch, last):
    def stop(*arguments):
        raise Stopped

    manifest = cells(tmp_path / "cells")
    monkeypatch.setattr(packing, last, stop)
    with pytest.raises(Stopped):
        pack_dataset(manifest, tmp_path / "pack", small_shards())
    assert "pack.json" not in visible(tmp_path / "pack")
    with pytest.raises(ManifestError, match="a pack that was not finished; repeat the command"):
        open_dataset(tmp_path / "pack")
    monkeypatch.undo()
    packed = pack_dataset(manifest, tmp_path / "pack", small_shards())
    assert packed.gone_on == len(packed.pack.shards)
    assert len(open_dataset(tmp_path / "pack", verify=True)) == 12


def test_a_finished_shard_that_was_damaged_since_is_written_again(tmp_path):
    manifest = stopped_pack(tmp_path)
    first, second, *_ = sorted((tmp_path / "pack").glob("shard-*"))
    whole = first.read_bytes()
    first.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    second.write_bytes(second.read_bytes()[:-1])
    finished = len(visible(tmp_path / "pack"))
    assert pack_dataset(manifest, tmp_path / "pack", small_shards()).gone_on == finished - 2
    assert first.read_bytes() == whole
    assert len(open_dataset(tmp_path / "pack", verify=True)) == 12


def change(path):
    path.write_bytes(path.read_bytes() + b" ")


def touch(path):
    os.utime(path, ns=(1, 1))


def remove(path):
    path.unlink()


@pytest.mark.parametrize("alter", [change, touch, remove])
@pytest.mark.parametrize("row", [0, 11])
def test_a_source_that_changed_in_between_is_named(tmp_path, alter, row):
    manifest = stopped_pack(tmp_path)
    alter(manifest.path(row))
    with pytest.raises(ManifestError, match=r"was changed or removed since.*pack anew") as told:
        pack_dataset(manifest, tmp_path / "pack", small_shards())
    assert str(manifest.path(row)) in str(told.value)


def test_a_source_that_changes_meanwhile_is_named(tmp_path):
    manifest = cells(tmp_path / "cells")
    last = pack_dataset(manifest, tmp_path / "first", small_shards(order="manifest"))
    assert len(last.pack.shards) > 3

    def steps(step):
        def count(done, total):
            if (step, done) == ("packed", 1):
                change(manifest.path(11))

        return count

    with pytest.raises(ManifestError, match=r"001\.png was changed"):
        pack_dataset(manifest, tmp_path / "pack", small_shards(order="manifest"), steps=steps)


@pytest.mark.parametrize(
    "values", [{"seed": 5}, {"order": "manifest"}, {"shard_megabytes": 1}], ids=str
)
def test_other_options_are_refused(tmp_path, values):
    manifest = stopped_pack(tmp_path)
    with pytest.raises(ManifestError, match="unfinished pack of this data set with other options"):
        pack_dataset(manifest, tmp_path / "pack", small_shards(**values))
    with pytest.raises(ManifestError, match="other options"):
        pack_dataset(
            manifest, tmp_path / "pack", small_shards(), SplitPlan(split=SplitSettings(by="image"))
        )


def test_more_workers_are_no_other_options(tmp_path):
    manifest = stopped_pack(tmp_path)
    pack_dataset(manifest, tmp_path / "pack", small_shards(workers=4))


def test_another_data_set_is_refused(tmp_path):
    stopped_pack(tmp_path)
    with pytest.raises(ManifestError, match="unfinished pack of another data set"):
        pack_dataset(cells(tmp_path / "others"), tmp_path / "pack", small_shards())


def test_what_was_left_out_is_left_out_again(tmp_path, monkeypatch):
    manifest = lights(tmp_path / "cells")
    write_bad_file(tmp_path / "cells/dark", "empty.jpg")
    dark = [*manifest.table["image:dark_field"][:3], "dark/empty.jpg"]
    manifest = manifest.with_table(manifest.table.assign(**{"image:dark_field": dark}))
    stopped_pack(tmp_path, 2, manifest, leave_out_unreadable=True)
    monkeypatch.setattr(packing, "find_unreadable_images", None)
    packed = pack_dataset(manifest, tmp_path / "pack", small_shards(leave_out_unreadable=True))
    assert packed.unreadable["path"].tolist() == ["dark/empty.jpg"]
    assert packed.unreadable.index.tolist() == [3]
    assert "dark/empty.jpg" in (tmp_path / "pack/quarantine.csv").read_text()


@pytest.mark.parametrize("device", [True, False], ids=["a full device", "an error of the writer"])
def test_a_full_disk_is_told_and_gone_on_with(tmp_path, monkeypatch, device):
    if device and not Path("/dev/full").exists():
        pytest.skip("no device that is always full")
    import tensorflow as tf

    writer, calls = tf.io.TFRecordWriter, []

    class Full:
        def __init__(self, path):
            calls.append(path)
            self.full = len(calls) == 3
            self.inner = writer("/dev/full" if self.full and device else path)

        def __enter__(self):
            return self

        def write(self, record):
            if self.full and not device:
                raise OSError(28, "No space left on device")
            self.inner.write(record)

        def __exit__(self, *error):
            self.inner.close()

    manifest = cells(tmp_path / "cells")
    monkeypatch.setattr(tf.io, "TFRecordWriter", Full)
    with pytest.raises(ManifestError, match=r"No space left on device.*then repeat the command"):
        pack_dataset(manifest, tmp_path / "pack", small_shards())
    assert len(visible(tmp_path / "pack")) == 2
    assert not list((tmp_path / "pack" / ".unfinished").glob("*.tfrecord"))
    monkeypatch.undo()
    assert pack_dataset(manifest, tmp_path / "pack", small_shards()).gone_on == 2
    pack_dataset(manifest, tmp_path / "unbroken", small_shards())
    assert content(tmp_path / "pack") == content(tmp_path / "unbroken")


def test_two_at_once_are_refused(tmp_path):
    pytest.importorskip("fcntl")
    manifest = cells(tmp_path / "cells")

    def steps(step):
        def count(done, total):
            if (step, done) == ("packed", 4):
                with pytest.raises(ManifestError, match="being packed by another process"):
                    pack_dataset(manifest, tmp_path / "pack", small_shards())

        return count

    pack_dataset(manifest, tmp_path / "pack", small_shards(), steps=steps)


@pytest.mark.parametrize("stop", [None, 4])
def test_what_another_process_packed_meanwhile_is_not_written_over(tmp_path, stop):
    """It finished, or was stopped, while this one was still opening images."""
    other = cells(tmp_path / "others", 8)
    folder = tmp_path / "pack"

    def steps(step):
        def count(done, total):
            if (step, done) == ("opened", 1):
                if stop is None:
                    pack_dataset(other, folder, small_shards())
                else:
                    stopped_pack(tmp_path, stop, other)

        return count

    with pytest.raises(ManifestError, match="Another process packed into"):
        pack_dataset(cells(tmp_path / "cells"), folder, small_shards(), steps=steps)
    if stop is not None:
        pack_dataset(other, folder, small_shards())
    packed = open_dataset(folder, verify=True)
    assert sorted(packed.table["packed_from"]) == sorted(other.table["path"])


@pytest.mark.parametrize("where", ["cells", "cells/x", "cells/x/pack"])
def test_a_folder_of_the_images_is_refused(tmp_path, where):
    manifest = cells(tmp_path / "cells")
    with pytest.raises(ManifestError, match=r"holds what is to be packed|is not of a pack"):
        pack_dataset(manifest, tmp_path / where, small_shards())
    assert not list(tmp_path.rglob("*.tfrecord"))


def test_goes_on_from_another_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stopped_pack(Path(), manifest=cells(Path("cells")))
    (tmp_path / "deep").mkdir()
    monkeypatch.chdir(tmp_path / "deep")
    manifest = replace(cells(tmp_path / "copy"), root=Path("../cells"))
    assert pack_dataset(manifest, "../pack", small_shards()).gone_on > 0


def test_other_folders_are_refused_and_kept(tmp_path):
    manifest = cells(tmp_path / "cells")
    (tmp_path / "file").write_text("a")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ManifestError, match="is a file; a folder for the pack"):
        pack_dataset(manifest, tmp_path / "file", small_shards())
    with pytest.raises(ManifestError, match=r"holds 'notes.txt', which is not of a pack"):
        pack_dataset(manifest, tmp_path / "full", small_shards())
    pack_dataset(manifest, tmp_path / "empty", small_shards())
    before = content(tmp_path / "empty")
    with pytest.raises(ManifestError, match="is a finished pack"):
        pack_dataset(manifest, tmp_path / "empty", small_shards())
    assert content(tmp_path / "empty") == before
    assert visible(tmp_path / "full") == ["notes.txt"]
