"""``lab-models data pack``: writes a data set as shards, which every command reads."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab_models.cli.dataset_options import read_dataset_options
from lab_models.cli.split_options import add_split_options, plan_of

if TYPE_CHECKING:
    from pipelines.shards.settings import PackSettings

_EVERY = 50
"""Images between two updates of the line of progress."""


def add_parser(subparsers: Any) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "pack",
        help="write a data set as TFRecord shards, which every command reads",
        description="Writes a data set into few large files (TFRecord) with a manifest that "
        "points into them. Every command takes the folder as it takes the images. A stopped call "
        "is gone on with by the same call.",
    )
    parser.set_defaults(run=run)
    parser.add_argument("path", type=Path, metavar="PATH", help="a folder or a CSV file")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="the pack, a new folder"
    )
    parser.add_argument(
        "--shard-megabytes", type=float, default=100, metavar="N",
        help="size of a shard, about (default: 100)",
    )  # fmt: skip
    parser.add_argument(
        "--order", choices=("shuffled", "manifest"), default="shuffled",
        help="of the images in the shards: shuffled by --seed (default), so that reading them one "
        "after the other is a fair sample; or as the data set lists them",
    )  # fmt: skip
    parser.add_argument(
        "--leave-out-unreadable", action="store_true",
        help="leave out images that cannot be read and list them in FOLDER/quarantine.csv "
        "(default: refuse)",
    )  # fmt: skip
    parser.add_argument("--kind", help="read it as this kind (default: recognised)")
    parser.add_argument(
        "--option", action="append", default=[], metavar="NAME=VALUE",
        help="an option of the kind; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--classes", metavar="NAMES", help="map the classes, as in `lab-models data`"
    )
    parser.add_argument("--workers", type=int, metavar="N", help="threads (default: processors)")
    add_split_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Runs the command.

    Returns:
        0, or 1 if unreadable images were left out.
    """
    from lab_models.quiet import import_tensorflow_quietly
    from pipelines.datasets import open_dataset
    from pipelines.overview import describe_dataset
    from pipelines.shards.pack import pack_dataset, refuse_inside

    settings, split = _settings(arguments), plan_of(arguments)
    if arguments.path.is_dir():
        refuse_inside(arguments.out, arguments.path)
    chosen = read_dataset_options(arguments.option, arguments.classes)
    manifest = open_dataset(arguments.path, arguments.kind, **chosen)
    import_tensorflow_quietly()
    try:
        packed = pack_dataset(manifest, arguments.out, settings, split, _progress)
    except KeyboardInterrupt:
        print("\nto go on: repeat the command; finished shards are kept", file=sys.stderr)
        raise
    print(describe_dataset(packed.manifest, packed.unreadable))
    pack = packed.pack
    gone_on = f", {packed.gone_on} of them from an earlier call" if packed.gone_on else ""
    print(
        f"\nPack: {arguments.out}, {pack.images:,} images in {len(pack.shards):,} shard(s)"
        f"{gone_on}, {pack.bytes / 1e6:,.1f} MB"
    )
    return int(not packed.unreadable.empty)


def _settings(arguments: argparse.Namespace) -> PackSettings:
    from pipelines.shards.settings import PackSettings

    return PackSettings(
        arguments.shard_megabytes,
        arguments.order,
        arguments.seed,
        arguments.leave_out_unreadable,
        arguments.workers,
    )


def _progress(step: str) -> Callable[[int, int], None] | None:
    """One line on the terminal that is written over; nothing into files and pipes."""
    if not sys.stderr.isatty():
        return None

    def show(done: int, total: int) -> None:
        if done % _EVERY == 0 or done == total:
            end = "\r" if done < total else "\r\033[K"
            print(f"{step} {done:,} of {total:,} images", end=end, file=sys.stderr, flush=True)

    return show
