"""Quantisation recipes: what the numbers inside a ``.tflite`` file are, one name each.

The grammar of a name, decoded here and nowhere else: ``<precision>_<scope>``. The precision is
that of weights and, unless the scope says otherwise, of activations; the scope says how far it
goes (``full``: every tensor, input and output included). A recipe without a scope leaves the
interfaces float.

| name | weights | activations | input, output | calibration | when |
|---|---|---|---|---|---|
| ``float32`` | float32 | float32 | float32 | no | the reference every other file is held against |
| ``int8_full`` | int8 per channel | int8 | uint8 | yes | the instrument; a quarter of the size |
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from tflite.runtime.errors import LabError


@dataclass(frozen=True)
class QuantizationRecipe:
    """One way to store and compute a network.

    Args:
        name: Following the grammar above.
        file_stem: Name of the exported file without its suffix.
        weights: Type of the weights.
        activations: Type of everything computed.
        interface: Type of the input and the output tensor.
        weight_bytes: Bytes that one weight takes in the file.
        calibrated: Whether the ranges of activations come from representative images.
    """

    name: str
    file_stem: str
    weights: str
    activations: str
    interface: str
    weight_bytes: int
    calibrated: bool


FLOAT32 = QuantizationRecipe(
    name="float32",
    file_stem="model_float32",
    weights="float32",
    activations="float32",
    interface="float32",
    weight_bytes=4,
    calibrated=False,
)

INT8_FULL = QuantizationRecipe(
    name="int8_full",
    file_stem="model_int8",
    weights="int8",
    activations="int8",
    interface="uint8",
    weight_bytes=1,
    calibrated=True,
)

QUANTIZATION_RECIPES = {recipe.name: recipe for recipe in (FLOAT32, INT8_FULL)}


def quantization_recipe(name: str) -> QuantizationRecipe:
    """The recipe of a name.

    Raises:
        LabError: If there is none; names the nearest and all of them.
    """
    if name in QUANTIZATION_RECIPES:
        return QUANTIZATION_RECIPES[name]
    near = difflib.get_close_matches(name, QUANTIZATION_RECIPES, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise LabError(
        f"No quantisation recipe {name!r}.{hint} There are: {', '.join(QUANTIZATION_RECIPES)}."
    )
