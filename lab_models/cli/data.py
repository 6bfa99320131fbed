"""``lab-models data``: what a folder or table of images holds, and whether it can be used."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from lab_models.cli.dataset_options import read_options
from tflite.runtime.errors import LabError


def add_parser(subparsers: Any) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "data",
        help="say what a data set holds, and check it",
        epilog="See also `lab-models data inspect` and `lab-models data clean`.",
    )
    parser.set_defaults(run=run)
    parser.add_argument("path", type=Path, metavar="PATH", help="a folder or a CSV file")
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
        "--split",
        metavar="BY",
        help="deal the images out by auto, patient, slide, source, image or given",
    )
    parser.add_argument("--seed", type=int, help="of the split")
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


def run(arguments: argparse.Namespace) -> int:
    """Runs the command.

    Returns:
        0, or 1 if there are unreadable files.
    """
    from pipelines.datasets import open_dataset
    from pipelines.leaks import check_leaks
    from pipelines.manifest import write_manifest
    from pipelines.overview import describe_dataset
    from pipelines.quarantine import split_off_unreadable, write_quarantine

    if arguments.no_decode and arguments.quarantine:
        raise LabError("--quarantine needs the images to be opened; leave --no-decode out.")
    manifest = open_dataset(
        arguments.path, arguments.kind, **_options(arguments.option, arguments.classes)
    )
    unreadable = None
    if not arguments.no_decode:
        manifest, unreadable = split_off_unreadable(manifest, arguments.workers, _show_progress)
    if arguments.split:
        manifest = _split(manifest, arguments)
    check_leaks(manifest)
    print(describe_dataset(manifest, unreadable))
    if arguments.write:
        write_manifest(manifest, arguments.write, rebase=True)
        print(f"\nManifest: {arguments.write}")
    if arguments.quarantine and unreadable is not None:
        write_quarantine(unreadable, arguments.quarantine)
        print(f"Quarantine: {arguments.quarantine}")
    return int(unreadable is not None and len(unreadable) > 0)


def _split(manifest: Any, arguments: argparse.Namespace) -> Any:
    from pipelines.split import SplitSettings, split_manifest

    seed = {} if arguments.seed is None else {"seed": arguments.seed}
    return split_manifest(manifest, SplitSettings(by=arguments.split, **seed))


def _options(words: list[str], classes: str | None) -> dict[str, Any]:
    given = {} if classes is None else {"classes": classes}
    return {**given, **read_options(words, "--option", "subset=tiny")}


def _show_progress(done: int, total: int) -> None:
    """One line on the terminal that is written over; nothing into files and pipes."""
    if sys.stderr.isatty():
        end = "\r" if done < total else "\r\033[K"
        print(f"opened {done:,} of {total:,} images", end=end, file=sys.stderr, flush=True)
