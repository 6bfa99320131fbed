from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import ManifestError
from pipelines.image_files import count_images, find_images, refuse_case_twins, refuse_outside
from tests.pipelines.disk import write_image, write_images, write_table


def test_lists_images_others_and_empty_folders_in_order(tmp_path):
    write_images(tmp_path, ["b/2.JPG", "b/10.tiff", "a.png"])
    write_table(tmp_path / "b" / "list.csv", "")
    (tmp_path / "c" / "d").mkdir(parents=True)
    found = find_images(tmp_path)
    assert found.paths == ("a.png", "b/10.tiff", "b/2.JPG")
    assert found.others == ("b/list.csv",)
    assert found.empty_folders == ("c/d",)


def test_links_to_folders_are_followed_but_not_in_circles(tmp_path):
    write_image(tmp_path / "elsewhere" / "a.png")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "x").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "data")
    found = find_images(tmp_path / "data", outside_links=True)
    assert found.paths == ("x/a.png",)
    assert found.repeated_folders == ("x/back",)


def test_a_folder_goes_by_its_own_name_and_not_by_that_of_a_link(tmp_path):
    write_images(tmp_path, ["deep/x/a.png", "y/b.png"])
    (tmp_path / "again").symlink_to(tmp_path / "deep" / "x")
    (tmp_path / "y" / "up").symlink_to(tmp_path)
    found = find_images(tmp_path)
    assert found.paths == ("deep/x/a.png", "y/b.png")
    assert found.repeated_folders == ("again", "y/up")


def test_links_to_themselves_are_no_folders(tmp_path):
    write_image(tmp_path / "x" / "a.png")
    for one, other in (("p", "q"), ("q", "p"), ("r.png", "r.png")):
        (tmp_path / "x" / one).symlink_to(tmp_path / "x" / other)
    found = find_images(tmp_path)
    assert found.paths == ("x/a.png", "x/r.png")
    assert found.others == ("x/p", "x/q")


def test_counting_does_not_follow_links_that_lead_out(tmp_path):
    write_images(tmp_path, ["data/x/a.png", "data/x/.b.png", "data/.c/a.png", "elsewhere/y/c.png"])
    (tmp_path / "data" / "x" / "note.txt").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "data" / "y").symlink_to(tmp_path / "elsewhere" / "y")
    (tmp_path / "data" / "z.png").symlink_to(tmp_path / "elsewhere" / "y" / "c.png")
    (tmp_path / "data" / "again").symlink_to(tmp_path / "data" / "x")
    assert count_images(tmp_path / "data") == (2, 3)


def test_a_folder_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    write_image(tmp_path / "x" / "a.png")
    scandir = os.scandir

    def forbid(path):
        if str(path).endswith("x"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", forbid)
    for look in (find_images, count_images):
        with pytest.raises(ManifestError, match=r"/x cannot be read: Permission denied\. Allow"):
            look(tmp_path)


def test_a_name_that_is_not_unicode_is_named(tmp_path):
    write_image(tmp_path / "x" / "a.png")
    try:
        (tmp_path / "x" / "a.png").rename(os.fsdecode(os.fsencode(tmp_path / "x") + b"/\xff.png"))
    except OSError:
        pytest.skip("this file system takes Unicode names only")
    with pytest.raises(ManifestError, match=r"not valid Unicode, such as .*rename"):
        find_images(tmp_path)


def test_find_images_wants_a_folder(tmp_path):
    with pytest.raises(ManifestError, match="is missing; a folder"):
        find_images(tmp_path / "none")
    write_image(tmp_path / "a.png")
    with pytest.raises(ManifestError, match="is a file; a folder"):
        find_images(tmp_path / "a.png")


def test_links_that_lead_out_are_refused_before_they_are_followed(tmp_path):
    write_image(tmp_path / "data" / "x" / "a.png")
    write_image(tmp_path / "elsewhere" / "b.png")
    link = tmp_path / "data" / "x" / "more"
    for target in (tmp_path / "elsewhere", tmp_path / "elsewhere" / "b.png"):
        link.symlink_to(target)
        with pytest.raises(ManifestError, match=r"data/x/more/? leads out of .*outside_links=true"):
            find_images(tmp_path / "data")
        found = find_images(tmp_path / "data", outside_links=True)
        assert {*found.paths, *found.others} > {"x/a.png"}
        link.unlink()


def test_a_path_that_says_that_it_lies_elsewhere_is_no_hidden_link(tmp_path):
    write_image(tmp_path / "elsewhere" / "b.png")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "link").symlink_to(tmp_path / "elsewhere")
    names = ["../elsewhere/b.png", str(tmp_path / "elsewhere" / "b.png")]
    refuse_outside(tmp_path / "data", names, stated=True)
    with pytest.raises(ManifestError, match=r"link/b\.png leads out"):
        refuse_outside(tmp_path / "data", [*names, "link/b.png"], stated=True)


@pytest.mark.parametrize("name", ["../b.png", "x/../../b.png", "/etc/passwd"])
def test_paths_that_lead_out(tmp_path, name):
    refuse_outside(tmp_path, ["b.png", "x/../b.png", "."])
    with pytest.raises(ManifestError, match=r"leads out of the data set"):
        refuse_outside(tmp_path, ["b.png", name])


def test_a_folder_with_a_longer_name_is_outside(tmp_path):
    with pytest.raises(ManifestError, match=r"leads out of the data set"):
        refuse_outside(tmp_path / "data", ["../database/a.png"])


paths = st.lists(
    st.text("abAB/ß", min_size=1, max_size=6).filter(lambda p: p.strip("/")), max_size=8
)


@given(paths)
def test_twins_are_paths_that_lower_case_makes_equal(names):
    every = {"/".join(n.split("/")[: k + 1]) for n in names for k in range(n.count("/") + 1)}
    twins = len({name.casefold() for name in every}) < len(every)
    if not twins:
        refuse_case_twins(names, Path("x"))
    else:
        with pytest.raises(ManifestError, match=r"Names below x differ by capitals only"):
            refuse_case_twins(names, Path("x"))


def test_what_lies_in_twins_is_not_told_one_by_one():
    names = ["x/a.png", "x/b.png", "X/a.png", "X/b.png"]
    with pytest.raises(ManifestError, match=r"capitals only: 'x' and 'X'; rename"):
        refuse_case_twins(names, Path("d"))


@pytest.mark.parametrize("linked", [False, True])
def test_a_pipe_is_refused_and_not_waited_for(tmp_path, linked):
    write_image(tmp_path / "x" / "a.png")
    pipe = tmp_path / ("pipe" if linked else "x/b.png")
    os.mkfifo(pipe)
    if linked:
        (tmp_path / "x" / "b.png").symlink_to(pipe)
    with pytest.raises(ManifestError, match=r"x/b\.png is no file but a pipe, a socket or a dev"):
        find_images(tmp_path)
