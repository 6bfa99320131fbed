import errno
import os
import tempfile

import pytest

from tflite.runtime.files import whole_file, write_whole

pytestmark = pytest.mark.device


@pytest.mark.parametrize("content", ["Größe µm\n", b"\x00\xff"])
def test_write_whole_writes_and_makes_the_folder(tmp_path, content):
    path = tmp_path / "new" / "file.txt"
    write_whole(path, content)
    assert path.read_bytes() == (content.encode() if isinstance(content, str) else content)
    assert [p.name for p in path.parent.iterdir()] == ["file.txt"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_stopped_writer_leaves_the_old_file_and_nothing_else(tmp_path, error):
    path = tmp_path / "table.csv"
    path.write_text("old")

    def write_half():
        with whole_file(path) as temporary:
            assert temporary.suffix == ".csv"
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        write_half()
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["table.csv"]


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")
def test_a_new_file_is_as_readable_as_any(tmp_path):
    plain = tmp_path / "plain"
    plain.write_text("")
    write_whole(tmp_path / "whole", "")
    assert (tmp_path / "whole").stat().st_mode == plain.stat().st_mode


def test_a_place_that_cannot_be_written_to_is_named(tmp_path, monkeypatch):
    def refuse(*arguments, **options):
        raise PermissionError(errno.EACCES, "Permission denied", str(tmp_path / ".new-x1y2.csv"))

    monkeypatch.setattr(tempfile, "mkstemp", refuse)
    with pytest.raises(PermissionError) as caught:
        write_whole(tmp_path / "new.csv", "text")
    assert caught.value.filename == str(tmp_path / "new.csv")
