"""`lab-models data` and `lab-models inspect` on folders and tables as nobody should hand them in.

To add a case, write a function that makes the input below a folder and returns the path that the
command is given, and decorate it with `refused` or `taken`.
"""

from __future__ import annotations

import csv
import os
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from lab_models.cli import main
from pipelines.manifest import read_manifest
from tests.pipelines.disk import write_bad_file, write_image, write_images, write_table

LONGEST_MESSAGE = 3000
MOST_LINES = 100


@dataclass(frozen=True)
class Case:
    """What is made, what each command says about it, and its exit status."""

    make: Callable[[Path], Path]
    expected: dict[str, tuple[str, int]]


CASES: list[Case] = []


def refused(message, inspect=None):
    """The command must say `message` as its one error and leave nothing behind.

    `inspect` is message and exit status of that command where they are others.
    """
    return _case(message, 2, inspect)


def taken(message, status=0, inspect=None):
    """The command must do its work and say `message`."""
    return _case(message, status, inspect)


def _case(message, status, inspect):
    expected = {"data": (message, status), "inspect": inspect or (message, status)}

    def add(make):
        CASES.append(Case(make, expected))
        return make

    return add


def write_labels(root, labels, name="cells.csv"):
    """A table with an image of each label."""
    with (root / name).open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file)
        lines.writerow(["path", "label"])
        for number, label in enumerate(labels):
            write_image(root / f"{number}.png")
            lines.writerow([f"{number}.png", label])
    return root / name


def write_huge_png(path, side=30_000):
    """A sound black-and-white PNG of `side` x `side` pixels that is a few hundred kilobytes."""

    def chunk(kind, body):
        check = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + check

    packed = zlib.compressobj(1)
    lines = b"\0" * (1 + side // 8) * (side // 100)
    pixels = b"".join(packed.compress(lines) for _ in range(100)) + packed.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", pixels), (b"IEND", b""))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*parts) for parts in chunks))


# Paths


@refused("There is nothing at")
def a_path_that_is_not_there(root):
    return root / "missing"


@refused("There is nothing at")
def a_link_to_itself(root):
    (root / "loop").symlink_to(root / "loop")
    return root / "loop"


@refused("the folder is empty")
def an_empty_folder(root):
    return root


@refused("holds no data set that is known. Looked for:")
def a_file_that_is_no_table(root):
    return write_table(root / "notes.docx", "PK")


@refused("holds no data set that is known")
def a_single_image(root):
    write_image(root / "a.png")
    return root / "a.png"


@refused("holds no data set that is known")
def a_folder_without_images(root):
    write_table(root / "x" / "notes.txt", "nothing")
    return root


@refused("holds no data set that is known")
def a_folder_called_as_a_table(root):
    (root / "manifest.csv").mkdir()
    return root


@refused("outside any class folder: 'a.png'")
def an_image_in_the_root(root):
    write_images(root, ["a.png", "x/a.png"])
    return root


@refused("'y' hold no image")
def a_class_without_images(root):
    write_image(root / "x" / "a.png")
    (root / "y").mkdir()
    return root


@refused("No image of 'y' can be read", inspect=("1 file(s) cannot be read", 1))
def a_class_of_damaged_images(root):
    write_images(root, ["x/a.png", "x/b.png"])
    write_bad_file(root / "y", "truncated.png")
    return root


@taken("There is a single class")
def a_single_class(root):
    write_images(root, ["x/a.png", "x/b.png"])
    return root


@taken("The 60 largest classes are listed; 140 more have 1 image(s) each.")
def many_classes(root):
    write_images(root, [f"class {number:03d}/a.png" for number in range(200)])
    return root


@refused("is no file but a pipe, a socket or a device")
def a_pipe_called_as_an_image(root):
    write_image(root / "x" / "a.png")
    os.mkfifo(root / "x" / "b.png")
    return root


# Links


@refused("leads out of the data set")
def a_class_folder_that_is_a_link_out(root):
    write_images(root, ["data/x/a.png", "elsewhere/b.png"])
    (root / "data" / "y").symlink_to(root / "elsewhere")
    return root / "data"


@refused("leads out of the data set")
def an_image_that_is_a_link_out(root):
    write_images(root, ["data/x/a.png", "elsewhere/b.png"])
    (root / "data" / "x" / "b.png").symlink_to(root / "elsewhere" / "b.png")
    return root / "data"


@refused("leads out of the data set")
def a_link_to_everything(root):
    write_image(root / "x" / "a.png")
    (root / "x" / "root").symlink_to("/")
    return root


@taken("1 link(s) to folders that are read under their own name")
def a_link_upwards(root):
    write_images(root, ["x/a.png", "y/a.png"])
    (root / "y" / "up").symlink_to(root)
    return root


@taken("2 file(s) cannot be read", status=1)
def links_to_nothing_and_to_themselves(root):
    write_images(root, ["x/a.png", "y/a.png"])
    for name, target in (("nothing", "missing"), ("loop", "loop.png")):
        (root / "x" / f"{name}.png").symlink_to(root / "x" / target)
    return root


# Labels

ODD_LABELS = (
    'say "x"', "a,b", "a;b", "it's", "=cmd()", "<script>alert(1)</script>", "back\\slash",
    "../up", "$(touch made)", "`touch made`", "%s {0}", "🩸", "漢字", "e\u0301", "-x", "nan", "007",
)  # fmt: skip


@taken("17 images of 17 classes")
def odd_labels(root):
    return write_labels(root, ODD_LABELS)


@taken("17 images of 17 classes")
def odd_folders(root):
    names = [label.replace("/", "_").replace("..", "_") for label in ODD_LABELS]
    write_images(root, [f"{name}/a.png" for name in names])
    return root


@taken("shown as codes: 'abc\\u200b', 'abc\\u202edef'")
def labels_with_marks_that_cannot_be_seen(root):
    return write_labels(root, ["abc\u202edef", "abc\u200b"])


@taken("…")
def a_label_of_300_characters(root):
    return write_labels(root, ["long " * 60, "y"])


@taken("3 images of 2 classes")
def labels_with_spaces_around_them(root):
    return write_labels(root, ["  x", "x", "y "])


@refused("the label begins or ends with a space: row 0 (' x/a.png')")
def a_folder_with_a_space_before_its_name(root):
    write_images(root, [" x/a.png", "y/a.png"])
    return root


@refused("the label holds a line break or another control character: row 0")
def a_label_with_a_line_break(root):
    return write_labels(root, ["a\nb", "c"])


@refused("the label holds a line break or another control character: row 0")
def a_label_that_paints_the_terminal(root):
    return write_labels(root, ["a\x1b[31mred", "c"])


@refused("the label holds a line break or another control character: row 0 ('a\\nb/a.png')")
def a_folder_with_a_line_break(root):
    write_images(root, ["a\nb/a.png", "c/a.png"])
    return root


@refused("differ by capitals only: 'Blast' and 'blast'")
def folders_that_differ_by_capitals(root):
    write_images(root, ["Blast/a.png", "blast/b.png"])
    if len(list(root.iterdir())) < 2:
        pytest.skip("this file system does not tell capitals apart")
    return root


@taken("differ in spelling only are read as different classes: 'Blast' and 'blast'")
def labels_that_differ_by_capitals(root):
    return write_labels(root, ["Blast", "blast", "blast", "y"])


# Tables


@refused("lacks the column(s) path, label; its first line names 'file', 'class'.")
def a_table_with_other_columns(root):
    return write_table(root / "cells.csv", "file,class", "a.png,x")


@refused("has the column(s) 'label' twice")
def a_table_with_a_column_twice(root):
    return write_table(root / "cells.csv", "path,label,Label", "a.png,x,y")


@refused("is not UTF-8 text (byte 18); save the table as 'CSV UTF-8'")
def a_table_in_another_encoding(root):
    return write_table(root / "cells.csv", "path,label", "a.png,Färbung", encoding="latin-1")


@refused("is not UTF-8 text (byte 0)")
def a_table_in_utf_16(root):
    return write_table(root / "cells.csv", "path,label", "a.png,x", encoding="utf-16")


@refused("Line 3 of ")
def a_table_with_a_line_too_long(root):
    return write_table(root / "cells.csv", "path,label", "a.png,x", "b.png,x,y")


@refused("there is no label: row 1 ('b.png')")
def a_table_with_a_line_too_short(root):
    write_images(root, ["a.png", "b.png"])
    return write_table(root / "cells.csv", "path,label", "a.png,x", "b.png")


@refused("it holds zero bytes")
def a_table_with_zero_bytes(root):
    return write_table(root / "cells.csv", "path,label", "a.png,x\0")


@refused("is empty; a table with a header line was expected")
def a_table_of_zero_bytes(root):
    (root / "cells.csv").touch()
    return root / "cells.csv"


@refused("There is not one image in the table")
def a_table_without_lines(root):
    return write_table(root / "cells.csv", "path,label")


@refused("Is a quotation mark opened and not closed?")
def a_table_with_an_open_quotation(root):
    return write_table(root / "cells.csv", "path,label", '"a.png,x')


@refused("field larger than field limit")
def a_table_with_a_gigantic_field(root):
    return write_table(root / "cells.csv", "path,label", "a.png," + "x" * 200_000)


@refused("1 of 1 files are missing below")
def a_table_that_names_no_file(root):
    return write_table(root / "cells.csv", "path,label", "no.png,x")


@refused("1 of 1 files are missing below")
def a_table_with_a_path_that_is_too_long(root):
    return write_table(root / "cells.csv", "path,label", "x" * 5000 + ".png,x")


@refused("1 of 1 files are missing below")
def a_table_that_names_a_folder(root):
    (root / "x").mkdir()
    return write_table(root / "cells.csv", "path,label", "x,x")


@refused("the path stands in the table twice: row 0 ('a.png'), row 1 ('a.png')")
def a_table_with_a_file_twice(root):
    write_image(root / "a.png")
    return write_table(root / "cells.csv", "path,label", "a.png,x", "a.png,y")


@refused("No image of 'x' can be read", inspect=("Not one of the images can be read", 2))
def a_table_that_names_a_file_of_the_system(root):
    return write_table(root / "cells.csv", "path,label", "/etc/passwd,x")


@refused("is not UTF-8 text")
def an_image_called_as_a_table(root):
    write_image(root / "a.png")
    return (root / "a.png").rename(root / "cells.csv")


# Images


@taken("Every image can be read.")
def images_of_one_pixel(root):
    for number, name in enumerate(("x", "y")):
        (root / name).mkdir()
        Image.new("RGB", (1, 1), (number, 0, 0)).save(root / name / "a.png")
    return root


@taken("1 file(s) cannot be read", status=1)
def an_image_of_30_000_by_30_000_pixels(root):
    write_images(root, ["x/a.png", "y/a.png"])
    write_huge_png(root / "x" / "huge.png")
    return root


@refused("No image of 'x' can be read", inspect=("Not one of the images can be read", 2))
def nothing_but_an_image_of_30_000_by_30_000_pixels(root):
    write_huge_png(root / "x" / "huge.png")
    return root


@taken("4 file(s) cannot be read", status=1)
def damaged_images(root):
    write_images(root, ["x/a.png", "y/a.png"])
    for name in ("empty.jpg", "text.jpg", "truncated.png", "gigantic.png"):
        write_bad_file(root / "x", name)
    return root


def below(folder):
    """Every path below a folder, with size and time of change of the files."""
    found = {}
    for path, _, files in os.walk(folder):
        for name in files:
            state = Path(path, name).lstat()
            found[path, name] = (state.st_size, state.st_mtime_ns)
        found[path, ""] = (0, 0)
    return found


def words_for(command, path, out):
    if command == "data":
        return ["data", str(path), "--write", str(out)]
    return ["inspect", str(path), "--out", str(out), "--workers", "1"]


@pytest.mark.parametrize("command", ["data", "inspect"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.make.__name__)
def test_bad_data(tmp_path, monkeypatch, capsys, case, command):
    (tmp_path / "data").mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    path, out = case.make(tmp_path / "data"), tmp_path / "out"
    before = below(tmp_path)
    message, status = case.expected[command]
    assert main(words_for(command, path, out)) == status
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    if status == 2:
        assert said.out == ""
        assert said.err.startswith("error: ")
        assert message in said.err
        assert len(said.err) < LONGEST_MESSAGE
        assert below(tmp_path) == before  # nothing written, nothing changed, nothing executed
    else:
        assert said.err == ""
        assert message in said.out
        assert len(said.out.splitlines()) < MOST_LINES
        new = {Path(folder, name) for folder, name in below(tmp_path).keys() - before.keys()}
        written = {found.relative_to(tmp_path).parts[0] for found in new}
        assert written == ({"out"} if command == "data" else {"out", "out.measurements"})
        assert len(read_manifest(out if command == "data" else out / "manifest.csv")) >= 2


@pytest.mark.parametrize("command", ["data", "inspect"])
def test_odd_labels_come_back_as_they_are(tmp_path, command):
    out = tmp_path / "out"
    assert main(words_for(command, write_labels(tmp_path, ODD_LABELS), out)) == 0
    table = read_manifest(out if command == "data" else out / "manifest.csv").table
    assert sorted(table["label"]) == sorted(ODD_LABELS)
    if command == "inspect":
        assert "<script" not in (out / "page.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_ten_thousand_classes_are_told_in_a_page(tmp_path, capsys):
    write_image(tmp_path / "a.png")
    for number in range(10_000):
        folder = tmp_path / "data" / f"class {number}"
        folder.mkdir(parents=True)
        os.link(tmp_path / "a.png", folder / "a.png")
    assert main(["data", str(tmp_path / "data"), "--no-decode"]) == 0
    said = capsys.readouterr().out
    assert "10,000 images of 10000 classes" in said
    assert "9,940 more have 1 image(s) each" in said
    assert len(said.splitlines()) < MOST_LINES
    assert len(said) < 10_000


@pytest.mark.parametrize("command", ["data", "inspect"])
@pytest.mark.parametrize("which", [".", "x"])
def test_a_folder_that_must_not_be_read(tmp_path, monkeypatch, capsys, command, which):
    data = tmp_path / "data"
    write_images(data, ["x/a.png", "y/a.png"])
    (data / which).chmod(0)
    if os.access(data / which, os.R_OK):  # as for root: the system's answer is imitated
        scandir, listdir = os.scandir, os.listdir

        def forbid(look):
            def refuse(path="."):
                if os.path.realpath(path) == str((data / which).resolve()):
                    raise PermissionError(13, "Permission denied", str(path))
                return look(path)

            return refuse

        monkeypatch.setattr(os, "scandir", forbid(scandir))
        monkeypatch.setattr(os, "listdir", forbid(listdir))
    try:
        assert main(words_for(command, data, tmp_path / "out")) == 2
    finally:
        (data / which).chmod(0o755)
    said = capsys.readouterr()
    assert said.out == ""
    assert "cannot be read: Permission denied. Allow it to be read" in said.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["data", "inspect"])
def test_an_output_that_cannot_be_written_is_one_error(tmp_path, capsys, command):
    write_images(tmp_path / "data", ["x/a.png", "y/a.png"])
    (tmp_path / "file").touch()
    assert main(words_for(command, tmp_path / "data", tmp_path / "file" / "out")) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert str(tmp_path / "file") in said
    assert len(said.splitlines()) == 1
