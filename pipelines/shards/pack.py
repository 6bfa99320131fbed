"""Packs a data set into shards; a stopped call is gone on with by the same call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from pipelines.errors import ManifestError
from pipelines.image_names import PACKED_FROM
from pipelines.leaks import check_leaks
from pipelines.manifest import Manifest, write_manifest
from pipelines.quarantine import Progress, leave_out, write_quarantine
from pipelines.same_content import same_content
from pipelines.shards.pack_file import MANIFEST, PACK, QUARANTINE, Pack, Shard, write_pack
from pipelines.shards.plan import PackPlan, plan_pack
from pipelines.shards.records import Row, WrittenShard, write_shard
from pipelines.shards.settings import PackSettings
from pipelines.shards.source_images import (
    find_unreadable_images,
    image_columns,
    read_rows,
    stamp_files,
)
from pipelines.shards.unfinished import Begun, UnfinishedPack, source_digest
from pipelines.split_plan import SplitPlan, carry_out
from tflite.runtime.journal import FileStamp
from tflite.runtime.references import ImageReference

Steps = Callable[[str], Progress | None]
"""Gives what is told of the progress of a step, such as ``opened``."""

_SHOWN = 5


@dataclass(frozen=True)
class Packed:
    """What was packed.

    Args:
        pack: The shards.
        manifest: The rows with their split, as they were before packing.
        unreadable: The images left out, columns as in `pipelines.quarantine`.
        gone_on: Number of shards that an earlier call had finished.
    """

    pack: Pack
    manifest: Manifest
    unreadable: pd.DataFrame
    gone_on: int


def pack_dataset(
    manifest: Manifest,
    folder: Path | str,
    settings: PackSettings | None = None,
    split: SplitPlan | None = None,
    steps: Steps = lambda step: None,
) -> Packed:
    """Writes a data set as a pack (see `pipelines.shards`).

    Every image is decoded first. Then shards are written one after the other, and manifest and
    ``pack.json`` at the end. A call that was stopped leaves its finished shards; the same call
    checks them and goes on, and the pack it ends with has the bytes of an unbroken one.

    Args:
        manifest: The data set; paths may be references already.
        folder: Where to; a new name, an empty folder, or an unfinished pack of this data set.
        settings: By default ``PackSettings()``.
        split: What is done to the data set before it is packed; by default nothing. It must give
            one manifest.
        steps: Told each image that was opened and packed.

    Raises:
        ManifestError: If `folder` is or lies in a folder with images to be packed, or holds
            something else, images cannot be read or were changed since an earlier call, the split
            fails or leaks (equal pixels on two sides included), or the folder cannot be written to.
        ImageError: If a file vanishes meanwhile.
    """
    settings, split = settings or PackSettings(), split or SplitPlan()
    if split.folds is not None and split.fold is None:
        raise ManifestError(
            "A pack holds one split, folds are several. Name one fold; or pack without folds, and "
            "deal the pack to folds afterwards, as manifests that point into it."
        )
    # So that a stopped call can be gone on with from another working folder.
    folder, manifest = Path(folder).absolute(), replace(manifest, root=manifest.root.resolve())
    unfinished = UnfinishedPack(folder)
    unfinished.check()
    source = source_digest(manifest)
    earlier = unfinished.read(source)
    stamps = earlier.stamps if earlier else stamp_files(manifest)
    for home in sorted({Path(name).parent for name in stamps}):
        refuse_inside(folder, home)
    if earlier is None:
        unreadable = find_unreadable_images(manifest, settings.workers, steps("opened"))
    else:
        unreadable = earlier.unreadable
    readable = _readable(manifest, unreadable, settings)
    (chosen,) = carry_out(readable, split, steps("compared"))
    check_leaks(chosen)
    plan = plan_pack(chosen, settings)
    if earlier is not None and earlier.plan != plan.digest:
        raise ManifestError(unfinished.other("this data set with other options"))
    begun = Begun(source, plan.digest, stamps, unreadable)
    with _told(folder), unfinished.lock():
        unfinished.check_alone(earlier is not None)
        if earlier is None:
            unfinished.begin(begun)
        records = _Records(chosen, stamps, settings.workers)
        shards, gone_on = _write_shards(records, plan, unfinished, steps("packed"))
        pack = _finish(chosen, plan, shards, begun, settings, unfinished)
    unfinished.remove()
    return Packed(pack, chosen, unreadable, gone_on)


def refuse_inside(folder: Path, source: Path) -> None:
    """Refuses a pack that is, or lies in, a folder of the images to be packed.

    Raises:
        ManifestError: If it does.
    """
    target = folder.resolve()
    if source.resolve() in (target, *target.parents):
        raise ManifestError(
            f"{folder} is or lies in {source}, which holds what is to be packed; name a folder "
            "outside."
        )


def _readable(manifest: Manifest, unreadable: pd.DataFrame, settings: PackSettings) -> Manifest:
    if unreadable.empty:
        return manifest
    if settings.leave_out_unreadable:
        return leave_out(manifest, unreadable)
    shown = "\n".join(f"  {reason}" for reason in unreadable["reason"].head(_SHOWN))
    rest = len(unreadable) - _SHOWN
    raise ManifestError(
        f"{len(unreadable)} image(s) cannot be read, so nothing was packed:\n{shown}"
        + (f"\n  and {rest} more" if rest > 0 else "")
        + "\nMend them, or leave them out (--leave-out-unreadable), which lists them."
    )


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    """Says how to go on after a full disk and the like."""
    try:
        yield
    except OSError as error:
        raise ManifestError(
            f"The pack {folder} could not be written: {error.strerror or error}. Put that right, "
            "then repeat the command: finished shards are kept, and it goes on there."
        ) from None


def _write_shards(
    records: _Records, plan: PackPlan, unfinished: UnfinishedPack, progress: Progress | None
) -> tuple[list[WrittenShard], int]:
    """All shards, and how many of them were there already."""
    shards, gone_on, done = [], 0, 0
    for number, rows in enumerate(plan.rows):
        name = plan.name(number)
        written = unfinished.finished_shard(name)
        if written is None:
            counted = _counted(records.of(rows), done, len(records), progress)
            written = write_shard(unfinished.path / name, counted)
            unfinished.finish_shard(name, written)
        else:
            gone_on += 1
        done += len(rows)
        shards.append(written)
    return shards, gone_on


def _counted(
    rows: Iterator[Row], before: int, total: int, progress: Progress | None
) -> Iterator[Row]:
    for done, row in enumerate(rows, before + 1):
        yield row
        if progress:
            progress(done, total)


class _Records:
    """Makes the records of any rows of a manifest."""

    def __init__(
        self, manifest: Manifest, stamps: dict[str, FileStamp], workers: int | None
    ) -> None:
        self._manifest, self._stamps, self._workers = manifest, stamps, workers
        self._ids = manifest.label_ids
        table = manifest.table.drop(columns=PACKED_FROM, errors="ignore")
        text = table.astype(object).where(table.notna(), "").map(str)
        self._text = {str(name): text[name].tolist() for name in text.columns}
        self._text["path"] = _packed_from(manifest)

    def __len__(self) -> int:
        return len(self._manifest)

    def of(self, rows: tuple[int, ...]) -> Iterator[Row]:
        """The records of these rows, in their order."""
        images = read_rows(self._manifest, rows, self._stamps, self._workers)
        for row, found in zip(rows, images):
            values = {name: column[row] for name, column in self._text.items()}
            yield Row(row, int(self._ids[row]), values, found)


def _packed_from(manifest: Manifest) -> list[str]:
    """Where each image was before it was packed for the first time."""
    paths = [str(path) for path in manifest.table["path"]]
    if PACKED_FROM not in manifest.table.columns:
        return paths
    return [str(known) or path for known, path in zip(manifest.table[PACKED_FROM], paths)]


def _finish(
    manifest: Manifest,
    plan: PackPlan,
    shards: list[WrittenShard],
    begun: Begun,
    settings: PackSettings,
    unfinished: UnfinishedPack,
) -> Pack:
    folder, making = unfinished.folder, unfinished.path
    pointing = _pointing(manifest, plan, shards)
    _refuse_equal_pixels(manifest, [str(folder / path) for path in pointing.table["path"]])
    if settings.leave_out_unreadable:
        write_quarantine(begun.unreadable, making / QUARANTINE)
        (making / QUARANTINE).replace(folder / QUARANTINE)
    write_manifest(replace(pointing, root=folder), making / MANIFEST)
    (making / MANIFEST).replace(folder / MANIFEST)
    pack = Pack(
        manifest.classes,
        tuple(
            Shard(plan.name(k), shard.bytes, shard.sha256, len(shard.spans))
            for k, shard in enumerate(shards)
        ),
        settings.order,
        settings.seed,
        manifest.notes,
    )
    write_pack(pack, making)
    (making / PACK).replace(folder / PACK)
    return pack


def _refuse_equal_pixels(manifest: Manifest, packed: list[str]) -> None:
    """Refuses a split that leaks in the pack alone: whoever reads the pack would refuse it.

    Cut-outs are compared by file and box before they are packed, by their pixels afterwards.
    """
    try:
        check_leaks(manifest, same_content(packed))
    except ManifestError as error:
        raise ManifestError(
            f"{error} They lie in different places and hold the same pixels. `lab-models data "
            "inspect` finds such near duplicates and `lab-models data clean` leaves them out; pack "
            "the manifest it writes."
        ) from None


def _pointing(manifest: Manifest, plan: PackPlan, shards: list[WrittenShard]) -> Manifest:
    """The manifest with references into the shards in place of its paths."""
    columns = {name: [""] * len(manifest) for name in image_columns(manifest)}
    for number, (rows, shard) in enumerate(zip(plan.rows, shards)):
        for row, spans in zip(rows, shard.spans):
            for column, span in spans.items():
                columns[column][row] = str(ImageReference(plan.name(number), span))
    columns[PACKED_FROM] = _packed_from(manifest)
    return manifest.with_table(manifest.table.assign(**columns))
