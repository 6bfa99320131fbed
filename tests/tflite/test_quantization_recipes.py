import dataclasses

import pytest

from tflite import quantization_recipes
from tflite.quantization_recipes import QUANTIZATION_RECIPES, quantization_recipe
from tflite.runtime.errors import LabError


@pytest.mark.parametrize("name", QUANTIZATION_RECIPES)
def test_a_recipe_has_one_name_and_is_frozen(name):
    recipe = quantization_recipe(name)
    assert recipe.name == name
    assert f"``{name}``" in quantization_recipes.__doc__
    with pytest.raises(dataclasses.FrozenInstanceError):
        recipe.name = "other"


def test_file_names_differ():
    stems = [recipe.file_stem for recipe in QUANTIZATION_RECIPES.values()]
    assert len(set(stems)) == len(stems)


def test_an_unknown_name_gets_the_nearest_and_all():
    with pytest.raises(LabError, match=r"Did you mean 'int8_full'\? There are: float32, float16"):
        quantization_recipe("int8-full")
    with pytest.raises(LabError, match=r"'banana'\. There are"):
        quantization_recipe("banana")
