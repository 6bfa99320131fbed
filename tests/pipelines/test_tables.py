from __future__ import annotations

import pytest

from pipelines.errors import ManifestError
from pipelines.tables import read_text_table
from tests.pipelines.disk import write_table


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_reads_every_delimiter_with_and_without_byte_order_mark(tmp_path, delimiter, encoding):
    lines = (delimiter.join(fields) for fields in (("Path", " LABEL "), ("ä.png", "NA")))
    table = read_text_table(
        write_table(tmp_path / "t.csv", *lines, encoding=encoding), ("path", "label")
    )
    assert table.to_dict("list") == {"path": ["ä.png"], "label": ["NA"]}


def test_values_stay_text_and_short_lines_are_filled(tmp_path):
    file = write_table(tmp_path / "t.csv", "path,slide,note", '007,1.0,"a, ""b"""', "", "x")
    table = read_text_table(file, ("path",))
    assert table.to_numpy().tolist() == [["007", "1.0", 'a, "b"'], ["x", "", ""]]


def test_a_table_without_rows_has_its_columns(tmp_path):
    table = read_text_table(write_table(tmp_path / "t.csv", "path,label"), ("path",))
    assert list(table.columns) == ["path", "label"]
    assert len(table) == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (b"path,label\n\xff\xfe.png,a\n", "not UTF-8 text .byte 11."),
        (b"name,class\na.png,a\n", "lacks the column.s. path, label; its first line names 'name'"),
        (b"path,label\na.png,a,b\n", "Line 2 of .* has 3 fields, its first line has 2"),
        (b"path,label,label\na.png,a,b\n", "the column.s. 'label' twice"),
        (b"path,label\na\0.png,a\n", "zero bytes"),
        (b'path,label\n"a.png,a\n', "Line 2 of .*unexpected end"),
    ],
)
def test_names_the_fault_and_the_file(tmp_path, content, message):
    file = tmp_path / "cells.csv"
    file.write_bytes(content)
    with pytest.raises(ManifestError, match=message) as error:
        read_text_table(file, ("path", "label"))
    assert "cells.csv" in str(error.value)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(ManifestError, match="No such table"):
        read_text_table(tmp_path / "t.csv", ("path",))
    with pytest.raises(ManifestError, match="is a folder"):
        read_text_table(tmp_path, ("path",))
