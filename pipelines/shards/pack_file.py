"""``pack.json``: what a pack holds, and whether its shards are all there."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipelines.errors import ManifestError, name_some
from pipelines.shards.plan import PACK_VERSION
from pipelines.shards.records import file_digest
from tflite.runtime.files import write_whole

PACK, MANIFEST, QUARANTINE = "pack.json", "manifest.csv", "quarantine.csv"
UNFINISHED = ".unfinished"
"""Folder inside a pack with the state of a packing that is not finished."""


@dataclass(frozen=True)
class Shard:
    """One of the files of a pack.

    Args:
        file: Its name.
        bytes: Its size.
        sha256: Its digest, hexadecimal.
        records: Number of records in it.
    """

    file: str
    bytes: int
    sha256: str
    records: int


@dataclass(frozen=True)
class Pack:
    """What ``pack.json`` says.

    Args:
        classes: Class names in the order of ``label/id``.
        shards: All shards in order.
        order: One of `pipelines.shards.settings.ORDERS`.
        seed: Of that order.
        notes: Those of the manifest that was packed.
    """

    classes: tuple[str, ...]
    shards: tuple[Shard, ...]
    order: str
    seed: int
    notes: tuple[str, ...] = ()

    @property
    def images(self) -> int:
        """Number of records."""
        return sum(shard.records for shard in self.shards)

    @property
    def bytes(self) -> int:
        """Size of all shards."""
        return sum(shard.bytes for shard in self.shards)


def write_pack(pack: Pack, folder: Path) -> None:
    """Writes ``pack.json``, whole or not at all; the same pack gives the same bytes."""
    values = {"pack": PACK_VERSION, **asdict(pack)}
    write_whole(folder / PACK, json.dumps(values, indent=1, ensure_ascii=False) + "\n")


def read_pack(folder: Path) -> Pack:
    """Reads ``pack.json``.

    Raises:
        ManifestError: If the folder is no finished pack, the file is damaged, or the pack is of
            another version.
    """
    file = folder / PACK
    if not file.is_file() and (folder / UNFINISHED).is_dir():
        raise ManifestError(
            f"{folder} is a pack that was not finished; repeat the command that packs it, and it "
            "goes on where it stopped."
        )
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ManifestError(f"{folder} is no pack: {PACK}: {error.strerror}.") from None
    except (ValueError, RecursionError):
        raise ManifestError(f"{file} is damaged; pack the data set anew.") from None
    version = values.get("pack") if isinstance(values, dict) else None
    if version != PACK_VERSION:
        raise ManifestError(
            f"{file} is of version {version!r}, this program reads version {PACK_VERSION}; pack "
            "the data set anew."
        )
    try:
        return _pack(values)
    except (KeyError, TypeError, ValueError):
        raise ManifestError(f"{file} is damaged; pack the data set anew.") from None


def _pack(values: dict[str, Any]) -> Pack:
    shards = tuple(
        Shard(str(s["file"]), int(s["bytes"]), str(s["sha256"]), int(s["records"]))
        for s in values["shards"]
    )
    classes, notes = (tuple(map(str, values[name])) for name in ("classes", "notes"))
    return Pack(classes, shards, str(values["order"]), int(values["seed"]), notes)


def check_shards(pack: Pack, folder: Path, digests: bool = False) -> None:
    """Refuses a pack whose shards are not as they were written.

    Args:
        pack: What they should be.
        folder: Where they lie.
        digests: Whether every byte is read and compared by SHA-256; otherwise names and sizes
            only.

    Raises:
        ManifestError: Names the shards that are missing, of another size, or altered.
    """
    faults: dict[str, list[str]] = {"missing": [], "of another size": [], "altered": []}
    for shard in pack.shards:
        fault = _fault(shard, folder / shard.file, digests)
        if fault:
            faults[fault].append(shard.file)
    told = [f"{fault}: {name_some(names)}" for fault, names in faults.items() if names]
    if told:
        raise ManifestError(
            f"The pack {folder} is not whole. Of its {len(pack.shards)} shard(s) are "
            f"{'; '.join(told)}. Copy them again, or pack the data set anew."
        )


def _fault(shard: Shard, path: Path, digests: bool) -> str:
    try:
        if path.stat().st_size != shard.bytes:
            return "of another size"
        return "altered" if digests and file_digest(path) != shard.sha256 else ""
    except OSError:
        return "missing"
