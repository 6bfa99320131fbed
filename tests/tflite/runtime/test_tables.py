import json
import os
from pathlib import Path

import pytest

from tflite.runtime.errors import LabError
from tflite.runtime.results import FileResult, Result
from tflite.runtime.tables import TableWriter, table_format

pytestmark = pytest.mark.device


@pytest.mark.parametrize(
    ("name", "format", "expected"),
    [
        ("table.csv", None, "csv"),
        ("table.CSV", None, "csv"),
        ("table.jsonl", None, "jsonl"),
        ("table.txt", "jsonl", "jsonl"),
        ("table.csv", "jsonl", "jsonl"),
    ],
)
def test_the_format_is_named_or_the_suffix(name, format, expected):
    assert table_format(Path(name), format) == expected


@pytest.mark.parametrize(("name", "format"), [("t", None), ("t.json", None), ("t.csv", "tsv")])
def test_unknown_formats_are_refused(name, format):
    with pytest.raises(LabError, match="must be one of"):
        table_format(Path(name), format)


def test_odd_paths_survive_csv(tmp_path):
    import csv

    path = 'a, "b"\nµ.png'
    result = Result("unknown", "b", 0.75, {"a": 0.25, "b": 0.75})
    with TableWriter(tmp_path / "t.csv", ("a", "b"), "csv") as writer:
        writer.write(FileResult(Path(path), result))
    with (tmp_path / "t.csv").open(newline="", encoding="utf-8") as file:
        row = list(csv.DictReader(file))[0]  # noqa: RUF015 - the whole file is to be read
    assert row == {
        "path": path, "label": "unknown", "predicted": "b", "score": "0.75", "error": "",
        "score:a": "0.25", "score:b": "0.75",
    }  # fmt: skip


def test_a_writer_outside_a_with_block_is_refused(tmp_path):
    with pytest.raises(LabError, match="with block"):
        TableWriter(tmp_path / "t.csv", ("a",), "csv").write(FileResult(Path("x"), None, "bad"))


@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_file_names_that_are_no_text_survive(tmp_path, format):
    name = os.fsdecode(b"cell-\xff.png")
    with TableWriter(tmp_path / "t", ("a",), format) as writer:
        writer.write(FileResult(Path(name), None, f"No such image file: {name}."))
    content = (tmp_path / "t").read_bytes()
    if format == "csv":
        assert content.count(b"cell-\xff.png") == 2
    else:
        assert json.loads(content)["path"] == name
