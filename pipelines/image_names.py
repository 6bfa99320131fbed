"""The names by which images are drawn for splits, folds and subsets."""

from __future__ import annotations

import pandas as pd

PACKED_FROM = "packed_from"
"""Column that says where an image of a pack was before it was packed, relative to the root of
the manifest of that time."""


def names_to_draw_by(table: pd.DataFrame) -> list[str]:
    """A name for every image that does not change when the data set is packed into shards.

    So a pack is split as the folder that it was made of.

    Args:
        table: Of a manifest.

    Returns:
        The names before packing where all images have one of their own, else their paths.
    """
    if PACKED_FROM in table.columns:
        names = [str(name) for name in table[PACKED_FROM]]
        if "" not in names and len(set(names)) == len(names):
            return names
    return [str(name) for name in table["path"]]
