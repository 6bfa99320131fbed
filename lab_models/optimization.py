"""From a recipe's phase to Keras's optimiser and loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

    from lab_models.recipes.phase import Loss, Optimizer


def build_optimizer(settings: Optimizer, learning_rate: Any) -> keras.optimizers.Optimizer:
    """Keras's own optimiser with a rate or schedule.

    Weight decay leaves out biases and the scale and shift of normalisation layers, whose size
    means nothing for overfitting.

    Args:
        settings: See `lab_models.recipes.phase.Optimizer`.
        learning_rate: A float or a Keras schedule.
    """
    import keras

    options: dict[str, Any] = {"learning_rate": learning_rate}
    if settings.gradient_clip:
        options["global_clipnorm"] = settings.gradient_clip
    if settings.name in ("adamw", "lion"):
        options["weight_decay"] = settings.weight_decay or None
    if settings.name == "adamw":
        options["weight_decay"] = settings.weight_decay
    if settings.name == "sgd":
        options["momentum"] = settings.momentum
    names = {"adam": "Adam", "adamw": "AdamW", "nadam": "Nadam", "lion": "Lion", "sgd": "SGD"}
    optimizer = getattr(keras.optimizers, names[settings.name])(**options)
    if settings.weight_decay:
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def build_loss(settings: Loss) -> keras.losses.Loss:
    """The loss on class scores ``(batch, classes)`` and one-hot or soft labels of that shape."""
    import keras

    if settings.name == "focal":
        return keras.losses.CategoricalFocalCrossentropy(
            alpha=1.0, gamma=settings.focal_gamma, label_smoothing=settings.label_smoothing
        )
    return keras.losses.CategoricalCrossentropy(label_smoothing=settings.label_smoothing)
