"""Every file of an export, with the cure it needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from tflite.compare import REFERENCE, compute_logits
from tflite.conversion_checks import ConversionChecks, check_file, check_scores
from tflite.convert import PostTraining, as_float32, convert
from tflite.cures.auto import NONE, TRAINING, Aim, Cured, Judge, Retraining, cure_int8
from tflite.quantization_recipes import INT8_FULL, QuantizationRecipe
from tflite.representative import LabelledImages
from tflite.runtime.contract import InputContract
from tflite.runtime.errors import LabError

if TYPE_CHECKING:
    import keras


class FileMaker:
    """Makes and compares the files of one classifier, which answers the validation images once.

    Args:
        model: Functional classifier that ends in a softmax.
        representative: uint8 ``(n, height, width, 3)``, the representative dataset.
        validation: The images on which a cure is judged.
        contract: The model's input contract.
        checks: Limits right after conversion.
        retraining: For what is trained; None where there is no training data.
        say: Called with a sentence before each long step.
    """

    def __init__(
        self,
        model: keras.Model,
        representative: np.ndarray,
        validation: LabelledImages,
        contract: InputContract,
        checks: ConversionChecks,
        retraining: Retraining | None = None,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._model, self._images, self._checks = model, representative, checks
        self._validation, self._contract = validation, contract
        self._retraining, self._say = retraining, say
        self._answered: dict[str, np.ndarray] = {}

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
            self._model, self._images, cure, self._judge(), self._retraining, aim, self._say
        )
        self._checked(cured.content, recipe, cured.network)
        return cured

    def logits(self, files: Mapping[str, bytes]) -> dict[str, np.ndarray]:
        """Logits of the Keras model and of files on the validation images.

        Args:
            files: Name to content.

        Returns:
            As `tflite.compare.compute_logits` gives them, the Keras model's among them.
        """
        # One walk over the images answers for both, where the search for a cure did not before.
        model = None if self._answered else self._model
        found = compute_logits(model, files, self._validation, self._contract)
        self._answered = self._answered or {REFERENCE: found[REFERENCE]}
        return {**self._answered, **found}

    def _trained(self, recipe: QuantizationRecipe) -> bytes:
        if self._retraining is None:
            raise LabError(f"{recipe.name} is made by training, and no training data was given.")
        return self._retraining.quantization_aware(self._images)

    def _checked(
        self, content: bytes, recipe: QuantizationRecipe, network: keras.Model | None = None
    ) -> bytes:
        # A file is checked against what it was converted from; parity asks whether that is good.
        model = self._model if network is None else network
        check_file(content, recipe, model, self._checks)
        compared = self._images[: self._checks.images]
        expected = as_float32(model).predict_on_batch(compared.astype(np.float32))
        check_scores(content, recipe, compared, np.asarray(expected), self._checks)
        return content

    def _judge(self) -> Judge:
        def judge(content: bytes) -> tuple[float, float]:
            logits = self.logits({"file": content})
            before, after = (logits[name].argmax(axis=1) for name in (REFERENCE, "file"))
            truth = self._validation.label_ids
            loss = float((before == truth).mean() - (after == truth).mean())
            return loss, float((after == before).mean())

        return judge
