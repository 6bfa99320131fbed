"""Study an2dl: one NumPy archive with images of 96x96 and labels of 8 blood-cell classes.

Source: "AN2DL - First Homework Report MiLi", 2024: 13,759 images ``(n, 96, 96, 3)`` uint8 in
``images``, numbers 0 to 7 in ``labels``, in the alphabetical order of PBC's 8 folders. 1,800
images are a few pictures of no cells, repeated: ``lab-models inspect`` finds them.
"""

from __future__ import annotations

from pathlib import Path

from pipelines.class_table import DATASET_WORDS
from pipelines.datasets import npz
from pipelines.errors import ManifestError
from pipelines.image_arrays import image_note, parse_names, read_headers, read_rows
from pipelines.manifest import Manifest, make_manifest

ORDER = 92  # behind folders, before npz

SHAPE = (96, 96, 3)

CLASSES = tuple(DATASET_WORDS["an2dl"][str(number)] for number in range(8))
"""What the numbers mean."""


def recognise(path: Path) -> str | None:
    """An archive, or a folder with just one, of the arrays images (n, 96, 96, 3) and labels."""
    files = [path] if path.is_file() else npz.find_archives(path)
    if len(files) != 1 or files[0].suffix.lower() != ".npz":
        return None
    try:
        headers = read_headers(files[0])
    except ManifestError:  # the kind npz tells what is wrong
        return None
    if set(headers) != {"images", "labels"}:
        return None
    (shape, dtype), (label_shape, label_dtype) = headers["images"], headers["labels"]
    fits = shape[1:] == SHAPE and dtype == "uint8" and label_shape[1:] in ((), (1,), (8,))
    if not fits or label_dtype.kind not in "iufb":
        return None
    return f"it holds {shape[0]:,} images of 96x96 and their labels as the archive of study an2dl"


def read(
    path: Path,
    *,
    images: str | None = None,
    labels: str | None = None,
    names: str | None = None,
) -> Manifest:
    """Reads the archive of the study, or one like it.

    Args:
        path: The archive, or a folder with exactly one.
        images: Name of the array of images; by default as in `pipelines.datasets.npz.read`.
        labels: Name of the array of labels; alike.
        names: Classes of the labels 0, 1, ..., with commas between them; by default `CLASSES`.

    Returns:
        The manifest, on no side of a split.

    Raises:
        ManifestError: As `pipelines.datasets.npz.read`.
    """
    file = npz.only_archive(path)
    headers = read_headers(file)
    pair = npz.find_arrays(file, headers, images, labels)
    named = parse_names(names) or CLASSES
    table, classes = read_rows(file, headers, [pair], named)
    manifest = make_manifest(table, file.parent, classes)
    return manifest.with_notes(
        f"The labels 0 to {len(named) - 1} were taken for {', '.join(named)}; if they mean "
        "something else, give the option names or read it as the kind npz.",
        *image_note(headers, [pair]),
    )
