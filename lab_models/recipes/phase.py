"""One named phase of a training: what trains, for how long, and how."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from lab_models.recipes.checks import in_range, one_of, raise_if_any, whole_number
from lab_models.recipes.contrastive import Contrastive
from pipelines.augment_settings import AugmentSettings

TASKS = ("classifier", "projection", "joint")
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
        raise_if_any(self.faults())

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
        raise_if_any(self.faults())

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
        raise_if_any(self.faults())

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
        task: ``classifier`` trains the classifier by `loss`; ``projection`` trains the projection
            head, with as much of the encoder as `trainable` says, by the contrastive loss;
            ``joint`` trains both heads in one step.
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
        batch_size: Images a step; 0 takes the recipe's.
        augment: Of this phase; None takes the recipe's.
        contrastive: Loss and batches of the tasks ``projection`` and ``joint``.
        cached_views: With a frozen backbone, the number of augmented views of each image whose
            features are computed once and then trained on, epoch after epoch, instead of running
            the backbone in each; 0 runs it.
    """

    name: str
    trainable: str
    epochs: int
    task: str = "classifier"
    train_from: str = ""
    batch_norm: str = "update"
    optimizer: Optimizer = field(default_factory=Optimizer)
    loss: Loss = field(default_factory=Loss)
    early_stopping: EarlyStopping | None = None
    average_weights: float = 0.0
    batch_size: int = 0
    augment: AugmentSettings | None = None
    contrastive: Contrastive = field(default_factory=Contrastive)
    cached_views: int = 0

    @property
    def compares_views(self) -> bool:
        """Whether a contrastive loss takes part."""
        return self.task != "classifier"

    @property
    def watches_validation(self) -> bool:
        """Whether it cannot do without validation images."""
        return self.early_stopping is not None or self.optimizer.schedule == "plateau"

    def __post_init__(self) -> None:
        raise_if_any(self.faults())

    def faults(self) -> Iterator[str]:
        """Every bad field, one sentence each."""
        if not self.name or not self.name.replace("_", "").isalnum():
            yield f"name must be letters, digits and underscores, got {self.name!r}"
        yield from one_of("trainable", self.trainable, TRAINABLE)
        yield from whole_number("epochs", self.epochs, 1)
        yield from one_of("batch_norm", self.batch_norm, BATCH_NORM)
        yield from in_range("average_weights", self.average_weights, 0, 0.999)
        yield from one_of("task", self.task, TASKS)
        yield from whole_number("batch_size", self.batch_size, 0)
        yield from whole_number("cached_views", self.cached_views, 0)
        yield from self._faults_of_views()
        # None while faults are gathered of a phase whose optimiser is itself at fault.
        warmup = self.optimizer.warmup_epochs if self.optimizer is not None else 0
        if isinstance(self.epochs, int) and warmup and warmup >= self.epochs:
            yield (f"optimizer.warmup_epochs must be below epochs, got {warmup:g} of {self.epochs}")
        if (self.trainable == "partial") != bool(self.train_from):
            yield (
                'train_from must name a layer when trainable is "partial", and only then; '
                f"got trainable {self.trainable!r} and train_from {self.train_from!r}"
            )

    def _faults_of_views(self) -> Iterator[str]:
        if self.cached_views and self.trainable != "frozen":
            yield (
                "cached_views needs trainable frozen, since features of a training backbone change;"
                f" got trainable {self.trainable!r}"
            )
        if self.cached_views and self.task == "joint":
            yield "cached_views does not go with task joint"
        if (
            self.augment is not None
            and self.augment.mixes
            and (self.compares_views or self.cached_views)
        ):
            yield "augment must not mix images (CutMix, MixUp) where views are compared or cached"
        if self.compares_views and self.contrastive is not None:
            yield from self._faults_of_batches()
        early = self.early_stopping
        if self.task == "projection" and early is not None and early.monitor == "val_accuracy":
            yield "early_stopping.monitor must be val_loss: a projection has no accuracy"

    def _faults_of_batches(self) -> Iterator[str]:
        drawn = self.contrastive.classes_per_batch * self.contrastive.images_per_class
        if drawn and self.batch_size != drawn:
            yield (
                f"batch_size must be classes_per_batch times images_per_class, "
                f"{self.contrastive.classes_per_batch} x {self.contrastive.images_per_class} = "
                f"{drawn}, got {self.batch_size}"
            )
        if self.cached_views and self.cached_views < self.contrastive.views:
            yield (
                f"cached_views must be at least contrastive.views, {self.contrastive.views}, "
                f"got {self.cached_views}"
            )
        if self.cached_views and self.contrastive.micro_batch:
            yield "micro_batch must be 0 with cached_views: a head alone needs no parts"
