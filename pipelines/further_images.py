"""Several images of one row: the same place in different light (study particles).

The microscope of study particles takes 32 images at each place: bright field, dark field, and 30
by single LEDs. A manifest names one of them in ``path``, which everything after reads, and the
others in columns ``image:<name>``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pipelines.errors import ManifestError
from pipelines.manifest import FURTHER_IMAGE, Manifest
from tflite.runtime.preprocess import prepare_image

if TYPE_CHECKING:
    from tflite.runtime.contract import InputContract

STANDARD = "standard"
"""Name of the image that stands in ``path`` as long as no other was chosen."""


def choose_image(manifest: Manifest, name: str) -> Manifest:
    """The same data set, seen in another light.

    Args:
        manifest: It has a column ``image:<name>``.
        name: Which of the further images becomes the one that everything after reads. The one
            it replaces is kept in the column ``image:standard``, unless there is such a column.

    Returns:
        A manifest of the rows that have this image, numbered anew; a note says how many have not.

    Raises:
        ManifestError: If no row has such an image.
    """
    column = _column(manifest, name)
    table, has = manifest.table, (manifest.table[column] != "").to_numpy()
    standard = FURTHER_IMAGE + STANDARD
    if standard not in table.columns:
        table = table.assign(**{standard: table["path"]})
    chosen = manifest.with_table(table.assign(path=table[column])[has])
    lacking = int(np.count_nonzero(~has))
    notes = (f"{lacking} place(s) have no image {name} and were left out.",) if lacking else ()
    return chosen.with_notes(*notes)


def load_stack(
    manifest: Manifest, row: int, names: Sequence[str], contract: InputContract
) -> np.ndarray:
    """Several images of one place on top of each other, each prepared alike.

    Args:
        manifest: Gives the paths.
        row: Row number.
        names: Which images, in order; `STANDARD` is that of ``path`` where no column has the name.
        contract: Size, crop, colour and interpolation.

    Returns:
        uint8 array ``(height, width, 3 * len(names))``.

    Raises:
        ManifestError: If the row lacks one of the images.
        ImageError: If one cannot be read.
    """
    images = []
    for name in names:
        known = FURTHER_IMAGE + name in manifest.table.columns
        column = "path" if name == STANDARD and not known else _column(manifest, name)
        path = str(manifest.table[column].iloc[row])
        if not path:
            raise ManifestError(f"Row {row} of {manifest.root} has no image {name!r}.")
        images.append(prepare_image(manifest.root / path, contract))
    if not images:
        raise ManifestError("A stack needs the name of at least one image, got none.")
    return np.concatenate(images, axis=2)


def _column(manifest: Manifest, name: str) -> str:
    column = FURTHER_IMAGE + name
    if column not in manifest.table.columns:
        there = ", ".join(c[len(FURTHER_IMAGE) :] for c in manifest.further_images)
        raise ManifestError(
            f"The data set {manifest.root} has no images {name!r}; it has: {there or 'no further'}."
        )
    return column
