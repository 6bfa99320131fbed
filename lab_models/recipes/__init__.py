"""Recipes by name.

The grammar of names, stated once. A study's id in small letters, hyphens as underscores, is the
recipe's name and its file: HAL-T3002 is ``hal_t3002`` in ``hal_t3002.py``, and nothing else.

- ``hal_t<number>``: study hairy, transfer learning with cross-entropy, by its number there.
- ``hal_r``: study hairy, the same net from random weights.
- ``hal_c<number>``: study hairy, supervised contrastive, by its number there.
- ``hal_c<number>_validation``: its run on the validation part, with that run's own values.
- ``hal_joint``: the same task with cross-entropy and contrastive loss in one step.
- ``pbc_<subset>``: study pbc, trained from scratch on that nested subset;
  ``pbc_<subset>_contrastive`` in the three steps of HAL-C, ``pbc_<subset>_joint`` in one.
- ``an2dl``: study an2dl, its final model.
"""

from __future__ import annotations

import importlib
import re
from pathlib import Path

from lab_models.recipes.checks import RecipeError
from lab_models.recipes.contrastive import Contrastive, Projection
from lab_models.recipes.phase import EarlyStopping, Loss, Optimizer, Phase
from lab_models.recipes.recipe import Data, Input, Recipe, differences
from lab_models.suggest import unknown_name
from tflite.runtime.errors import LabError

__all__ = [
    "Contrastive",
    "Data",
    "EarlyStopping",
    "Input",
    "Loss",
    "Optimizer",
    "Phase",
    "Projection",
    "Recipe",
    "RecipeError",
    "differences",
    "get_recipe",
    "list_recipes",
    "recipe_id",
]

_NAME = re.compile(
    r"hal_t\d+|hal_c\d+(_validation)?|hal_r|hal_joint|pbc_[a-z]+(_contrastive|_joint)?|an2dl"
)


def list_recipes() -> tuple[str, ...]:
    """Names of all recipes, sorted."""
    files = Path(__file__).parent.glob("*.py")
    return tuple(sorted(f.stem for f in files if _NAME.fullmatch(f.stem)))


def get_recipe(name: str) -> Recipe:
    """The recipe of that name.

    Raises:
        LabError: If there is none; names the nearest.
    """
    if name not in list_recipes():
        raise LabError(unknown_name("recipe", name, list_recipes()))
    return importlib.import_module(f"{__name__}.{name}").RECIPE


def recipe_id(name: str) -> str:
    """A recipe's id as the studies write it: ``hal_t3002`` is HAL-T3002."""
    return name.upper().replace("_", "-")
