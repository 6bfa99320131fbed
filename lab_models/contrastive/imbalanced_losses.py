"""Supervised contrastive losses for classes of very unequal size.

With one class far larger than the rest, pulling all of its images together can draw everything to
one point. Both losses here are from Mildenberger, Hager, Rueckert, Menten, "A Tale of Two Classes:
Adapting Supervised Contrastive Learning to Binary Imbalanced Datasets" (CVPR 2025, arXiv
2503.17024), as its authors' published program computes them, extended from two classes to any
number.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from lab_models.contrastive.base_loss import (
    Comparison,
    ContrastiveLoss,
    Views,
    masked_logsumexp,
    same,
)
from lab_models.contrastive.prototypes import class_prototypes
from tflite.runtime.errors import LabError


@keras.saving.register_keras_serializable(package="lab_models")
class SupervisedMinorityLoss(ContrastiveLoss):
    """SupCon for the rare classes, SimCLR's NT-Xent for the others ("Supervised Minority").

    A view of a rare class is to come near to all views of its class, any other view only to the
    other views of its own image: the large classes stay spread out. Everybody is compared with
    all other views. The paper has one minority and one majority class; here every class named is
    treated as its minority, every other class as its majority. With all classes named this is
    SupCon's "out" form.

    Args:
        minority_classes: Ids of the rare classes, at least one.
        **options: See `ContrastiveLoss`.

    Raises:
        LabError: If an id is negative or not whole, doubled, or there is none.
    """

    needs_views = True

    def __init__(self, minority_classes: Sequence[int], **options: Any) -> None:
        super().__init__(**options)
        ids = tuple(minority_classes)
        if not ids or len(set(ids)) != len(ids) or any(i != int(i) or i < 0 for i in ids):
            raise LabError(
                "minority_classes must be class ids from 0 on, each once and at least one, got "
                f"{list(ids)}."
            )
        self.minority_classes = tuple(int(i) for i in ids)

    def positive_pairs(self, anchors: Views, views: Views) -> keras.KerasTensor:
        """All of the class for rare classes, the same image for the others."""
        rare = ops.any(same(anchors.labels, ops.array(self.minority_classes, "int32")), axis=1)
        same_class = ops.logical_and(rare[:, None], same(anchors.labels, views.labels))
        return ops.logical_or(same_class, same(anchors.images, views.images))

    def check_classes(self, classes: int) -> None:
        """Complains about ids and weights beyond the classes there are."""
        super().check_classes(classes)
        if max(self.minority_classes) >= classes:
            raise LabError(
                f"Expected minority_classes from 0 to {classes - 1}, for labels of {classes} "
                f"classes, got {list(self.minority_classes)}."
            )

    def get_config(self) -> dict[str, Any]:
        """What `from_config` builds an equal loss from."""
        return {**super().get_config(), "minority_classes": list(self.minority_classes)}


@keras.saving.register_keras_serializable(package="lab_models")
class SupervisedPrototypesLoss(ContrastiveLoss):
    """NT-Xent with a pull towards fixed prototypes of the classes ("Supervised Prototypes").

    Positives of a view are the other views of its image and, as long as the view is not clearly on
    its class's side, the prototype of its class. Prototypes are fixed (see `class_prototypes`), not
    trained, and not among the others that the anchor is compared with, so the loss can be negative.

    "Clearly on its side": let the lead be the cosine with the own prototype minus the largest
    with another. The pull ends where the lead exceeds the part `pull_until` of the lead that the
    own prototype itself has. For two classes, whose prototypes are opposite poles, 0.5 is a cosine
    above 0.5 with the own prototype, or the margin 1.0 of the authors' settings. The lead in place
    of the difference of two cosines is the extension to more classes.

    Args:
        classes: How many, at least 2; at most twice the units of the embeddings.
        pull_until: From 0 (pulled only from the wrong side) to 1 (pulled always).
        **options: See `ContrastiveLoss`.

    Raises:
        LabError: If a number is out of range.
    """

    needs_views = True

    def __init__(self, classes: int, pull_until: float = 0.5, **options: Any) -> None:
        super().__init__(**options)
        if classes < 2 or classes != int(classes):
            raise LabError(f"classes must be a whole number of at least 2, got {classes!r}.")
        if not 0 <= pull_until <= 1:
            raise LabError(f"pull_until must be from 0 to 1, got {pull_until!r}.")
        self.classes, self.pull_until = int(classes), float(pull_until)
        self.check_classes(self.classes)

    def positive_pairs(self, anchors: Views, views: Views) -> keras.KerasTensor:
        """The views of the same image."""
        return same(anchors.images, views.images)

    def compared(self, comparison: Comparison) -> keras.KerasTensor:
        """The "out" form with the prototype as a further positive of those that are pulled.

        NaN for a class outside `classes`: nothing can be raised within a compiled step.
        """
        cosine, pulled, known = self._prototype_of(comparison.anchors)
        positives = ops.cast(comparison.positives, comparison.logits.dtype)
        counts = ops.sum(positives, axis=1) + pulled
        attraction = ops.sum(positives * comparison.logits, axis=1)
        attraction = (attraction + pulled * cosine / self.temperature) / ops.maximum(counts, 1.0)
        repulsion = masked_logsumexp(comparison.logits, comparison.others)
        counts_here = ops.logical_and(counts > 0, ops.any(comparison.others, axis=1))
        return ops.where(known, ops.where(counts_here, repulsion - attraction, 0.0), float("nan"))

    def _prototype_of(self, anchors: Views) -> tuple[keras.KerasTensor, ...]:
        """Cosine with the own prototype, whether it pulls (0 or 1), whether there is one."""
        dtype = anchors.embeddings.dtype
        prototypes = class_prototypes(self.classes, anchors.embeddings.shape[1])
        table = ops.cast(ops.convert_to_tensor(prototypes), dtype)
        cosines = ops.matmul(anchors.embeddings, ops.transpose(table))
        own = ops.one_hot(anchors.labels, self.classes, dtype=dtype)
        cosine = ops.sum(own * cosines, axis=1)
        lead = cosine - ops.max(ops.where(own > 0, float("-inf"), cosines), axis=1)
        ends = ops.sum(own * ops.cast(self.pull_until * _leads(prototypes), dtype), axis=1)
        pulled = ops.cast(ops.logical_or(lead <= ends, self.pull_until == 1), dtype)
        return cosine, ops.stop_gradient(pulled), ops.any(own > 0, axis=1)

    def check_classes(self, classes: int) -> None:
        """Complains about labels or weights of another number of classes."""
        super().check_classes(classes)
        if classes != self.classes:
            raise LabError(
                f"Expected labels of {self.classes} classes, as the prototypes are, got {classes}."
            )

    def get_config(self) -> dict[str, Any]:
        """What `from_config` builds an equal loss from."""
        return {
            **super().get_config(), "classes": self.classes, "pull_until": self.pull_until
        }  # fmt: skip


def _leads(prototypes: np.ndarray) -> np.ndarray:
    """By how much each prototype's cosine with itself exceeds that with the nearest other."""
    cosines = prototypes @ prototypes.T
    np.fill_diagonal(cosines, -np.inf)
    return 1 - cosines.max(axis=1)
