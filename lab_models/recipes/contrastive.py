"""The contrastive part of a recipe: projection head, loss and batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lab_models.recipes.checks import in_range, one_of, raise_if_any, whole_number

CONTRASTIVE_LOSSES = (
    "supcon_out",
    "supcon_in",
    "simclr",
    "supervised_minority",
    "supervised_prototypes",
)

_NEED_VIEWS = ("simclr", "supervised_minority", "supervised_prototypes")


@dataclass(frozen=True)
class Projection:
    """The projection head: features, L2 normalisation, dropout, dense, L2 normalisation.

    Source: study hairy; its head of 16 units on Xception's 2048 features has 32,784 parameters,
    that of 128 units 262,272.

    Args:
        units: Length of the embeddings.
        hidden_units: Units of a hidden layer with ReLU before the last; 0 leaves it out.
        dropout: Share of the features dropped in training.
        normalize_features: Whether features are brought to length 1 first.
        normalize_embeddings: Whether embeddings are brought to length 1 at the end, as the
            contrastive losses suppose.
    """

    units: int = 128
    hidden_units: int = 0
    dropout: float = 0.2
    normalize_features: bool = True
    normalize_embeddings: bool = True

    def __post_init__(self) -> None:
        raise_if_any(self.faults())

    def faults(self) -> Iterator[str]:
        """Every bad field, one sentence each."""
        yield from whole_number("units", self.units, 1)
        yield from whole_number("hidden_units", self.hidden_units, 0)
        yield from in_range("dropout", self.dropout, 0, 0.95)


@dataclass(frozen=True)
class Contrastive:
    """The contrastive loss of a phase, and what it is computed on.

    Args:
        loss: One of `CONTRASTIVE_LOSSES`; see `lab_models.contrastive.losses`.
        temperature: tau; smaller values look harder at near neighbours.
        views: Copies of each image, every one augmented on its own.
        share: In a joint phase, weight of the contrastive loss; cross-entropy has the rest.
        minority: For ``supervised_minority``: names of the rare classes; empty takes those with
            fewer training images than the mean.
        classes_per_batch: P; each batch holds P classes with K images each. 0 for ordinary
            batches.
        images_per_class: K; the phase's batch size must be P times K.
        micro_batch: Images worked through at a time, for batches beyond memory; 0 takes the
            whole batch at once.
    """

    loss: str = "supcon_out"
    temperature: float = 0.1
    views: int = 2
    share: float = 0.5
    minority: tuple[str, ...] = ()
    classes_per_batch: int = 0
    images_per_class: int = 0
    micro_batch: int = 0

    def __post_init__(self) -> None:
        raise_if_any(self.faults())

    def faults(self) -> Iterator[str]:
        """Every bad field, one sentence each."""
        yield from one_of("loss", self.loss, CONTRASTIVE_LOSSES)
        yield from in_range("temperature", self.temperature, 0, 10, open_low=True)
        yield from whole_number("views", self.views, 1)
        yield from in_range("share", self.share, 0, 1)
        yield from whole_number("classes_per_batch", self.classes_per_batch, 0)
        yield from whole_number("images_per_class", self.images_per_class, 0)
        yield from whole_number("micro_batch", self.micro_batch, 0)
        if bool(self.classes_per_batch) != bool(self.images_per_class):
            yield (
                "classes_per_batch and images_per_class go together, got "
                f"{self.classes_per_batch} and {self.images_per_class}"
            )
        if self.classes_per_batch == 1:
            yield "classes_per_batch must be at least 2: one class has no negatives"
        if self.views == 1 and self.loss in _NEED_VIEWS:
            yield f"views must be at least 2 for {self.loss}, which compares views of one image"
