from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
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


def test_a_packed_file_equals_the_same_file_outside(tmp_path):
    content = b"a" * 6000
    (tmp_path / "alone").write_bytes(content)
    (tmp_path / "shard").write_bytes(b"head" + content + b"between" + content + b"b" * 6000)
    parts = [f"{tmp_path}/shard#bytes={start},6000" for start in (4, 6011, 12011)]
    assert same_content([tmp_path / "alone", *parts]).tolist() == [0, 0, 0, -1]


def test_items_of_archives_are_compared_by_their_pixels(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (4, 40, 50, 3), dtype=np.uint8)
    images[3] = images[1]
    np.savez(tmp_path / "a.npz", images=images, turned=images.reshape(4, 50, 40, 3))
    np.savez_compressed(tmp_path / "b.npz", images=images[::-1])
    names = [f"{tmp_path}/a.npz#array=images,{n}" for n in range(4)]
    names += [f"{tmp_path}/b.npz#array=images,{n}" for n in (0, 3, 4)]
    names += [f"{tmp_path}/a.npz#array=turned,1"]
    assert same_content(names).tolist() == [0, 1, -1, 1, 1, 0, -1, -1]


def test_cut_outs_are_equal_where_file_and_box_are(tmp_path):
    for name in "ab":
        (tmp_path / name).write_bytes(b"x" * 5000)
    (tmp_path / "c").write_bytes(b"x" * 4999 + b"y")
    names = ["a#xywh=1,2,3,4", "b#xywh=1,2,3,4", "a#xywh=1,2,3,5", "c#xywh=1,2,3,4", "a"]
    groups = same_content([tmp_path / name for name in names])
    assert groups.tolist() == [0, 0, -1, -1, -1]
