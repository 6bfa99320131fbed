"""The state of a packing that is not finished: a folder inside the pack, gone at the end.

``state.json`` says what is packed, and how its files and images were when it was begun;
``shard-00001-of-00004.json`` that this shard is complete. Files are written whole or not at all,
and the parts of the pack itself are made here and moved into place, so that a stop at any moment
leaves nothing half in the pack.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pipelines.errors import ManifestError
from pipelines.manifest import Manifest
from pipelines.quarantine import COLUMNS
from pipelines.shards.pack_file import PACK, UNFINISHED
from pipelines.shards.plan import PACK_VERSION
from pipelines.shards.records import WrittenShard, file_digest
from pipelines.shards.source_images import refuse_changed
from tflite.runtime.files import write_whole
from tflite.runtime.journal import FileStamp

_STATE, _LOCK = "state.json", "lock"


@dataclass(frozen=True)
class Begun:
    """What was found out before the first shard was written.

    Args:
        source: Digest of the table that is packed, before rows are left out or split.
        plan: Digest of the plan (see `pipelines.shards.plan.PackPlan`).
        stamps: Of all files that hold images.
        unreadable: As `pipelines.shards.source_images.find_unreadable_images` gives it.
    """

    source: str
    plan: str
    stamps: dict[str, FileStamp]
    unreadable: pd.DataFrame


def source_digest(manifest: Manifest) -> str:
    """By which the table of a data set is known again."""
    facts = json.dumps([str(manifest.root.resolve()), manifest.classes])
    return hashlib.sha256((facts + manifest.table.to_csv(index=False)).encode()).hexdigest()


class UnfinishedPack:
    """The folder that a pack is made in.

    Args:
        folder: The pack.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / UNFINISHED
        """Where parts are made before they are moved into the pack."""

    def check(self) -> None:
        """Refuses a folder that a pack must not be written to.

        Raises:
            ManifestError: If it is a file, a finished pack, or holds anything but an unfinished
                one.
        """
        if self.folder.exists() and not self.folder.is_dir():
            raise ManifestError(f"{self.folder} is a file; a folder for the pack was expected.")
        if (self.folder / PACK).exists():
            raise ManifestError(
                f"{self.folder} is a finished pack. Name another folder, or delete it first."
            )
        if not self.folder.exists() or self.path.is_dir():
            return
        foreign = sorted(path.name for path in self.folder.iterdir())
        if foreign:
            raise ManifestError(
                f"{self.folder} holds {foreign[0]!r}, which is not of a pack; name a new folder."
            )

    def read(self, source: str) -> Begun | None:
        """How an earlier call began; None if there was none, or it came to nothing.

        Args:
            source: Digest of what is to be packed now (see `source_digest`).

        Raises:
            ManifestError: If it packed something else, or files were changed since.
        """
        try:
            values = json.loads((self.path / _STATE).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError):
            values = {}
        if values.get("version") != PACK_VERSION or values.get("source") != source:
            raise ManifestError(self.other("another data set, or of other images of this one"))
        begun = Begun(
            values["source"],
            values["plan"],
            {name: FileStamp(*stamp) for name, stamp in values["stamps"].items()},
            _table(values["unreadable"]),
        )
        refuse_changed(begun.stamps)
        return begun

    def other(self, what: str) -> str:
        """The message that what is there cannot be gone on with."""
        return (
            f"{self.folder} is an unfinished pack of {what}. Repeat the command that it was begun "
            "with, name another folder, or delete this one."
        )

    def begin(self, begun: Begun) -> None:
        """Makes the folder and keeps what was found out."""
        unreadable = [[int(row), *line] for row, *line in begun.unreadable.itertuples()]
        values = {
            "version": PACK_VERSION,
            "source": begun.source,
            "plan": begun.plan,
            "stamps": {n: [stamp.size, stamp.modified] for n, stamp in begun.stamps.items()},
            "unreadable": unreadable,
        }
        write_whole(self.path / _STATE, json.dumps(values))

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keeps a second process out, where the system has file locks.

        Raises:
            ManifestError: If another process is at work here.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / _LOCK).open("a+b") as file:
            try:
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except ImportError:  # Windows
                pass
            except OSError:
                raise ManifestError(
                    f"{self.folder} is being packed by another process; wait for it, or name "
                    "another folder."
                ) from None
            yield

    def check_alone(self, begun: bool) -> None:
        """Refuses a folder in which another process did something before the lock was taken.

        Args:
            begun: Whether a packing that had been begun was found here.

        Raises:
            ManifestError: If meanwhile it was finished, or another one begun.
        """
        if (self.folder / PACK).exists() or (self.path / _STATE).exists() != begun:
            raise ManifestError(
                f"Another process packed into {self.folder} meanwhile; repeat the command, or name "
                "another folder."
            )

    def finished_shard(self, name: str) -> WrittenShard | None:
        """A shard that an earlier call completed and that still is as it was written."""
        try:
            values = json.loads(self._facts(name).read_text(encoding="utf-8"))
            found = _written(values)
            file = self.folder / name
            sound = file.stat().st_size == found.bytes and file_digest(file) == found.sha256
        except (OSError, KeyError, TypeError, ValueError):
            return None
        return found if sound else None

    def finish_shard(self, name: str, written: WrittenShard) -> None:
        """Moves a complete shard into the pack and keeps what is known of it."""
        (self.path / name).replace(self.folder / name)
        write_whole(self._facts(name), json.dumps(asdict(written)))

    def remove(self) -> None:
        """Takes the state away; the pack is finished."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _facts(self, name: str) -> Path:
        return (self.path / name).with_suffix(".json")


def _written(values: dict[str, Any]) -> WrittenShard:
    spans = tuple(
        {str(column): (int(span[0]), int(span[1])) for column, span in spans.items()}
        for spans in values["spans"]
    )
    return WrittenShard(int(values["bytes"]), str(values["sha256"]), spans)


def _table(lines: list[list[Any]]) -> pd.DataFrame:
    rows = pd.Index([line[0] for line in lines], dtype="int64")
    return pd.DataFrame([line[1:] for line in lines], index=rows, columns=list(COLUMNS))
