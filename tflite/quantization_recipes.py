"""Quantisation recipes: what the numbers inside a ``.tflite`` file are, one name each.

| name | weights | activations | input | calibration | when |
|---|---|---|---|---|---|
| ``float32`` | float32 | float32 | float32 | no | the reference every other file is held against |
| ``float16`` | float16 | float32 | float32 | no | half the size, nothing lost, not faster |
| ``dynamic_int8`` | int8 per channel | float32 | float32 | no | activations that int8 cannot hold |
| ``int8_full`` | int8 per channel | int8 | int8 | yes | the instrument; a quarter of the size |
| ``int8_qat`` | int8 per channel | int8 | int8 | trained | where ``int8_full`` loses too much |
| ``int16x8`` | int8 per channel | int16 | float32 | yes | are activations the trouble? |

The output, logits, has the type of the input.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from tflite.runtime.errors import LabError


@dataclass(frozen=True)
class QuantizationRecipe:
    """One way to store and compute a network.

    Args:
        name: What users call it.
        file_stem: Name of the exported file without its suffix.
        weights: Type of the weights.
        activations: Type of everything computed.
        interface: Type of the input and the output tensor.
        weight_bytes: Bytes that one weight takes in the file.
        calibrated: Whether the ranges of activations come from representative images.
        fine_tuned: Whether the network is trained further, with quantisation simulated.
    """

    name: str
    file_stem: str
    weights: str
    activations: str
    interface: str
    weight_bytes: int
    calibrated: bool
    fine_tuned: bool = False

    @property
    def integer_only(self) -> bool:
        """Whether no tensor of the file may be float."""
        return self.activations == "int8" and self.interface != "float32"


FLOAT32 = QuantizationRecipe(
    name="float32",
    file_stem="model_float32",
    weights="float32",
    activations="float32",
    interface="float32",
    weight_bytes=4,
    calibrated=False,
)

FLOAT16 = QuantizationRecipe(
    name="float16",
    file_stem="model_float16",
    weights="float16",
    activations="float32",
    interface="float32",
    weight_bytes=2,
    calibrated=False,
)

DYNAMIC_INT8 = QuantizationRecipe(
    name="dynamic_int8",
    file_stem="model_dynamic_int8",
    weights="int8",
    activations="float32",
    interface="float32",
    weight_bytes=1,
    calibrated=False,
)

INT8_FULL = QuantizationRecipe(
    name="int8_full",
    file_stem="model_int8",
    weights="int8",
    activations="int8",
    interface="int8",
    weight_bytes=1,
    calibrated=True,
)

INT8_QAT = QuantizationRecipe(
    name="int8_qat",
    file_stem="model_int8_qat",
    weights="int8",
    activations="int8",
    interface="int8",
    weight_bytes=1,
    calibrated=True,
    fine_tuned=True,
)

INT16X8 = QuantizationRecipe(
    name="int16x8",
    file_stem="model_int16x8",
    weights="int8",
    activations="int16",
    interface="float32",
    weight_bytes=1,
    calibrated=True,
)

QUANTIZATION_RECIPES = {
    recipe.name: recipe for recipe in (FLOAT32, FLOAT16, DYNAMIC_INT8, INT8_FULL, INT8_QAT, INT16X8)
}


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
