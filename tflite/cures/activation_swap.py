"""A network's smooth activations become ReLU6, and a short training wins the answers back.

Swish, hard swish and GELU reach far above zero and hardly below it, so that 8 bits spread over a
long, thinly used range, and the small negative values, which the next layer was trained with, get
few steps. What comes out of ReLU6 lies in 0..6 whatever the images hold, so its range can hardly
be found wrong. MobileNetV2 took it for low precision's sake (Sandler et al. 2018, section 4), and
EfficientNet-Lite in the place of EfficientNet's swish. A device computes it for nothing, as the
clipping of the convolution before it, where a swish is two operations more.

What comes out is another network. It is trained to give the original's logits on the training
images (`tflite.distillation`), and judged by the original's answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tflite.convert import as_float32
from tflite.distillation import DistillationSettings, Distilled, distill
from tflite.fine_tuning import Say
from tflite.keras_weights import give_weights
from tflite.logits import with_logits
from tflite.runtime.errors import LabError

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

# Of ``keras.activations``, and the same written as an operation of ``keras.ops``.
_SWAPPED = ("silu", "hard_silu", "gelu")
_SWAPPED_OPERATIONS = ("Silu", "HardSilu", "Gelu")


@dataclass(frozen=True)
class SwappedNetwork:
    """A classifier with other activations that answers as the one it was made of.

    Args:
        network: Functional, pixel values float32 ``(batch, height, width, 3)`` in 0..255 to
            softmax scores ``(batch, classes)``.
        record: What was done, as plain JSON values.
    """

    network: keras.Model
    record: Mapping[str, Any] = field(default_factory=dict)


def count_swappable(model: keras.Model) -> int:
    """How many activations of a model `swap_activations` would replace.

    Args:
        model: Functional or sequential; models nested in it count with theirs.
    """
    return sum(_form(operation) is not None for operation in _operations(model))


def swap_activations(model: keras.Model) -> keras.Model:
    """A copy with equal weights, all of them trainable, whose swish, hard swish and GELU are ReLU6.

    Known are ``Activation`` layers, the ``activation`` argument of any layer, and operations of
    ``keras.ops`` in the graph. All else stays, the sigmoid and hard sigmoid gates of
    squeeze-excite included: they are factors in 0..1, which 8 bits hold well. A swish that was
    written as a product with its own sigmoid is such a gate too.

    Args:
        model: Functional or sequential, its layers flat or in nested models; stays as it is.

    Raises:
        LabError: If there is nothing to swap.
    """
    import keras

    if not count_swappable(model):
        raise LabError(
            f"{model.name!r} has no swish, hard swish or GELU, so there is no activation to swap. "
            "Use another cure, or --cure auto."
        )
    copy = keras.models.clone_model(model, clone_function=_swapped, recursive=True)
    give_weights(copy, model.get_weights())
    copy.trainable = True
    return copy


def retrain_swapped(
    model: keras.Model,
    training: tf.data.Dataset,
    validation: tf.data.Dataset,
    steps: int | None = None,
    settings: DistillationSettings | None = None,
    say: Say = print,
) -> SwappedNetwork:
    """Swaps a classifier's activations and trains it to answer as before.

    Args:
        model: Functional Keras 3 classifier, pixel values in 0..255 to softmax scores; stays as
            it is, and is the teacher.
        training: See `tflite.distillation.distill`, as all that follow.
        validation: Finite; chooses the epoch.
        steps: Batches an epoch; None takes all of a finite dataset.
        settings: None takes the defaults.
        say: Takes one line of progress at a time.

    Raises:
        LabError: If there is nothing to swap, or the training fails.
    """
    import keras

    classifier = as_float32(model)
    student = with_logits(swap_activations(classifier))
    swapped = count_swappable(classifier)
    say(f"{swapped} activations are now ReLU6; training to answer as before")
    distilled = distill(
        student, with_logits(classifier), training, validation, steps, settings, say
    )
    scores = keras.layers.Softmax(name="scores")(student.output)
    network = keras.Model(student.input, scores, name=f"{model.name}_relu6")
    return SwappedNetwork(network, _record(swapped, distilled))


def _record(swapped: int, distilled: Distilled) -> dict[str, Any]:
    best, settings = distilled.best, distilled.settings
    return {
        "swapped_activations": swapped,
        "epochs": settings.epochs,
        "learning_rate": settings.learning_rate,
        "temperature": settings.temperature,
        "best_epoch": int(best["epoch"]),
        "distillation_loss": round(best["val_loss"], 6),
        "val_accuracy": round(best["val_accuracy"], 6),
        "val_agreement": round(best["val_agreement"], 6),
    }


def _operations(model: Any) -> Iterator[Any]:
    import keras

    for operation in getattr(model, "operations", None) or model.layers:
        if isinstance(operation, keras.Model):
            yield from _operations(operation)
        else:
            yield operation


def _form(operation: Any) -> str | None:
    """In which form an operation is or holds an activation that is swapped; None if it does not."""
    import keras

    if not isinstance(operation, keras.Layer):
        module, kind = type(operation).__module__, type(operation).__name__
        return "operation" if kind in _SWAPPED_OPERATIONS and ".ops." in module else None
    functions = [getattr(keras.activations, name) for name in _SWAPPED]
    if getattr(operation, "activation", None) not in functions:
        return None
    return "layer" if isinstance(operation, keras.layers.Activation) else "argument"


def _swapped(operation: Any) -> Any:
    import keras

    form = _form(operation)
    if form == "operation":
        return keras.layers.ReLU(max_value=6.0, name=operation.name)
    if form == "layer":
        dtype = operation.dtype_policy
        return keras.layers.ReLU(max_value=6.0, name=operation.name, dtype=dtype)
    config = operation.get_config()
    if "trainable" in config:
        # All layers have to follow the new activations, also those that a phase had frozen; a
        # weight that was made while its layer was frozen could never be trained.
        config["trainable"] = True
    if form == "argument":
        config["activation"] = "relu6"
    return type(operation).from_config(config)
