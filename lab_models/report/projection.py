"""Features of many dimensions laid out in the plane."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tflite.runtime.errors import LabError

METHODS = ("tsne", "pca", "umap")


@dataclass(frozen=True)
class ProjectionSettings:
    """How features are laid out.

    Args:
        method: ``"tsne"`` (van der Maaten and Hinton 2008, as study hairy), ``"pca"``, or
            ``"umap"`` (needs the package umap-learn).
        most_points: Images drawn at most; more are sampled, since t-SNE slows down and the
            picture fills up.
        perplexity: Neighbours that t-SNE looks at; lowered for few points.
        seed: Seed of sampling and layout.
    """

    method: str = "tsne"
    most_points: int = 2000
    perplexity: float = 30.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise LabError(f"The layout must be one of {METHODS}, got {self.method!r}.")
        if self.most_points < 3 or self.perplexity <= 0:
            raise LabError(
                "A layout needs most_points of at least 3 and a positive perplexity, got "
                f"{self.most_points} and {self.perplexity}."
            )


def choose_points(count: int, settings: ProjectionSettings) -> np.ndarray:
    """Positions of the images to draw, in order: int64, at most ``settings.most_points``."""
    if count <= settings.most_points:
        return np.arange(count)
    generator = np.random.default_rng(settings.seed)
    return np.sort(generator.choice(count, settings.most_points, replace=False))


def project(features: np.ndarray, settings: ProjectionSettings) -> np.ndarray | None:
    """Lays features out in the plane.

    Args:
        features: float ``(points, d)``, usually L2-normalised.
        settings: Method and seed.

    Returns:
        float32 ``(points, 2)``; None if there are fewer than 5 points or all are the same.

    Raises:
        LabError: If UMAP is asked for and not installed.
    """
    points = np.asarray(features, np.float32)
    if len(points) < 5 or np.ptp(points, axis=0).max(initial=0.0) == 0:
        return None
    if settings.method == "umap":
        return _umap(points, settings)
    return _pca_or_tsne(points, settings)


def _pca_or_tsne(points: np.ndarray, settings: ProjectionSettings) -> np.ndarray:
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    # Distances hardly change in the first 50 components, and t-SNE gets ten times faster.
    kept = min(2 if settings.method == "pca" else 50, *points.shape)
    # OpenMP's waiting threads made t-SNE four times dearer on a busy machine; one thread takes
    # the same few seconds everywhere. Only libraries that are loaded by now are limited.
    with threadpool_limits(1):
        places = PCA(kept, random_state=settings.seed).fit_transform(points)
        if settings.method == "tsne":
            places = TSNE(
                perplexity=min(settings.perplexity, (len(points) - 1) / 3),
                init="pca" if kept >= 2 else "random",
                random_state=settings.seed,
            ).fit_transform(places)
    if places.shape[1] == 1:
        places = np.column_stack([places, np.zeros(len(places))])
    return places.astype(np.float32)


def _umap(points: np.ndarray, settings: ProjectionSettings) -> np.ndarray:
    try:
        from umap import UMAP
    except ImportError:
        raise LabError(
            "UMAP is not installed. Install it with: pip install umap-learn "
            "(or lab-models[extras]), or choose tsne."
        ) from None
    neighbours = min(15, len(points) - 1)
    return UMAP(n_neighbors=neighbours, random_state=settings.seed).fit_transform(points)
