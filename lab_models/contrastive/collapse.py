"""Figures that tell whether embeddings still differ from each other, or have collapsed.

All figures look at directions only: rows are brought to length 1 first. A row of zeros has no
direction; all such rows are taken as one further point at right angles to all others, so a network
that maps everything to the zero vector shows the figures of a collapse to one point.

Each class counts the same, however many images it has. Otherwise imbalance would look like
collapse: two classes at the optimum of a contrastive loss lie at opposite points, and of such
images, 95 to 5, the mean cosine over pairs is 0.81. Weighted by class it is near 0, as for any
number of classes at the corners of a simplex, and a collapse still gives 1.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tflite.runtime.errors import LabError

_ZERO_LENGTH = 1e-6
"""Rows shorter than this have no direction."""

_BLOCK = 1024
"""Rows that are compared with all others at a time."""


@dataclass(frozen=True)
class CollapseFigures:
    """How embeddings lie to each other.

    Args:
        mean_cosine: See `mean_cosine`; 1 if all lie at one point, near 0 if classes are spread
            evenly.
        effective_rank: See `effective_rank`; 1 if all lie on one line, at most the number of
            dimensions.
        alignment: See `alignment`; 0 if each class lies at one point, at most about 4. NaN if
            no class has two images.
        uniformity: See `uniformity`; 0 if all lie at one point, at least -8.
    """

    mean_cosine: float
    effective_rank: float
    alignment: float
    uniformity: float

    def to_dict(self) -> dict[str, float]:
        """The figures by name, as training logs hold them."""
        return dataclasses.asdict(self)


FIGURES = tuple(field.name for field in dataclasses.fields(CollapseFigures))
"""Names of the figures, in the order of the columns of ``history.csv``."""


@dataclass(frozen=True)
class CollapseSettings:
    """When embeddings count as collapsed, and a training as lost.

    Args:
        largest_mean_cosine: From here on embeddings lie at one point, in 0..1. Close to 1, since
            a network from scratch starts there and finds its way out: with random weights
            ResNet18, ResNet50 and Xception put stained cells at 0.984 to 0.997, while trainings
            that had collapsed lay above 0.99996.
        smallest_effective_rank: Below this they have collapsed too, though to more than a point.
            1, the least there is, leaves the rank out: at the optimum of a supervised loss it is
            one less than the number of classes, so 1 for two classes.
        patience: Epochs in a row that must be collapsed, at least 1.

    Raises:
        LabError: If a number is out of range.
    """

    largest_mean_cosine: float = 0.9999
    smallest_effective_rank: float = 1.0
    patience: int = 2

    def __post_init__(self) -> None:
        limits = {
            "largest_mean_cosine": (0.0, 1.0),
            "smallest_effective_rank": (1.0, math.inf),
            "patience": (1, math.inf),
        }
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if not low <= value <= high:
                bounds = f"at least {low:g}" if high == math.inf else f"in {low:g}..{high:g}"
                raise LabError(f"Collapse setting {name} must be {bounds}, got {value}.")


def collapse_figures(embeddings: np.ndarray, labels: np.ndarray | Sequence[int]) -> CollapseFigures:
    """All figures of some embeddings.

    Args:
        embeddings: Finite floats ``(n, d)`` of any length, n at least 2.
        labels: Class of each row, ``(n,)``.

    Raises:
        LabError: If there are fewer than two rows, numbers that are not finite, or another
            number of labels.
    """
    return CollapseFigures(
        mean_cosine(embeddings, labels),
        effective_rank(embeddings, labels),
        alignment(embeddings, labels),
        uniformity(embeddings, labels),
    )


def is_collapsed(figures: CollapseFigures, settings: CollapseSettings | None = None) -> bool:
    """Whether embeddings lie at one point, or in fewer dimensions than asked for."""
    settings = settings or CollapseSettings()
    return (
        figures.mean_cosine >= settings.largest_mean_cosine
        or figures.effective_rank < settings.smallest_effective_rank
    )


def collapsed_epochs(
    epochs: Sequence[CollapseFigures], settings: CollapseSettings | None = None
) -> int:
    """How many epochs in a row, up to the last one, count as collapsed.

    Args:
        epochs: Figures after each epoch, in order.
        settings: See `CollapseSettings`.
    """
    count = 0
    for figures in reversed(epochs):
        if not is_collapsed(figures, settings):
            break
        count += 1
    return count


def mean_cosine(embeddings: np.ndarray, labels: np.ndarray | Sequence[int] | None = None) -> float:
    """Mean cosine of the angles between different rows.

    Args:
        embeddings: Finite floats ``(n, d)``, n at least 2.
        labels: Class of each row, ``(n,)``; each class then counts the same, a pair by the
            product of its rows' weights. None counts every row the same.

    Returns:
        In -1..1.

    Raises:
        LabError: See `collapse_figures`.
    """
    points, weights = _points(embeddings), _weights(embeddings, labels)
    return float(np.clip(_mean_cosine(points, weights), -1, 1))


def _mean_cosine(points: np.ndarray, weights: np.ndarray) -> float:
    # The squared length of the mean holds every pair of rows, also each row with itself.
    same = float((weights**2).sum())
    return (float(((weights @ points) ** 2).sum()) - same) / (1 - same)


def effective_rank(
    embeddings: np.ndarray, labels: np.ndarray | Sequence[int] | None = None
) -> float:
    """How many dimensions the embeddings use: exp of the entropy of the singular values.

    Roy and Vetterli 2007, "The effective rank: a measure of effective dimensionality", of the
    matrix of rows. It is not centred: after a collapse to one point, centring would leave nothing
    but rounding errors, whose rank is anything, while the rows themselves have rank 1.

    Args:
        embeddings: Finite floats ``(n, d)``, n at least 2.
        labels: Class of each row, ``(n,)``; rows are then scaled so that each class counts the
            same. None counts every row the same.

    Returns:
        In 1..min(n, d).

    Raises:
        LabError: See `collapse_figures`.
    """
    points, weights = _points(embeddings), _weights(embeddings, labels)
    values = np.linalg.svd(points * np.sqrt(weights)[:, None], compute_uv=False)
    shares = values[values > 0] / values.sum()
    # Rounding must not bring the rank of one point below the least there is.
    return max(1.0, float(np.exp(-(shares * np.log(shares)).sum())))


def alignment(embeddings: np.ndarray, labels: np.ndarray | Sequence[int]) -> float:
    """Mean squared distance of two rows of one class.

    Wang and Isola 2020, "Understanding contrastive representation learning through alignment and
    uniformity on the hypersphere", equation 1 with alpha 2; a positive pair is any two different
    images of a class. The mean over the classes of the means over their pairs.

    Args:
        embeddings: Finite floats ``(n, d)``, n at least 2.
        labels: Class of each row, ``(n,)``.

    Returns:
        At least 0; NaN if no class has two rows.

    Raises:
        LabError: See `collapse_figures`.
    """
    points, labels = _points(embeddings), _labels(embeddings, labels)
    means = []
    for label in np.unique(labels):
        members = points[labels == label]
        if len(members) > 1:
            cosine = _mean_cosine(members, np.full(len(members), 1 / len(members)))
            means.append(max(0.0, 2 - 2 * cosine))
    return float(np.mean(means)) if means else math.nan


def uniformity(embeddings: np.ndarray, labels: np.ndarray | Sequence[int] | None = None) -> float:
    """How evenly rows fill the sphere: log of the mean of exp(-2 d^2) over pairs of distance d.

    Wang and Isola 2020, equation 2 with t = 2, over pairs of different rows.

    Args:
        embeddings: Finite floats ``(n, d)``, n at least 2.
        labels: As in `mean_cosine`.

    Returns:
        In -8..0; the lower, the more even.

    Raises:
        LabError: See `collapse_figures`.
    """
    points, weights = _points(embeddings), _weights(embeddings, labels)
    total = 0.0
    for start in range(0, len(points), _BLOCK):
        part = slice(start, start + _BLOCK)
        # Of unit vectors the squared distance is 2 - 2 cos.
        kernel = np.exp(4 * (points[part] @ points.T) - 4)
        places = np.arange(len(kernel))
        kernel[places, start + places] = 0
        total += float(weights[part] @ kernel @ weights)
    return min(0.0, math.log(total / (1 - float((weights**2).sum()))))


def _points(embeddings: np.ndarray) -> np.ndarray:
    """Rows of length 1, float64; zero vectors at a point of their own, see above."""
    values = np.asarray(embeddings, np.float64)
    if values.ndim != 2 or len(values) < 2 or not values.shape[1]:
        raise LabError(
            "Embeddings are compared with each other, so they must be an array (images, units) of "
            f"at least 2 images, got the shape {values.shape}."
        )
    if not np.isfinite(values).all():
        bad = int((~np.isfinite(values)).any(axis=1).sum())
        raise LabError(
            f"{bad} of {len(values)} embeddings hold numbers that are not finite: the training "
            "has diverged. Lower the learning rate or clip the gradient."
        )
    lengths = np.linalg.norm(values, axis=1)
    zero = lengths < _ZERO_LENGTH
    points = np.where(zero[:, None], 0, values / np.where(zero, 1, lengths)[:, None])
    return np.column_stack([points, zero]) if zero.any() else points


def _labels(embeddings: np.ndarray, labels: np.ndarray | Sequence[int]) -> np.ndarray:
    result = np.asarray(labels)
    if result.shape != (len(embeddings),):
        raise LabError(
            f"There must be one label for each of the {len(embeddings)} embeddings, got labels of "
            f"the shape {result.shape}."
        )
    return result


def _weights(embeddings: np.ndarray, labels: np.ndarray | Sequence[int] | None) -> np.ndarray:
    """Weight of each row, of sum 1."""
    if labels is None:
        return np.full(len(embeddings), 1 / len(embeddings))
    _, places, counts = np.unique(
        _labels(embeddings, labels), return_inverse=True, return_counts=True
    )
    return 1 / (len(counts) * counts[places])
