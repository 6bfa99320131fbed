from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given, settings

from pipelines.same_content import same_content
from tests.pipelines.untimed import UNTIMED

# Long common ends, so that sizes and tails alone do not tell the files apart.
parts = st.sampled_from([b"", b"a", b"b", b"a" * 5000, b"b" + b"a" * 4999, b"c" + b"a" * 4999])


@settings(UNTIMED, max_examples=40)
@given(contents=st.lists(parts, max_size=8))
def test_groups_are_equality_of_bytes(tmp_path_factory, contents):
    folder = tmp_path_factory.mktemp("files")
    paths = [folder / str(number) for number in range(len(contents))]
    for path, content in zip(paths, contents):
        path.write_bytes(content)
    groups = same_content(paths)
    for first, one in enumerate(contents):
        twins = [number for number, other in enumerate(contents) if other == one]
        if not one or len(twins) == 1:
            assert groups[first] == -1
        else:
            same = [number for number in range(len(contents)) if groups[number] == groups[first]]
            assert same == twins


def test_missing_files_are_like_no_other(tmp_path):
    (tmp_path / "a").write_bytes(b"x")
    assert same_content([tmp_path / "a", tmp_path / "b", tmp_path / "c"]).tolist() == [-1] * 3


def test_groups_are_numbered_by_first_appearance(tmp_path):
    for name, content in zip("abcde", (b"xy", b"z", b"xy", b"z", b"q")):
        (tmp_path / name).write_bytes(content)
    assert same_content([tmp_path / name for name in "abcde"]).tolist() == [0, 1, 0, 1, -1]
