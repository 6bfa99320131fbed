"""A pack: a data set in TFRecord shards, as `lab-models data pack` writes it."""

from __future__ import annotations

from pathlib import Path

from pipelines.datasets import csv_table
from pipelines.errors import ManifestError
from pipelines.manifest import Manifest, check_manifest, make_manifest
from pipelines.shards.pack_file import MANIFEST, PACK, UNFINISHED, check_shards, read_pack
from pipelines.subsets import SMALLEST, choose_subset

ORDER = 1  # first: the columns by which other kinds are recognised come along into a pack


def recognise(path: Path) -> str | None:
    """A folder with a pack.json, or where one is being made."""
    if (path / PACK).is_file():
        return f"the folder holds a {PACK}"
    if (path / UNFINISHED).is_dir():
        return "the folder holds an unfinished pack"
    return None


def read(path: Path, *, verify: bool = False, subset: str | None = None) -> Manifest:
    """Reads a pack.

    Args:
        path: The folder.
        verify: Whether every byte of the shards is read and compared with what was written;
            otherwise only that they are there in their size.
        subset: A nested subset, where the packed data set had some (column ``smallest_subset``).

    Returns:
        The manifest, with references into the shards as paths. Classes are in the order in which
        they were packed. The further column ``packed_from`` says where each image was.

    Raises:
        ManifestError: If the pack is unfinished, of another version, lacks shards or has altered
            ones, or its manifest cannot be used.
    """
    if not path.is_dir():
        raise ManifestError(f"{path} is no folder; a pack is a folder with a {PACK}.")
    pack = read_pack(path)
    check_shards(pack, path, digests=verify)
    table = csv_table.read(path / MANIFEST).table
    manifest = make_manifest(table, path, pack.classes)
    check_manifest(manifest, files=False)
    if subset is not None:
        manifest = _choose(manifest, subset)
    return manifest.with_notes(*(f"When it was packed: {note}" for note in pack.notes))


def _choose(manifest: Manifest, subset: str) -> Manifest:
    if SMALLEST not in manifest.table.columns:
        raise ManifestError(
            f"The pack {manifest.root} has no column {SMALLEST}, so the subset {subset} is not "
            "known; read all of it, without a subset."
        )
    return choose_subset(manifest, subset)
