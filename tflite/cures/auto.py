"""``--cure auto``: the cheapest cure with which int8 answers as the float model does.

Cures are tried in the order of what they cost, each on top of the float file that all share, and
judged on the validation images; the first that reaches the aim is taken, else the one that comes
closest to it. What was tried, and with what result, is recorded in the export.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tflite.calibration import CalibrationSettings, float_file
from tflite.convert import PostTraining, as_float32, fix_batch, quantize_after_training
from tflite.logits import with_logits
from tflite.runtime.errors import LabError

if TYPE_CHECKING:
    import keras

NONE, AUTO = "none", "auto"
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
    """

    name: str
    what: str
    cost: str
    post_training: PostTraining | None


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
    """

    content: bytes
    cure: str
    attempts: tuple[Attempt, ...] = ()


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
FineTune = Callable[[np.ndarray], bytes]
"""From the representative dataset to an int8 file, by training with quantisation simulated."""


def cure_int8(
    model: keras.Model,
    images: np.ndarray,
    name: str,
    judge: Judge,
    fine_tune: FineTune | None = None,
    aim: Aim | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Cured:
    """Makes the int8 file with the cure of a name, or with the cheapest that reaches the aim.

    Args:
        model: Functional classifier that ends in a softmax.
        images: uint8 ``(n, height, width, 3)``, the representative dataset.
        name: One of `cure_names`.
        judge: From a file to its loss of accuracy and its agreement on the validation images.
        fine_tune: Trains with quantisation simulated; None leaves that out.
        aim: None takes the defaults.
        say: Called with a sentence after each attempt.

    Raises:
        LabError: If there is no such cure, or it needs `fine_tune` and there is none.
    """
    aim = aim or Aim()
    shared = float_file(fix_batch(with_logits(as_float32(model))), images[0])
    if name != AUTO:
        cure = named_cure(name)
        return Cured(_apply(cure, shared, images, fine_tune), cure.name)
    tried: list[tuple[Attempt, bytes]] = []
    for cure in CURES:
        if cure.post_training is None and fine_tune is None:
            continue
        content = _apply(cure, shared, images, fine_tune)
        attempt = _judge(cure, content, judge, aim)
        tried.append((attempt, content))
        points = 0.0 - 100 * attempt.accuracy_loss
        reached = ", reached" if attempt.reached else ""
        agreement = f"agreement {attempt.agreement:.4f}"
        say(f"cure {cure.name}: accuracy {points:+.2f} points, {agreement}{reached}")
        if attempt.reached:
            break
    # Of equals the first, which is the cheapest.
    attempt, content = min(tried, key=lambda one: _shortfall(one[0], aim))
    return Cured(content, attempt.cure, tuple(attempt for attempt, _ in tried))


def _apply(cure: Cure, shared: bytes, images: np.ndarray, fine_tune: FineTune | None) -> bytes:
    if cure.post_training is not None:
        return quantize_after_training(shared, images, cure.post_training)
    if fine_tune is None:
        raise LabError(f"The cure {cure.name} trains, and no training data was given.")
    return fine_tune(images)


def _judge(cure: Cure, content: bytes, judge: Judge, aim: Aim) -> Attempt:
    loss, agreement = judge(content)
    reached = loss <= aim.accuracy_loss and agreement >= aim.agreement
    return Attempt(cure.name, loss, agreement, reached)


def _shortfall(attempt: Attempt, aim: Aim) -> float:
    """How far an attempt stays behind the aim; what it gains beyond is mostly chance."""
    lost = max(0.0, attempt.accuracy_loss - aim.accuracy_loss)
    return lost + max(0.0, aim.agreement - attempt.agreement)
