import pytest

from tflite.runtime.errors import LabError
from tflite.runtime.journal import Entry, FileStamp, Journal, journal_path

pytestmark = pytest.mark.device

ENTRIES = {
    "/cells/a.png": Entry(FileStamp(10, 1_700_000_000_123_456_789), (0.1, 0.9)),
    '/cells/odd "name"\n\udcff µ.png': Entry(FileStamp(0, -5), (1.0, 0.0)),
    "/cells/c.png": Entry(FileStamp(3, 4), (1 / 3, 2 / 3)),
}


@pytest.fixture
def path(tmp_path):
    return journal_path(tmp_path / "cells.csv")


@pytest.fixture
def filled(path):
    with Journal(path, "bundle", 2) as journal:
        assert journal.entries == {}
        for name, entry in ENTRIES.items():
            journal.add(name, entry)
    return path


def test_it_stands_beside_the_table(path):
    assert path.name == "cells.csv.journal"


def test_what_was_added_is_found_again_exactly(filled):
    for _ in range(2):
        with Journal(filled, "bundle", 2) as journal:
            assert journal.entries == ENTRIES


def test_an_entry_is_in_the_file_at_once(path):
    with Journal(path, "bundle", 2) as journal:
        journal.add("/a", ENTRIES["/cells/a.png"])
        assert len(path.read_bytes().splitlines()) == 2


def test_a_file_cut_off_anywhere_goes_on_with_its_whole_lines(filled):
    content = filled.read_bytes()
    names = list(ENTRIES)
    for length in range(len(content) + 1):
        filled.write_bytes(content[:length])
        whole = max(content[:length].count(b"\n") - 1, 0)
        with Journal(filled, "bundle", 2) as journal:
            assert list(journal.entries) == names[:whole]
            for name in names[whole:]:
                journal.add(name, ENTRIES[name])
        assert filled.read_bytes() == content


@pytest.mark.parametrize(
    "line",
    [
        b"\x00\x00\x00\n",
        b"[1]\n",
        b"{}\n",
        b'{"path":"/x","stamp":[1],"scores":[0,1]}\n',
        b'{"path":"/x","stamp":[1,2],"scores":[1]}\n',
        b'{"path":"/x","stamp":[1,2],"scores":["one",2]}\n',
        b'{"stamp":[1,2],"scores":[0,1]}\n',
    ],
)
def test_from_a_damaged_line_on_nothing_is_believed(filled, line):
    lines = filled.read_bytes().splitlines(keepends=True)
    filled.write_bytes(b"".join([*lines[:2], line, *lines[2:]]))
    with Journal(filled, "bundle", 2) as journal:
        assert list(journal.entries) == ["/cells/a.png"]
    assert filled.read_bytes() == b"".join(lines[:2])


@pytest.mark.parametrize("changed", [("other", 2), ("bundle", 3)])
def test_results_of_another_bundle_are_refused_and_kept(filled, changed):
    before = filled.read_bytes()
    with pytest.raises(LabError, match=r"results of another bundle.*--restart"):
        Journal(filled, *changed).__enter__()
    assert filled.read_bytes() == before


@pytest.mark.parametrize("content", [b"my thesis", b"my thesis\nchapter 1\n", b'{"journal":9}\n'])
def test_another_file_of_that_name_is_refused_and_kept(path, content):
    path.write_bytes(content)
    with pytest.raises(LabError, match="not the journal of a stopped run"):
        Journal(path, "bundle", 2).__enter__()
    assert path.read_bytes() == content


def test_anew_begins_anew(filled):
    with Journal(filled, "other", 3, anew=True) as journal:
        assert journal.entries == {}
    assert len(filled.read_bytes().splitlines()) == 1


def test_two_runs_do_not_write_one_journal(filled):
    pytest.importorskip("fcntl", reason="this system has no file locks")
    before = filled.read_bytes()
    with Journal(filled, "bundle", 2):
        for anew in (False, True):
            with pytest.raises(LabError, match="in use: another run"):
                Journal(filled, "bundle", 2, anew).__enter__()
    assert filled.read_bytes() == before


def test_outside_a_with_block_nothing_is_added(path):
    with pytest.raises(LabError, match="with block"):
        Journal(path, "bundle", 2).add("/a", ENTRIES["/cells/a.png"])
