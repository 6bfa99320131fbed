"""Which rows an epoch shows, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pipelines import draws
from tflite.runtime.errors import LabError

Sampler = Callable[[np.ndarray, np.random.Generator], tuple[np.ndarray, np.ndarray]]


def natural_order(
    label_ids: np.ndarray, source: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Every row once, in random order.

    Args:
        label_ids: Class of each row, ``(n,)``.
        source: Gives the order.

    Returns:
        Positions int64 ``(n,)`` in `label_ids`, and copy numbers int64 ``(n,)``, all 0.
    """
    return source.permutation(len(label_ids)), np.zeros(len(label_ids), np.int64)


def balanced_order(
    label_ids: np.ndarray, source: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """As many rows as there are, the same number of every class, in random order.

    A rare class shows every row before it repeats one; a repeat has the next copy number and
    therefore draws another augmentation. A common class shows a random part of its rows, another
    one each epoch. Counts of classes differ by 1 at most.

    Args:
        label_ids: Class of each row, ``(n,)``.
        source: Gives the choice and the order.

    Returns:
        Positions int64 ``(n,)`` in `label_ids`, and copy numbers int64 ``(n,)``.
    """
    classes = np.unique(label_ids)
    shares = np.full(len(classes), len(label_ids) // len(classes))
    # The classes that get one more than the others change from epoch to epoch.
    shares[source.permutation(len(classes))[: len(label_ids) % len(classes)]] += 1
    parts = [
        _deal(np.flatnonzero(label_ids == label), share, 1, source)
        for label, share in zip(classes, shares)
    ]
    positions, copies = (np.concatenate(values) for values in zip(*parts))
    order = source.permutation(len(positions))
    return positions[order], copies[order]


def _deal(
    members: np.ndarray, count: int, group: int, source: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Deals members out like cards: each comes once in a round before any comes again.

    Args:
        members: What is dealt, ``(n,)``, all different.
        count: How many to deal.
        group: Size of the groups that go together; a member comes twice in a group only if
            the group has more places than there are members.
        source: Gives the order of each round.

    Returns:
        Members ``(count,)``, group after group, and the number of the round of each.
    """
    dealt: list[np.ndarray] = []
    for start in range(0, count, len(members)):
        order = source.permutation(members)
        filled = start % group
        if filled:
            # The group that the last round left open is filled with members it does not have.
            open_rounds = -(-filled // len(members))
            present = np.concatenate(dealt[-open_rounds:])[-filled:]
            free = np.flatnonzero(~np.isin(order, present))
            first = free[: group - filled]
            order = np.concatenate([order[first], np.delete(order, first)])
        dealt.append(order)
    rounds = np.repeat(np.arange(len(dealt)), len(members))
    return np.concatenate(dealt)[:count], rounds[:count]


@dataclass(frozen=True)
class ClassBatches:
    """Batches of a fixed number of classes with the same number of images each.

    Contrastive losses compare the images of a batch with each other: each needs others of its
    own class and others of other classes (Hermans et al. 2017, "In defense of the triplet loss",
    section 2, "PK batches").

    Args:
        classes: Classes in a batch (P), at least 2.
        images: Images of each of them (K), at least 1.

    Raises:
        LabError: If a number is too small.
    """

    classes: int
    images: int

    def __post_init__(self) -> None:
        if self.classes < 2:
            raise LabError(
                f"class_batches.classes must be at least 2, got {self.classes}: in a batch of one "
                "class there is nothing of another class to tell apart."
            )
        if self.images < 1:
            raise LabError(f"class_batches.images must be at least 1, got {self.images}.")

    @property
    def batch_size(self) -> int:
        """Images in a batch, P times K."""
        return self.classes * self.images

    def check(self, number_of_classes: int, batch_size: int) -> None:
        """Raises LabError if the data or the batch size does not fit.

        Args:
            number_of_classes: Classes that have training images.
            batch_size: Images in a batch as the rest of the run has it.
        """
        if self.batch_size != batch_size:
            raise LabError(
                f"Batches of {self.classes} classes with {self.images} images each hold "
                f"{self.batch_size} images, but batch_size is {batch_size}. Set batch_size to "
                f"{self.batch_size}, or class_batches to numbers whose product is {batch_size}."
            )
        if self.classes > number_of_classes:
            raise LabError(
                f"A batch cannot hold {self.classes} classes: only {number_of_classes} have "
                f"training images. Set class_batches.classes to at most {number_of_classes}."
            )

    def steps_per_epoch(self, number_of_rows: int, number_of_classes: int) -> int:
        """Batches in an epoch: as many as the images fill, and enough to show every class.

        That is the greater of ``number_of_rows // (P * K)`` and ``number_of_classes / P``, the
        latter rounded up.
        """
        return max(number_of_rows // self.batch_size, -(-number_of_classes // self.classes))

    def describe_repeats(self, counts: Sequence[int], classes: Sequence[str]) -> str:
        """A note on classes with too few images to fill their places in a batch.

        Args:
            counts: Training images of each class.
            classes: Names of the classes.

        Returns:
            One sentence; ``""`` if there are no such classes. Classes without images are left
            out: no batch holds them.
        """
        short = [f"{n} ({c})" for n, c in zip(classes, counts) if 0 < c < self.images]
        if not short:
            return ""
        return (
            f"A batch shows {self.images} images of a class, so these classes, with their numbers "
            f"of training images, show images more than once in a batch: {', '.join(short)}."
        )


def class_batch_rows(
    rows: np.ndarray, label_ids: np.ndarray, settings: ClassBatches, seed: int, epoch: int
) -> tuple[np.ndarray, np.ndarray]:
    """The rows of one epoch of balanced batches; the same for the same seed and epoch.

    Classes are dealt to the batches like cards: every class once, in random order, before any
    class a second time, and never the same class twice to a batch. So every class is seen in an
    epoch, and their numbers of batches differ by 1 at most. The images of a class are dealt to
    its batches in the same way: a rare class shows all its images before it repeats one, with
    the next copy number; a common class shows a random part, another one each epoch. A batch
    shows an image twice only if its class has fewer than K images. Within a batch the order is
    random.

    Args:
        rows: Row numbers in a manifest, int64 ``(n,)``.
        label_ids: Their classes, ``(n,)``.
        settings: Classes and images in a batch.
        seed: Seed of the run, 0..2**63-1.
        epoch: Number of the epoch, from 0.

    Returns:
        Row numbers int64 ``(steps * P * K,)``, batch after batch, and copy numbers int64 of the
        same shape: how often the row came before in this epoch.

    Raises:
        LabError: If there are fewer classes than a batch holds.
    """
    classes, label_ids = np.unique(label_ids, return_inverse=True)
    settings.check(len(classes), settings.batch_size)
    source = draws.generator(seed, draws.ORDER, epoch)
    steps = settings.steps_per_epoch(len(label_ids), len(classes))
    # (steps * P,) numbers of classes, and a row of K places for the images of each.
    dealt, _ = _deal(np.arange(len(classes)), steps * settings.classes, settings.classes, source)
    positions = np.empty((len(dealt), settings.images), np.int64)
    copies = np.empty_like(positions)
    for label in range(len(classes)):
        places = dealt == label
        members = np.flatnonzero(label_ids == label)
        part = _deal(members, places.sum() * settings.images, settings.images, source)
        positions[places], copies[places] = (v.reshape(-1, settings.images) for v in part)
    batches = np.arange(positions.size).reshape(steps, settings.batch_size)
    order = source.permuted(batches, axis=1).ravel()
    return np.asarray(rows, np.int64)[positions.ravel()[order]], copies.ravel()[order]


def class_sample(label_ids: np.ndarray, images_per_class: int, seed: int) -> np.ndarray:
    """A choice of images that holds the same number of every class, as far as there are so many.

    Args:
        label_ids: Class of each image, ``(n,)``.
        images_per_class: The most of a class, at least 1.
        seed: Seed of the run, 0..2**63-1.

    Returns:
        Positions in `label_ids`, int64, ascending.

    Raises:
        LabError: If no image of a class is asked for.
    """
    if images_per_class < 1:
        raise LabError(f"images_per_class must be at least 1, got {images_per_class}.")
    source = draws.generator(draws.check_seed(seed), draws.SAMPLE)
    order = source.permutation(len(label_ids))
    chosen = [order[label_ids[order] == label][:images_per_class] for label in np.unique(label_ids)]
    return np.sort(np.concatenate(chosen)) if chosen else np.zeros(0, np.int64)


SAMPLINGS: dict[str, Sampler] = {"natural": natural_order, "balanced": balanced_order}


def epoch_rows(
    rows: np.ndarray, label_ids: np.ndarray, sampling: str, seed: int, epoch: int
) -> tuple[np.ndarray, np.ndarray]:
    """The rows of one epoch in their order; the same for the same seed and epoch.

    Args:
        rows: Row numbers in a manifest, int64 ``(n,)``.
        label_ids: Their classes, ``(n,)``.
        sampling: One of `SAMPLINGS`.
        seed: Seed of the run, 0..2**63-1.
        epoch: Number of the epoch, from 0.

    Returns:
        Row numbers int64 ``(n,)`` and copy numbers int64 ``(n,)``: how often the row came before
        in this epoch.

    Raises:
        LabError: If there is no such sampling.
    """
    check_sampling(sampling)
    source = draws.generator(seed, draws.ORDER, epoch)
    positions, copies = SAMPLINGS[sampling](np.asarray(label_ids), source)
    return np.asarray(rows, np.int64)[positions], copies


def check_sampling(sampling: str) -> None:
    """Raises LabError if there is no such sampling."""
    if sampling not in SAMPLINGS:
        raise LabError(f"sampling must be one of {sorted(SAMPLINGS)}, got {sampling!r}.")
