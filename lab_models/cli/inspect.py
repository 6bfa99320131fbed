"""``lab-models inspect``: what in a data set somebody should look at before training."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import Any

from lab_models.cli.dataset_options import read_dataset_options, read_options


def add_parser(subparsers: Any) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "inspect", help="find duplicates, blur, wrong labels and more in a data set"
    )
    parser.set_defaults(run=run)
    parser.add_argument("path", type=Path, metavar="PATH", help="a folder, CSV file or .npz")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER",
        help="write page, manifest, quarantine list, findings and summary there",
    )  # fmt: skip
    parser.add_argument("--kind", help="read it as this kind (default: recognised)")
    parser.add_argument(
        "--option", action="append", default=[], metavar="NAME=VALUE",
        help="an option of the kind; may be repeated",
    )  # fmt: skip
    parser.add_argument("--classes", help="map the classes, as in `lab-models data`")
    parser.add_argument(
        "--cache", type=Path, metavar="FOLDER",
        help="keep measurements there, so that an interrupted run goes on and the next is quick "
        "(default: FOLDER.measurements beside --out)",
    )  # fmt: skip
    parser.add_argument("--no-cache", action="store_true", help="keep no measurements")
    parser.add_argument(
        "--setting", action="append", default=[], metavar="NAME=NUMBER",
        help="change when something counts, such as blurred=5 or repeats=20; may be repeated",
    )  # fmt: skip
    parser.add_argument("--workers", type=int, metavar="N", help="processes (default: processors)")


def run(arguments: argparse.Namespace) -> int:
    """Runs the command.

    Returns:
        0, or 1 if there are unreadable files.
    """
    from pipelines.datasets import open_dataset
    from pipelines.errors import ManifestError
    from pipelines.inspection.inspector import inspect_dataset
    from pipelines.inspection.overview import describe_inspection
    from pipelines.inspection.settings import change_settings
    from pipelines.inspection.write import PAGE, check_folder, unreadable_files, write_inspection
    from pipelines.overview import describe_dataset

    settings = change_settings(read_options(arguments.setting, "--setting", "blurred=5"))
    chosen = read_dataset_options(arguments.option, arguments.classes)
    manifest = open_dataset(arguments.path, arguments.kind, **chosen)
    check_folder(arguments.out.resolve())
    cache = None
    if not arguments.no_cache:
        beside = arguments.out.with_name(f"{arguments.out.name}.measurements")
        cache = arguments.cache or beside
    new_cache = cache is not None and not cache.exists()
    try:
        inspection = inspect_dataset(manifest, settings, cache, arguments.workers, _show_progress)
        _show("writing the page")
        write_inspection(inspection, arguments.out)
    except ManifestError:
        if cache is not None and new_cache:  # nothing could be read, so nothing is worth keeping
            shutil.rmtree(cache, ignore_errors=True)
        raise
    except KeyboardInterrupt:
        if cache is not None:
            print("\nto go on: repeat the command; what was measured is kept", file=sys.stderr)
        raise
    finally:
        _show("")
    unreadable = unreadable_files(inspection)
    print(describe_dataset(manifest, unreadable), describe_inspection(inspection), sep="\n\n")
    seconds = sum(inspection.seconds.values())
    print(f"\n{len(manifest):,} images in {seconds:.0f} s. Page: {arguments.out / PAGE}")
    if cache is not None:
        print(f"Measurements are kept in {cache}; they can be deleted.")
    return int(bool(inspection.measurements.reasons))


def _show_progress(what: str, done: int, total: int) -> None:
    _show(f"{what}: {done:,} of {total:,}")


def _show(text: str) -> None:
    """One line on the terminal that is written over; nothing into files and pipes."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
