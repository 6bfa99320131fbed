"""``lab-models data``: what a folder or table of images holds, and whether it can be used."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab_models.cli.dataset_options import read_dataset_options
from lab_models.cli.split_options import add_split_options, fold_file, plan_of
from tflite.runtime.errors import LabError

if TYPE_CHECKING:
    from pipelines.manifest import Manifest


def add_parser(subparsers: Any) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "data",
        help="say what a data set holds, and check it",
        epilog="See also `lab-models data inspect`, `... data clean` and `... data pack`.",
    )
    parser.set_defaults(run=run)
    parser.add_argument("path", type=Path, metavar="PATH", help="a folder, CSV file or .npz")
    parser.add_argument("--kind", help="read it as this kind (default: recognised)")
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="an option of the kind, such as subset=tiny or lookalikes=true; may be repeated",
    )
    parser.add_argument(
        "--classes",
        metavar="NAMES",
        help="map the classes onto those of a study (hal, pbc, bone_marrow, raabin) or onto "
        "names with commas between them; what cannot be mapped is left out and named",
    )
    parser.add_argument(
        "--write", type=Path, metavar="FILE", help="write the readable images as a manifest"
    )
    parser.add_argument(
        "--quarantine", type=Path, metavar="FILE", help="write the unreadable files as a list"
    )
    parser.add_argument(
        "--no-decode", action="store_true", help="do not open the images (quick for large sets)"
    )
    parser.add_argument("--workers", type=int, metavar="N", help="threads (default: processors)")
    add_split_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Runs the command.

    Returns:
        0, or 1 if there are unreadable files.
    """
    from pipelines.datasets import open_dataset
    from pipelines.leaks import check_leaks
    from pipelines.overview import describe_dataset
    from pipelines.quarantine import split_off_unreadable, write_quarantine
    from pipelines.split_plan import carry_out

    if arguments.no_decode and arguments.quarantine:
        raise LabError("--quarantine needs the images to be opened; leave --no-decode out.")
    plan = plan_of(arguments)
    chosen = read_dataset_options(arguments.option, arguments.classes)
    manifest = open_dataset(arguments.path, arguments.kind, **chosen)
    unreadable = None
    if not arguments.no_decode:
        manifest, unreadable = split_off_unreadable(manifest, arguments.workers, _show_progress)
    manifests = carry_out(manifest, plan, _show_progress)
    if plan.folds is None:  # folds are checked as they are made
        check_leaks(manifests[0])
    for one in manifests:
        print(describe_dataset(one, unreadable), end="\n" if len(manifests) == 1 else "\n\n\n")
    if all((one.table["split"] == "").all() for one in manifests):
        print("\nTo see how they would be split: --split-by auto")
    if arguments.write:
        _write(manifests, arguments.write)
    if arguments.quarantine and unreadable is not None:
        write_quarantine(unreadable, arguments.quarantine)
        print(f"Quarantine: {arguments.quarantine}")
    return int(unreadable is not None and len(unreadable) > 0)


def _write(manifests: Sequence[Manifest], file: Path) -> None:
    from pipelines.manifest import write_manifest

    print()
    for number, manifest in enumerate(manifests, 1):
        path = fold_file(file, number, len(manifests))
        write_manifest(manifest, path, rebase=True)
        print(f"Manifest: {path}")


def _show_progress(done: int, total: int) -> None:
    """One line on the terminal that is written over; nothing into files and pipes."""
    if sys.stderr.isatty():
        end = "\r" if done < total else "\r\033[K"
        print(f"opened {done:,} of {total:,} images", end=end, file=sys.stderr, flush=True)
