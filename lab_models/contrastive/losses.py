"""The contrastive losses by name; SupCon and SimCLR."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from lab_models.contrastive.base_loss import (
    Comparison,
    ContrastiveLoss,
    Views,
    masked_logsumexp,
    same,
)
from lab_models.contrastive.imbalanced_losses import (
    SupervisedMinorityLoss,
    SupervisedPrototypesLoss,
)
from lab_models.suggest import unknown_name
from tflite.runtime.errors import LabError

__all__ = [
    "CONTRASTIVE_LOSSES",
    "ContrastiveLoss",
    "SimCLRLoss",
    "SupConInLoss",
    "SupConOutLoss",
    "Views",
    "contrastive_loss",
]


@keras.saving.register_keras_serializable(package="lab_models")
class SupConOutLoss(ContrastiveLoss):
    """Supervised contrastive loss, "out" form: the mean over positives outside the logarithm.

    Khosla et al., "Supervised Contrastive Learning" (NeurIPS 2020), equation 2; the loss of the
    hairy-cell study. Positives of a view are all other views of its class.
    """

    def positive_pairs(self, anchors: Views, views: Views) -> keras.KerasTensor:
        """All of the same class."""
        return same(anchors.labels, views.labels)


@keras.saving.register_keras_serializable(package="lab_models")
class SupConInLoss(SupConOutLoss):
    """Supervised contrastive loss, "in" form: the mean over positives inside the logarithm.

    Khosla et al. 2020, equation 3. Never above the "out" form of the same views (the logarithm is
    concave), but its gradient weighs positives by how near they already are, and it trained worse
    in their study.
    """

    def compared(self, comparison: Comparison) -> keras.KerasTensor:
        """Minus the logarithm of the mean probability of a positive; 0 without positives."""
        counts = ops.sum(ops.cast(comparison.positives, comparison.logits.dtype), axis=1)
        attraction = masked_logsumexp(comparison.logits, comparison.positives)
        attraction = attraction - ops.log(ops.maximum(counts, 1.0))
        repulsion = masked_logsumexp(comparison.logits, comparison.others)
        return ops.where(counts > 0, repulsion - attraction, 0.0)


@keras.saving.register_keras_serializable(package="lab_models")
class SimCLRLoss(ContrastiveLoss):
    """NT-Xent, the loss of SimCLR, which needs no labels.

    Chen, Kornblith, Norouzi, Hinton, "A Simple Framework for Contrastive Learning of Visual
    Representations" (ICML 2020), equation 1. Positives of a view are the other views of its image;
    with more than two views their log-probabilities are averaged. Labels serve for class weights
    alone.
    """

    needs_views = True

    def positive_pairs(self, anchors: Views, views: Views) -> keras.KerasTensor:
        """All of the same image."""
        return same(anchors.images, views.images)


CONTRASTIVE_LOSSES: dict[str, type[ContrastiveLoss]] = {
    "supcon_out": SupConOutLoss,
    "supcon_in": SupConInLoss,
    "simclr": SimCLRLoss,
    "supervised_minority": SupervisedMinorityLoss,
    "supervised_prototypes": SupervisedPrototypesLoss,
}


def contrastive_loss(name: str, *, temperature: float = 0.1, **options: Any) -> ContrastiveLoss:
    """A contrastive loss by name.

    Args:
        name: One of `CONTRASTIVE_LOSSES`.
        temperature: See `ContrastiveLoss`.
        **options: Further arguments of its class: those of `ContrastiveLoss`, and
            ``minority_classes`` (needed by supervised_minority), ``classes`` (needed by
            supervised_prototypes) and ``pull_until``.

    Raises:
        LabError: If there is no such loss, it does not take or lacks an option, or a value is out
            of range.
    """
    if name not in CONTRASTIVE_LOSSES:
        raise LabError(unknown_name("contrastive loss", name, CONTRASTIVE_LOSSES))
    try:
        return CONTRASTIVE_LOSSES[name](temperature=temperature, **options)
    except TypeError as error:
        raise LabError(f"The loss {name} was given options that do not fit: {error}.") from error
