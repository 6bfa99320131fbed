"""``lab-models recipes``: lists the recipes, or shows one."""

from __future__ import annotations

import argparse
import json
from typing import Any


def add_parser(subparsers: Any) -> None:
    """Adds the command."""
    parser = subparsers.add_parser("recipes", help="list the recipes, or show one")
    parser.set_defaults(run=run)
    parser.add_argument("name", nargs="?", help="a recipe, e.g. hal_t3002")
    parser.add_argument("--scale", default="full")


def run(arguments: argparse.Namespace) -> int:
    """Prints names with their purpose, or one recipe as JSON."""
    from importlib import import_module

    from lab_models.recipes import get_recipe, list_recipes, recipe_id

    if arguments.name:
        recipe = get_recipe(arguments.name).at_scale(arguments.scale)
        print(json.dumps(recipe.to_dict(), indent=2))
        return 0
    for name in list_recipes():
        purpose = (import_module(f"lab_models.recipes.{name}").__doc__ or "").splitlines()[0]
        print(f"{name:12} {recipe_id(name):12} {purpose.partition(': ')[2]}")
    return 0
