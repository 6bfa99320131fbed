"""Parts of a data set that lie within one another: tiny within small, small within medium."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipelines.errors import ManifestError
from pipelines.image_names import names_to_draw_by
from pipelines.manifest import Manifest
from pipelines.side_checks import check_kept_classes
from pipelines.split_report import SUBSET
from pipelines.stratify import draw_order

SMALLEST = "smallest_subset"
"""Column that names the smallest subset of each image, as in the table of PBC."""

PBC_SIZES = (("tiny", 400), ("small", 4200), ("medium", 8500), ("large", 17084))
"""Subsets of study pbc, training, validation and test (5:2:3) together."""


@dataclass(frozen=True)
class SubsetSettings:
    """Which nested subsets there are.

    Args:
        sizes: Name and number of images of each, ascending.
        seed: Decides which images; with the same files and seed always the same.

    Raises:
        ManifestError: If names repeat or sizes do not ascend from 1.
    """

    sizes: tuple[tuple[str, int], ...] = PBC_SIZES
    seed: int = 3001

    def __post_init__(self) -> None:
        object.__setattr__(self, "sizes", tuple((str(name), n) for name, n in self.sizes))
        numbers = [number for _, number in self.sizes]
        names = [name for name, _ in self.sizes]
        ascending = all(a < b for a, b in zip([0, *numbers], numbers))
        if not names or "" in names or len(set(names)) < len(names) or not ascending:
            raise ManifestError(
                "Subsets need different names and sizes that ascend from 1, such as tiny 400 and "
                f"small 4200; got {', '.join(f'{name} {n}' for name, n in self.sizes) or 'none'}."
            )


def nested_order(manifest: Manifest, seed: int) -> np.ndarray:
    """An order of all images of which every beginning is a small copy of the whole.

    Each image takes a place between 0 and 1 among those of its class on its side, the k-th of n
    at (k - 1/2) / n, and the images of a side follow one another by place; the sides are put
    together in the same manner. A beginning of any length so holds of each side, and of each
    class on it, the numbers that Webster's method of apportionment (Sainte-Laguë) gives, which
    never fall when the whole grows: beginnings are nested. On each side one image of each class
    comes first, so that rare classes are there from the start.

    Args:
        manifest: Split or not; images on no side count as a side.
        seed: Decides who is early; with the same files always the same.

    Returns:
        Row numbers int64 ``(images,)``. The order does not depend on the order of rows.
    """
    table = manifest.table
    draw = draw_order(names_to_draw_by(table), seed)
    strata = [table["split"], table["label"]]
    rank, size = rank_and_size(pd.Series(draw), strata)
    frame = pd.DataFrame(
        {"later": rank > 0, "place": (rank + 0.5) / size, "draw": draw, "side": table["split"]}
    ).sort_values(["later", "place", "draw"], kind="stable")
    rank, size = rank_and_size(pd.Series(np.arange(len(frame)), frame.index), [frame["side"]])
    frame["place"] = (rank + 0.5) / size
    return frame.sort_values(["place", "draw"], kind="stable").index.to_numpy(np.int64)


def rank_and_size(values: pd.Series, strata: list[pd.Series]) -> tuple[pd.Series, pd.Series]:
    """Rank of each value within its stratum, from 0, and the size of the stratum."""
    grouped = values.groupby(strata)
    return grouped.rank(method="first").astype(np.int64) - 1, grouped.transform("size")


def mark_subsets(manifest: Manifest, settings: SubsetSettings | None = None) -> Manifest:
    """Adds the column ``smallest_subset``, as the table of PBC has it.

    Split first: a subset then has the sides of the whole, in their shares.

    Args:
        manifest: The data set.
        settings: By default ``SubsetSettings()``.

    Returns:
        The manifest with the name of the smallest subset that each image belongs to, "" for an
        image that is in none. Subsets larger than the data set are left out.
    """
    settings = settings or SubsetSettings()
    order = nested_order(manifest, settings.seed)
    names = np.full(len(manifest), "", object)
    for name, number in reversed(settings.sizes):
        if number <= len(manifest):
            names[order[:number]] = name
    return manifest.with_table(manifest.table.assign(**{SMALLEST: names}))


def choose_subset(
    manifest: Manifest, name: str, settings: SubsetSettings | None = None
) -> Manifest:
    """The images of one subset.

    Args:
        manifest: The data set.
        name: Of the subset.
        settings: Subsets of these names and sizes are drawn. None takes the data set's own (its
            column ``smallest_subset``, with names of `PBC_SIZES`) and draws those of study pbc
            where it has none.

    Returns:
        The images of the subset and of all smaller ones, and the column ``nested_subset``.

    Raises:
        ManifestError: If there is no such subset, the data set is smaller, or a side would lose a
            class.
    """
    own = settings is None and SMALLEST in manifest.table.columns
    settings = settings or SubsetSettings()
    names = [known for known, _ in settings.sizes]
    if name not in names:
        raise ManifestError(f"There are the subsets {', '.join(names)}, got {name!r}.")
    manifest = manifest if own else mark_subsets(manifest, settings)
    smallest = manifest.table[SMALLEST]
    if name not in set(smallest):
        raise ManifestError(
            f"{manifest.root} has no subset {name}: {len(manifest):,} images, "
            f"{dict(settings.sizes)[name]:,} are asked for."
        )
    inside = smallest.isin(names[: names.index(name) + 1]).to_numpy()
    named = manifest.with_table(manifest.table.assign(**{SUBSET: name}))
    return keep_part(named, inside, f"The subset {name}")


def keep_part(manifest: Manifest, keep: np.ndarray, what: str) -> Manifest:
    """The images that are kept, none of whose classes may be lost from a side.

    Args:
        manifest: The data set.
        keep: bool ``(images,)``.
        what: What the part is called in the message.

    Raises:
        ManifestError: If nothing is kept or a side would lose a class; tells the counts.
    """
    if not keep.any():
        raise ManifestError(f"{what} would hold no image; ask for more.")
    part = manifest.with_table(manifest.table[keep])
    check_kept_classes(manifest, part, what)
    return part
