from __future__ import annotations

import json
import shutil

import pandas as pd
import pytest

from pipelines.errors import ManifestError
from pipelines.inspection import write
from pipelines.inspection.clean import clean_manifest, write_cleaning
from pipelines.inspection.inspector import inspect_dataset
from pipelines.inspection.overview import describe_inspection
from pipelines.inspection.page import PageSettings
from pipelines.inspection.write import FILES, write_inspection
from pipelines.manifest import make_manifest, read_manifest
from tests.pipelines.disk import manifest_of, write_bad_file

SMALL = PageSettings(findings=3, images=2, sheet=4)


@pytest.fixture(scope="module")
def written(inspected, tmp_path_factory):
    folder = tmp_path_factory.mktemp("out") / "inspection"
    write_inspection(inspected[2], folder, SMALL)
    return folder


def test_writes_everything(inspected, written):
    root, _, inspection = inspected
    assert sorted(path.name for path in written.iterdir()) == sorted(FILES)
    assert [path.name for path in written.parent.iterdir()] == ["inspection"]
    manifest = read_manifest(written / "manifest.csv")
    assert len(manifest) == len(inspection.manifest) - 4
    assert manifest.path(0).resolve().is_relative_to(root)
    assert len(pd.read_csv(written / "quarantine.csv")) == 4
    summary = json.loads((written / "summary.json").read_text())
    assert summary["findings"]["unreadable"] == 4
    assert summary["readable"] == len(manifest)


def test_the_page_stands_alone(written):
    text = (written / "page.html").read_text()
    for forbidden in ("<script", 'src="http', "url(", "@import", "$"):
        assert forbidden not in text
    assert "Pictures repeated many times (2)" in text
    assert "lymphocyte: 4 of" in text


def test_the_page_escapes_names(tmp_path):
    manifest = manifest_of(tmp_path / "cells", {"<b>&": 2, "x": 1})
    write_bad_file(tmp_path / "cells" / "<b>&", "empty.jpg")
    write_inspection(inspect_dataset(manifest), tmp_path / "out")
    text = (tmp_path / "out" / "page.html").read_text()
    assert "<b>" not in text
    assert "&lt;b&gt;&amp;" in text


def test_absolute_paths_stay_in_all_tables(tmp_path):
    cells = manifest_of(tmp_path / "cells", {"x": 3, "y": 3})
    copy = cells.path(0).with_name("copy.png")
    shutil.copy(cells.path(0), copy)
    paths = [str(path) for path in (*cells.paths(), copy)]
    table = pd.DataFrame({"path": paths, "label": [*cells.table["label"], "x"]})
    (tmp_path / "lists").mkdir()
    inspection = inspect_dataset(make_manifest(table, tmp_path / "lists"))
    write_inspection(inspection, tmp_path / "out")
    assert read_manifest(tmp_path / "out" / "manifest.csv").table["path"].tolist() == paths
    found = pd.read_csv(tmp_path / "out" / "findings.csv")
    assert set(found.loc[found["kind"] == "exact_duplicates", "path"]) == {paths[0], str(copy)}


def test_an_error_leaves_the_earlier_inspection(inspected, tmp_path, monkeypatch):
    folder = tmp_path / "out"
    manifest = manifest_of(tmp_path / "cells", {"x": 2})
    write_inspection(inspect_dataset(manifest), folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def fail(*_):
        raise RuntimeError("no ink")

    monkeypatch.setattr(write, "inspection_page", fail)
    with pytest.raises(RuntimeError):
        write_inspection(inspected[2], folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cells", "out"]


def test_replaces_inspections_only(tmp_path):
    manifest = manifest_of(tmp_path / "cells", {"x": 2})
    inspection = inspect_dataset(manifest)
    write_inspection(inspection, tmp_path / "out")
    write_inspection(inspection, tmp_path / "out")
    with pytest.raises(ManifestError, match="holds 'x', which is not of an inspection"):
        write_inspection(inspection, tmp_path / "cells")
    with pytest.raises(ManifestError, match="is a file"):
        write_inspection(inspection, tmp_path / "cells" / "x" / "0.png")


def test_nothing_readable_is_told(tmp_path):
    manifest = manifest_of(tmp_path / "cells", {"x": 1})
    manifest.path(0).write_bytes(b"")
    with pytest.raises(ManifestError, match="Not one of the images can be read"):
        write_inspection(inspect_dataset(manifest), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_words_for_the_terminal(inspected):
    text = describe_inspection(inspected[2])
    assert "Files that cannot be read [unreadable]: 4 finding(s), 4 image(s)" in text
    assert "pixels (" in text


def test_cleaning_leaves_out_what_was_chosen_and_says_so(inspected, written, tmp_path):
    before = read_manifest(written / "manifest.csv")
    cleaning = clean_manifest(written, ["repeated_pictures", "odd_size:1"])
    assert len(cleaning.manifest) == len(before) - 25
    assert "repeated_pictures: 24 image(s) left out" in cleaning.describe()
    assert "25 were left out" in cleaning.describe()
    changes = write_cleaning(cleaning, tmp_path / "clean.csv")
    assert changes.name == "clean.changes.csv"
    after = read_manifest(tmp_path / "clean.csv")
    assert len(after) == len(cleaning.manifest)
    assert len(pd.read_csv(changes)) == 25
    assert all(path.exists() for path in before.paths())


def test_applying_a_kind_without_findings_changes_nothing(tmp_path):
    manifest = manifest_of(tmp_path / "cells", {"x": 3})
    write_inspection(inspect_dataset(manifest), tmp_path / "out")
    cleaning = clean_manifest(tmp_path / "out", ["burnt_out"])
    assert cleaning.describe() == "3 images remain, 0 were left out."


def test_cleaning_relabels(written):
    cleaning = clean_manifest(written, ["label_spelling"])
    before = read_manifest(written / "manifest.csv")
    assert len(cleaning.manifest) == len(before)
    assert len(cleaning.manifest.classes) == len(before.classes) - 2
    assert "given another label" in cleaning.describe()


def test_all_duplicates_together_keep_one_of_each_picture(inspected, written):
    cleaning = clean_manifest(written, ["exact_duplicates", "near_duplicates"])
    kept = {path.rsplit("/", 2)[-2] + "/" + path.rsplit("/", 1)[-1]
            for path in cleaning.manifest.table["path"]}  # fmt: skip
    for kind in ("exact_duplicates", "near_duplicates"):
        for finding in inspected[2].findings[kind]:
            labels = {path.split("/")[0] for path in finding.paths}
            assert len(kept & set(finding.paths)) == (1 if len(labels) == 1 else 0)


@pytest.mark.parametrize(
    ("apply", "message"),
    [
        ([], "Name the findings"),
        (["blur"], "no finding 'blur'"),
        (["odd_size:9"], "no finding 'odd_size:9'; odd_size has 3"),
    ],
)
def test_cleaning_refuses(written, apply, message):
    with pytest.raises(ManifestError, match=message):
        clean_manifest(written, apply)


def test_cleaning_needs_an_inspection_and_another_place(written, tmp_path):
    with pytest.raises(ManifestError, match="holds no inspection"):
        clean_manifest(tmp_path, ["odd_size"])
    with pytest.raises(ManifestError, match="own folder"):
        write_cleaning(clean_manifest(written, ["odd_size"]), written / "manifest.csv")


def test_cleaning_does_not_take_a_whole_class(tmp_path):
    manifest = manifest_of(tmp_path / "cells", {"x": 1, "y": 1})
    manifest.path(1).write_bytes(manifest.path(0).read_bytes())
    write_inspection(inspect_dataset(manifest), tmp_path / "out")
    with pytest.raises(ManifestError, match="No image of 'x', 'y' would remain"):
        clean_manifest(tmp_path / "out", ["exact_duplicates"])
