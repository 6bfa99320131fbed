from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import ManifestError
from pipelines.image_files import find_images, refuse_case_twins, refuse_outside
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
    assert find_images(tmp_path / "data").paths == ("x/a.png",)


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


def test_links_that_lead_out_can_be_refused_before_they_are_followed(tmp_path):
    write_image(tmp_path / "data" / "x" / "a.png")
    write_image(tmp_path / "elsewhere" / "a.png")
    inside = tmp_path / "data" / "again"
    inside.symlink_to(tmp_path / "data" / "x")
    assert find_images(tmp_path / "data", outside_links=False).paths == ("again/a.png",)
    inside.unlink()
    inside.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ManifestError, match=r"data/again/? leads out of the data set .*elsewhere"):
        find_images(tmp_path / "data", outside_links=False)


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
