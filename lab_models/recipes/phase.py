"""One named phase of a training: what trains, for how long, and how."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from lab_models.recipes.checks import RecipeError, in_range, one_of, whole_number

TRAINABLE = ("frozen", "partial", "full")
BATCH_NORM = ("update", "frozen")
OPTIMIZERS = ("adam", "adamw", "nadam", "lion", "sgd")
SCHEDULES = ("constant", "cosine", "rex", "plateau")
LOSSES = ("cross_entropy", "focal")
MONITORS = ("val_loss", "val_accuracy")


@dataclass(frozen=True)
class Optimizer:
    """The optimiser and its learning-rate schedule.

    Args:
        name: One of `OPTIMIZERS` (Keras's own implementations).
        learning_rate: Highest rate, reached after the warm-up.
        schedule: ``constant``; ``cosine`` down to zero; ``rex`` (study particles:
            ``lr0 (1 - t/T) / (1/2 + (1 - t/T)/2)``); ``plateau`` (cut by `plateau_factor` when
            the validation loss has not fallen by `plateau_min_delta` for `plateau_patience`
            epochs).
        warmup_epochs: Epochs in which the rate rises linearly from zero; may be a fraction.
        weight_decay: Decoupled, for ``adamw`` and ``lion``; 0 switches it off.
        momentum: For ``sgd``.
        gradient_clip: Largest norm of the gradient of all weights together; 0 for no clipping.
        plateau_patience: See ``plateau``.
        plateau_factor: See ``plateau``.
        plateau_min_delta: See ``plateau``.
    """

    name: str = "adam"
    learning_rate: float = 1e-3
    schedule: str = "constant"
    warmup_epochs: float = 0.0
    weight_decay: float = 0.0
    momentum: float = 0.0
    gradient_clip: float = 0.0
    plateau_patience: int = 10
    plateau_factor: float = 0.1
    plateau_min_delta: float = 1e-4

    def __post_init__(self) -> None:
        _raise_if_any(self.faults())

    def faults(self) -> Iterator[str]:
        """Every bad field, one sentence each."""
        yield from one_of("name", self.name, OPTIMIZERS)
        yield from in_range("learning_rate", self.learning_rate, 0, 10, open_low=True)
        yield from one_of("schedule", self.schedule, SCHEDULES)
        yield from in_range("warmup_epochs", self.warmup_epochs, 0)
        yield from in_range("weight_decay", self.weight_decay, 0, 1)
        yield from in_range("momentum", self.momentum, 0, 0.9999)
        yield from in_range("gradient_clip", self.gradient_clip, 0)
        yield from whole_number("plateau_patience", self.plateau_patience, 1)
        yield from in_range("plateau_factor", self.plateau_factor, 0, 0.99, open_low=True)
        yield from in_range("plateau_min_delta", self.plateau_min_delta, 0)
        if self.weight_decay and self.name not in ("adamw", "lion"):
            yield f"weight_decay works with adamw and lion only, got optimizer {self.name!r}"
        if self.warmup_epochs and self.schedule == "plateau":
            yield f"warmup_epochs must be 0 with schedule plateau, got {self.warmup_epochs}"
        if self.momentum and self.name != "sgd":
            yield f"momentum works with sgd only, got optimizer {self.name!r}"


@dataclass(frozen=True)
class Loss:
    """The classification loss.

    Args:
        name: ``cross_entropy``, or ``focal`` (Lin et al. 2017, equation 4).
        label_smoothing: Share of the target spread evenly over all classes.
        focal_gamma: The focusing parameter of ``focal``.
    """

    name: str = "cross_entropy"
    label_smoothing: float = 0.0
    focal_gamma: float = 2.0

    def __post_init__(self) -> None:
        _raise_if_any(self.faults())

    def faults(self) -> Iterator[str]:
        """Every bad field, one sentence each."""
        yield from one_of("name", self.name, LOSSES)
        yield from in_range("label_smoothing", self.label_smoothing, 0, 0.9)
        yield from in_range("focal_gamma", self.focal_gamma, 0, 10)


@dataclass(frozen=True)
class EarlyStopping:
    """When a phase ends before its last epoch.

    Args:
        monitor: ``val_loss`` or ``val_accuracy``.
        patience: Epochs without improvement after which the phase ends.
        min_delta: What counts as an improvement.
        restore_best: Whether the weights of the best epoch are taken, also when the phase ran to
            its last epoch.
    """

    monitor: str = "val_loss"
    patience: int = 3
    min_delta: float = 0.0
    restore_best: bool = True

    def __post_init__(self) -> None:
        _raise_if_any(self.faults())

    def faults(self) -> Iterator[str]:
        """Every bad field, one sentence each."""
        yield from one_of("monitor", self.monitor, MONITORS)
        yield from whole_number("patience", self.patience, 1)
        yield from in_range("min_delta", self.min_delta, 0)


@dataclass(frozen=True)
class Phase:
    """One phase of a training.

    Args:
        name: Stands in the history and the progress; unique within a recipe.
        trainable: ``frozen`` trains the head alone; ``partial`` the head and the backbone from
            the layer `train_from` on; ``full`` everything.
        epochs: Most epochs of the phase.
        train_from: For ``partial``: name of the first backbone layer that trains.
        batch_norm: ``update``: the batch-normalisation layers of the trained part train and
            update their statistics. ``frozen``: they keep scale, shift and statistics, and run
            as at inference, which guards pre-trained statistics against small batches. Layers
            of the frozen part are always frozen.
        optimizer: See `Optimizer`.
        loss: See `Loss`.
        early_stopping: See `EarlyStopping`; None runs all epochs and takes the last weights.
        average_weights: Momentum, per epoch, of a running average of all weights, the statistics
            of batch normalisation included (Polyak and Juditsky 1992; Izmailov et al. 2018).
            The average is what is validated, watched for early stopping, and kept at the end;
            0 switches it off.
    """

    name: str
    trainable: str
    epochs: int
    train_from: str = ""
    batch_norm: str = "update"
    optimizer: Optimizer = field(default_factory=Optimizer)
    loss: Loss = field(default_factory=Loss)
    early_stopping: EarlyStopping | None = None
    average_weights: float = 0.0

    def __post_init__(self) -> None:
        _raise_if_any(self.faults())

    def faults(self) -> Iterator[str]:
        """Every bad field, one sentence each."""
        if not self.name or not self.name.replace("_", "").isalnum():
            yield f"name must be letters, digits and underscores, got {self.name!r}"
        yield from one_of("trainable", self.trainable, TRAINABLE)
        yield from whole_number("epochs", self.epochs, 1)
        yield from one_of("batch_norm", self.batch_norm, BATCH_NORM)
        yield from in_range("average_weights", self.average_weights, 0, 0.999)
        # None while faults are gathered of a phase whose optimiser is itself at fault.
        warmup = self.optimizer.warmup_epochs if self.optimizer is not None else 0
        if isinstance(self.epochs, int) and warmup and warmup >= self.epochs:
            yield (f"optimizer.warmup_epochs must be below epochs, got {warmup:g} of {self.epochs}")
        if (self.trainable == "partial") != bool(self.train_from):
            yield (
                'train_from must name a layer when trainable is "partial", and only then; '
                f"got trainable {self.trainable!r} and train_from {self.train_from!r}"
            )


def _raise_if_any(faults: Iterator[str]) -> None:
    found = list(faults)
    if found:
        raise RecipeError(found)
