"""The contrastive losses as double loops over views in float64, straight from the formulas."""

from __future__ import annotations

import numpy as np


def positives_of(name, i, labels, images, minority=()):
    """The positives P(i): row numbers."""
    others = [j for j in range(len(labels)) if j != i]
    by_class = name in ("supcon_out", "supcon_in")
    by_class = by_class or (name == "supervised_minority" and labels[i] in minority)
    key = labels if by_class else images
    return [j for j in others if key[j] == key[i] or images[j] == images[i]]


def log_probability(z, i, target, temperature):
    """log( exp(z_i.target / tau) / sum over a != i of exp(z_i.z_a / tau) )."""
    others = [j for j in range(len(z)) if j != i]
    total = np.logaddexp.reduce([z[i] @ z[a] / temperature for a in others])
    return z[i] @ target / temperature - total


def prototype_pulls(z_i, label, prototypes, pull_until):
    own = prototypes[label]
    rest = [p for c, p in enumerate(prototypes) if c != label]
    lead = z_i @ own - max(z_i @ p for p in rest)
    return lead <= pull_until * (1 - max(own @ p for p in rest))


def reference(
    name, z, labels, images, temperature, minority=(), prototypes=None, pull_until=0.5
):  # fmt: skip
    """The loss of every row, float64 ``(n,)``."""
    z = np.asarray(z, np.float64)
    losses = np.zeros(len(z))
    for i in range(len(z)):
        if len(z) == 1:
            continue
        positives = positives_of(name, i, labels, images, minority)
        terms = [log_probability(z, i, z[p], temperature) for p in positives]
        if name == "supervised_prototypes" and prototype_pulls(
            z[i], labels[i], prototypes, pull_until
        ):
            terms.append(log_probability(z, i, prototypes[labels[i]], temperature))
        if not terms:
            continue
        inside = np.log(np.mean(np.exp(terms))) if name == "supcon_in" else np.mean(terms)
        losses[i] = -inside
    return losses
