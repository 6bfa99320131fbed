from __future__ import annotations

import pandas as pd
import pytest
from PIL import Image

from pipelines.errors import ManifestError
from pipelines.quarantine import find_unreadable, split_off_unreadable, write_quarantine
from tests.pipelines.disk import BAD_FILES, manifest_of, write_bad_file

REASONS = {
    "empty.jpg": "is empty or no image",
    "text.jpg": "is empty or no image",
    "truncated.png": "damaged",
    "gigantic.png": "9000x9000 pixels",
}


def with_bad(folder, *names):
    """Two good images of x, then one row of y for each bad file."""
    manifest = manifest_of(folder, {"x": 2, "y": 1})
    for name in names:
        write_bad_file(folder / "y", name)
    rows = pd.DataFrame({"path": [f"y/{name}" for name in names], "label": "y"})
    return manifest.with_table(pd.concat([manifest.table, rows], ignore_index=True))


@pytest.mark.parametrize("name", BAD_FILES)
def test_each_bad_file_has_its_reason(tmp_path, name):
    found = find_unreadable(with_bad(tmp_path, name), workers=2)
    assert found["path"].tolist() == [f"y/{name}"]
    assert found.index.tolist() == [3]
    assert REASONS[name] in found["reason"].iloc[0]
    assert name in found["reason"].iloc[0]


def test_an_image_under_another_formats_ending_is_read(tmp_path):
    manifest = manifest_of(tmp_path, {"x": 1})
    Image.new("RGB", (8, 8)).save(manifest.path(0), format="JPEG")
    assert find_unreadable(manifest).empty


def test_a_missing_file_is_unreadable(tmp_path):
    manifest = manifest_of(tmp_path, {"x": 2})
    manifest.path(1).unlink()
    assert find_unreadable(manifest)["path"].tolist() == ["x/1.png"]


def test_parts_the_manifest_and_deletes_nothing(tmp_path):
    manifest = with_bad(tmp_path, *BAD_FILES)
    readable, unreadable = split_off_unreadable(manifest)
    assert readable.table["path"].tolist() == ["x/0.png", "x/1.png", "y/0.png"]
    assert readable.table.index.tolist() == [0, 1, 2]
    assert "4 unreadable" in readable.notes[-1]
    assert len(unreadable) == 4
    assert all(path.exists() for path in manifest.paths())


def test_nothing_changes_without_bad_files(tmp_path):
    manifest = manifest_of(tmp_path, {"x": 2})
    readable, unreadable = split_off_unreadable(manifest)
    assert readable is manifest
    assert unreadable.empty


def test_a_class_that_cannot_be_read_at_all_is_an_error(tmp_path):
    manifest = with_bad(tmp_path, "empty.jpg")
    manifest.path(2).write_bytes(b"")
    with pytest.raises(ManifestError, match=r"No image of 'y' can be read .2 unreadable"):
        split_off_unreadable(manifest)


def test_tells_its_progress(tmp_path):
    told = []
    find_unreadable(manifest_of(tmp_path, {"x": 51}), progress=lambda *done: told.append(done))
    assert told == [(50, 51), (51, 51)]


@pytest.mark.parametrize("names", [(), ("empty.jpg", "text.jpg")])
def test_is_written_as_a_table(tmp_path, names):
    unreadable = find_unreadable(with_bad(tmp_path, *names))
    write_quarantine(unreadable, tmp_path / "quarantine.csv")
    again = pd.read_csv(tmp_path / "quarantine.csv", dtype=str)
    assert list(again.columns) == ["path", "reason"]
    assert again["path"].tolist() == [f"y/{name}" for name in names]
    assert again["reason"].tolist() == unreadable["reason"].tolist()
