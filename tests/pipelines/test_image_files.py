from __future__ import annotations

import os

import pytest

from pipelines.errors import ManifestError
from pipelines.image_files import find_images
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
