"""``--cure auto``: the cheapest cure with which int8 answers as the float model does.

Cures are tried in the order of what they cost, each on top of the float file that all share, and
judged on the validation images; the first that reaches the aim is taken, else the one that comes
closest to it. What was tried, and with what result, is recorded in the export.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from tflite.calibration import CalibrationSettings, float_file
from tflite.convert import PostTraining, as_float32, fix_batch, quantize_after_training
from tflite.cures.activation_swap import SwappedNetwork, count_swappable
from tflite.logits import with_logits
from tflite.runtime.errors import LabError

if TYPE_CHECKING:
    import keras

NONE, AUTO = "none", "auto"
SWAP = "activation_swap"
TRAINING = "quantization_aware_training"
_MSE = CalibrationSettings("mse")


@dataclass(frozen=True)
class Cure:
    """One way to make an int8 file better.

    Args:
        name: What users call it.
        what: What it does, in words.
        cost: What it costs, in words.
        post_training: What is done after training; None trains with quantisation simulated.
        swaps_activations: Whether the network gets other activations and is trained again first.
    """

    name: str
    what: str
    cost: str
    post_training: PostTraining | None
    swaps_activations: bool = False

    @property
    def trains(self) -> bool:
        """Whether it needs training data."""
        return self.swaps_activations or self.post_training is None


CURES = (
    Cure(NONE, "minimum and maximum of every activation", "nothing", PostTraining()),
    Cure(
        "mse_calibration",
        "the range of every activation that loses least to rounding and clipping",
        "seconds",
        PostTraining(_MSE),
    ),
    Cure(
        "percentile_calibration",
        "99.99 % of the values of every activation",
        "seconds",
        PostTraining(CalibrationSettings("percentile")),
    ),
    Cure(
        "bias_correction",
        "mse calibration, and the mean error of rounded weights taken out of the biases",
        "seconds",
        PostTraining(_MSE, bias_correction=True),
    ),
    Cure(
        "equalization",
        "bias correction, after neighbouring layers were brought to equal ranges",
        "seconds",
        PostTraining(_MSE, bias_correction=True, equalization=True),
    ),
    Cure(
        SWAP,
        "swish, hard swish and GELU become ReLU6, the network is trained to answer as before, and "
        "then bias correction",
        "minutes",
        PostTraining(_MSE, bias_correction=True),
        swaps_activations=True,
    ),
    Cure(TRAINING, "the network is trained on, with quantisation simulated", "minutes", None),
)


def cure_names() -> tuple[str, ...]:
    """Names of all cures, and ``"auto"``."""
    return (AUTO, *(cure.name for cure in CURES))


def named_cure(name: str) -> Cure:
    """The cure of a name.

    Raises:
        LabError: If there is none.
    """
    for cure in CURES:
        if cure.name == name:
            return cure
    raise LabError(f"No cure {name!r}. There are: {', '.join(cure_names())}.")


@dataclass(frozen=True)
class Attempt:
    """A cure that was tried.

    Args:
        cure: Its name.
        accuracy_loss: Accuracy of the float model less that of the int8 file, as a fraction.
        agreement: Share of images with the same class as from the float model.
        reached: Whether that is the aim.
    """

    cure: str
    accuracy_loss: float
    agreement: float
    reached: bool

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain JSON values."""
        return {
            "cure": self.cure,
            "accuracy_loss": round(self.accuracy_loss, 6),
            "agreement": round(self.agreement, 6),
            "reached": self.reached,
        }


@dataclass(frozen=True)
class Cured:
    """An int8 file and the way to it.

    Args:
        content: The file.
        cure: Name of the cure that was taken.
        attempts: All that were tried, in order; empty where one was asked for by name.
        network: The Keras classifier that the file computes, where a cure made another of the
            one that was given.
        training: What a cure's training did, as plain JSON values; empty without one.
    """

    content: bytes
    cure: str
    attempts: tuple[Attempt, ...] = ()
    network: keras.Model | None = None
    training: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Aim:
    """What an int8 file should reach before the search for a cure ends.

    Args:
        accuracy_loss: Largest fall of accuracy, as a fraction. ResNet18 and ResNet50 lose 0.3
            points in published post-training results; a person cannot tell such a net apart.
        agreement: Smallest share of images that keep their class.
    """

    accuracy_loss: float = 0.003
    agreement: float = 0.99


Judge = Callable[[bytes], tuple[float, float]]
"""From a file to its loss of accuracy and its agreement."""


@dataclass(frozen=True)
class Retraining:
    """The trainings that some cures need, each bound to the classifier and its training data.

    Args:
        activation_swap: Gives the classifier with other activations, trained to answer as before
            (`tflite.cures.activation_swap.retrain_swapped`).
        quantization_aware: From the representative dataset to an int8 file, by training with
            quantisation simulated (`tflite.qat`).
    """

    activation_swap: Callable[[], SwappedNetwork]
    quantization_aware: Callable[[np.ndarray], bytes]


def cure_int8(
    model: keras.Model,
    images: np.ndarray,
    name: str,
    judge: Judge,
    retraining: Retraining | None = None,
    aim: Aim | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Cured:
    """Makes the int8 file with the cure of a name, or with the cheapest that reaches the aim.

    Args:
        model: Functional classifier that ends in a softmax.
        images: uint8 ``(n, height, width, 3)``, the representative dataset.
        name: One of `cure_names`.
        judge: From a file to its loss of accuracy and its agreement on the validation images.
        retraining: For the cures that train; None leaves them out.
        aim: None takes the defaults.
        say: Called with a sentence after each attempt.

    Raises:
        LabError: If there is no such cure, it needs a training that cannot be had, or there is no
            activation to swap.
    """
    aim, treatment = aim or Aim(), _Treatment(model, images, retraining)
    if name != AUTO:
        return treatment.apply(named_cure(name))
    tried: list[tuple[Attempt, Cured]] = []
    for cure in CURES:
        if reason := treatment.reason_against(cure):
            say(f"cure {cure.name}: left out, {reason}")
            continue
        cured = treatment.apply(cure)
        attempt = _judge(cure, cured.content, judge, aim)
        tried.append((attempt, cured))
        points = 0.0 - 100 * attempt.accuracy_loss
        reached = ", reached" if attempt.reached else ""
        agreement = f"agreement {attempt.agreement:.4f}"
        say(f"cure {cure.name}: accuracy {points:+.2f} points, {agreement}{reached}")
        if attempt.reached:
            break
    # Of equals the first, which is the cheapest.
    _, cured = min(tried, key=lambda one: _shortfall(one[0], aim))
    return replace(cured, attempts=tuple(attempt for attempt, _ in tried))


class _Treatment:
    """Applies cures to one classifier; those that do not train share its float file."""

    def __init__(
        self, model: keras.Model, images: np.ndarray, retraining: Retraining | None
    ) -> None:
        self._model, self._images, self._retraining = model, images, retraining

    def reason_against(self, cure: Cure) -> str:
        """Why a cure cannot be tried; empty if it can."""
        if cure.swaps_activations and not count_swappable(self._model):
            return "the network has no swish, hard swish or GELU"
        if cure.trains and self._retraining is None:
            return "it trains, and no training data was given"
        return ""

    def apply(self, cure: Cure) -> Cured:
        """The file that a cure makes."""
        if reason := self.reason_against(cure):
            raise LabError(f"The cure {cure.name} cannot be had: {reason}.")
        if not cure.trains or self._retraining is None:
            return Cured(self._quantized(self._shared, cure), cure.name)
        if not cure.swaps_activations:
            return Cured(self._retraining.quantization_aware(self._images), cure.name)
        swapped = self._retraining.activation_swap()
        content = self._quantized(self._float_file(swapped.network), cure)
        return Cured(content, cure.name, network=swapped.network, training=swapped.record)

    @cached_property
    def _shared(self) -> bytes:
        return self._float_file(self._model)

    def _float_file(self, model: keras.Model) -> bytes:
        return float_file(fix_batch(with_logits(as_float32(model))), self._images[0])

    def _quantized(self, content: bytes, cure: Cure) -> bytes:
        return quantize_after_training(content, self._images, cure.post_training)


def _judge(cure: Cure, content: bytes, judge: Judge, aim: Aim) -> Attempt:
    loss, agreement = judge(content)
    reached = loss <= aim.accuracy_loss and agreement >= aim.agreement
    return Attempt(cure.name, loss, agreement, reached)


def _shortfall(attempt: Attempt, aim: Aim) -> float:
    """How far an attempt stays behind the aim; what it gains beyond is mostly chance."""
    lost = max(0.0, attempt.accuracy_loss - aim.accuracy_loss)
    return lost + max(0.0, aim.agreement - attempt.agreement)
