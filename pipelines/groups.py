"""Which images stay on one side of a split: those of a patient, slide, day, picture or file."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipelines.errors import ManifestError, name_rows
from pipelines.leaks import NEAR_DUPLICATES
from pipelines.manifest import COLUMNS, FURTHER_IMAGE

NOT_FOR_GROUPING = ("path", "label", "experts", "agreement", "split", "split_by")
"""Columns that every image has for itself, or that say nothing about where it comes from."""


def possible_groupings(table: pd.DataFrame, by: str, minimum_groups: int) -> list[str]:
    """The groupings to try, best first.

    Args:
        table: A manifest's table, or part of it.
        by: ``auto``, ``given``, ``image``, ``near_duplicates``, or the name of a column.
        minimum_groups: How many patients or slides ``auto`` asks for.

    Returns:
        Names of columns, or ``image``; ``near_duplicates`` stands for ``image`` where near
        duplicates are known, because they are then kept together whatever the grouping.

    Raises:
        ManifestError: If there is no such column, or it is empty for some of the images.
    """
    single = NEAR_DUPLICATES if NEAR_DUPLICATES in table.columns else "image"
    if by in ("image", NEAR_DUPLICATES):
        return [single]
    if by not in ("auto", "given"):
        _check_known(table, by)
        return [by]
    known = (name for name in ("patient", "slide") if _number_known(table, name) >= minimum_groups)
    return [*known, single]


def _number_known(table: pd.DataFrame, name: str) -> int:
    return len(set(table[name]) - {""})


def grouping_columns(table: pd.DataFrame) -> list[str]:
    """Names of the columns that say where images come from, so that they can form groups."""
    further = [
        name for name in table.columns if name not in COLUMNS and not name.startswith(FURTHER_IMAGE)
    ]
    names = ["patient", "slide", "source", *further]
    return [name for name in names if name not in NOT_FOR_GROUPING]


def without_group(table: pd.DataFrame, column: str) -> np.ndarray:
    """Places of the images for which a column is empty, int64, from 0 and ascending."""
    values = table[column]
    return np.flatnonzero(values.isna() | (values.astype(str) == ""))


def _check_known(table: pd.DataFrame, by: str) -> None:
    if by not in table.columns:
        raise ManifestError(
            f"The images cannot be split by {by!r}: there is no such column. Split by auto, image, "
            f"near_duplicates, or a column: {', '.join(grouping_columns(table))}."
        )
    unknown = without_group(table, by)
    if len(unknown):
        rows = table.reset_index(drop=True)
        raise ManifestError(
            f"The images cannot be split by {by}: {len(unknown)} of {len(table)} have none, "
            f"{name_rows(rows, unknown)}. Fill the column or split by 'auto'."
        )


def kept_together(table: pd.DataFrame, by: str, content: np.ndarray) -> np.ndarray:
    """Numbers the groups of images that must stay on one side.

    Args:
        table: A manifest's table, or part of it.
        by: One of `possible_groupings`. An image without the name is a group of its own.
        content: What `pipelines.same_content.same_content` found for these images.

    Returns:
        int64 ``(images,)``. Images share a number if they share the name, the content, or (where
        the table has the column) their near duplicates, if only through others.
    """
    codes = [content]
    for name in {by, NEAR_DUPLICATES} & set(table.columns):
        values = table[name].astype(str)
        codes.append(pd.factorize(values.where(values != ""))[0])
    return join_groups(len(table), *codes)


def join_groups(number: int, *codes: np.ndarray) -> np.ndarray:
    """Joins groupings: whoever shares any code with another is in one group with it.

    Args:
        number: How many images there are.
        codes: One or more groupings, int ``(number,)``; -1 shares with nobody.

    Returns:
        int64 ``(number,)``; only equality counts.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    edges = [np.zeros((2, 0), np.int64)]
    for code in codes:
        rows = np.flatnonzero(code >= 0)
        _, first, inverse = np.unique(code[rows], return_index=True, return_inverse=True)
        edges.append(np.stack([rows[first][inverse], rows]))
    start, end = np.concatenate(edges, axis=1)
    graph = coo_array((np.ones(len(start), np.int8), (start, end)), shape=(number, number))
    return connected_components(graph, directed=False)[1].astype(np.int64)
