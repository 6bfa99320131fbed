"""What a recipe trains on, where the data lacks the subset or the split that it asks for."""

from __future__ import annotations

import pytest

from lab_models.recipe_data import check_given_split, read_data
from lab_models.recipes import get_recipe
from pipelines.datasets import open_dataset
from pipelines.labels import PBC_CLASSES
from tests.pipelines.datasets.trees import write_pbc
from tests.pipelines.disk import manifest_of
from tflite.runtime.errors import LabError

TINY = get_recipe("pbc_tiny")


def test_the_subset_of_the_recipe_is_read(tmp_path):
    write_pbc(tmp_path)
    manifest = read_data(TINY, tmp_path)
    assert len(manifest) == 16
    check_given_split(TINY, manifest)


@pytest.mark.parametrize("classes", [PBC_CLASSES, ("x", "y")])  # the kinds pbc and folders
def test_data_without_subsets_is_refused_with_the_way_out(tmp_path, classes):
    manifest_of(tmp_path, dict.fromkeys(classes, 2))
    with pytest.raises(LabError, match=r"subset.*--set data.subset= --set data.split.by=auto$"):
        read_data(TINY, tmp_path)
    freed = TINY.changed({"data.subset": "", "data.split.by": "auto"})
    manifest = read_data(freed, tmp_path)
    assert len(manifest) == 2 * len(classes)
    check_given_split(freed, manifest)


def test_data_with_a_split_keeps_it(tmp_path):
    manifest_of(tmp_path / "train", {"x": 2, "y": 2})
    manifest_of(tmp_path / "test", {"x": 2, "y": 2})
    with pytest.raises(LabError, match=r"all 8 images: --set data.subset=$"):
        read_data(TINY, tmp_path)


def test_what_is_wrong_besides_is_told_as_it_is(tmp_path):
    with pytest.raises(LabError, match="There is nothing at") as caught:
        read_data(TINY, tmp_path / "missing")
    assert "subset" not in str(caught.value)


def test_a_missing_split_is_refused_with_the_way_out(tmp_path):
    manifest_of(tmp_path, {"x": 2, "y": 2})
    recipe = TINY.changed({"data.subset": ""})
    with pytest.raises(LabError, match=r"No split came with .* --set data.split.by=auto$"):
        check_given_split(recipe, open_dataset(tmp_path))
