"""Every file of an export, with the cure it needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from tflite.compare import REFERENCE, compute_logits
from tflite.conversion_checks import ConversionChecks, check_file, check_scores
from tflite.convert import PostTraining, as_float32, convert
from tflite.cures.auto import NONE, TRAINING, Aim, Cured, FineTune, Judge, cure_int8
from tflite.quantization_recipes import INT8_FULL, QuantizationRecipe
from tflite.representative import LabelledImages
from tflite.runtime.contract import InputContract
from tflite.runtime.errors import LabError

if TYPE_CHECKING:
    import keras


class FileMaker:
    """Makes the files of one classifier; the float model answers the validation images once.

    Args:
        model: Functional classifier that ends in a softmax.
        representative: uint8 ``(n, height, width, 3)``, the representative dataset.
        validation: The images on which a cure is judged.
        contract: The model's input contract.
        checks: Limits right after conversion.
        fine_tune: Trains with quantisation simulated; None where there is no training data.
        say: Called with a sentence before each long step.
    """

    def __init__(
        self,
        model: keras.Model,
        representative: np.ndarray,
        validation: LabelledImages,
        contract: InputContract,
        checks: ConversionChecks,
        fine_tune: FineTune | None = None,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._model, self._images, self._checks = model, representative, checks
        self._validation, self._contract = validation, contract
        self._fine_tune, self._say = fine_tune, say
        self._float_logits: np.ndarray | None = None

    def make(
        self, recipe: QuantizationRecipe, post_training: PostTraining, cure: str, aim: Aim
    ) -> Cured:
        """The file of a recipe.

        Args:
            recipe: How its numbers are stored.
            post_training: What ``int8_full`` does besides rounding, without a cure.
            cure: For ``int8_full``: a name of `tflite.cures.auto.cure_names`.
            aim: What ends the search of ``"auto"``.

        Raises:
            LabError: If the file fails a check, or the recipe trains and nothing can.
        """
        self._say(f"converting to {recipe.name}")
        if recipe.fine_tuned:
            return Cured(self._checked(self._trained(recipe), recipe), TRAINING)
        if recipe != INT8_FULL or cure == NONE:
            return Cured(
                convert(self._model, recipe, self._images, self._checks, post_training), NONE
            )
        cured = cure_int8(
            self._model, self._images, cure, self._judge(), self._fine_tune, aim, self._say
        )
        self._checked(cured.content, recipe)
        return cured

    def _trained(self, recipe: QuantizationRecipe) -> bytes:
        if self._fine_tune is None:
            raise LabError(f"{recipe.name} is made by training, and no training data was given.")
        return self._fine_tune(self._images)

    def _checked(self, content: bytes, recipe: QuantizationRecipe) -> bytes:
        check_file(content, recipe, self._model, self._checks)
        compared = self._images[: self._checks.images]
        expected = as_float32(self._model).predict_on_batch(compared.astype(np.float32))
        check_scores(content, recipe, compared, np.asarray(expected), self._checks)
        return content

    def _judge(self) -> Judge:
        if self._float_logits is None:
            found = compute_logits(self._model, {}, self._validation, self._contract)
            self._float_logits = found[REFERENCE]
        before = self._float_logits.argmax(axis=1)
        truth = self._validation.label_ids

        def judge(content: bytes) -> tuple[float, float]:
            logits = compute_logits(None, {"file": content}, self._validation, self._contract)
            after = logits["file"].argmax(axis=1)
            loss = float((before == truth).mean() - (after == truth).mean())
            return loss, float((after == before).mean())

        return judge
