"""``lab-models neighbours``: the labelled cells closest to images."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

UNREADABLE = 1


def add_parser(subparsers: Any) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "neighbours",
        help="show the training cells closest to images",
        description="Shows the cells whose features are closest to those of each image, with "
        "label and cosine distance. The features of the training images are computed at the first "
        "call and kept in the run. Files that cannot be read are listed and stop nothing; the "
        "exit status is 1 then.",
    )
    parser.set_defaults(run=run)
    parser.add_argument("directory", type=Path, metavar="RUN", help="runs/<recipe>/<time>")
    parser.add_argument("paths", type=Path, nargs="+", metavar="IMAGE", help="files or folders")
    parser.add_argument("--count", type=int, default=8, help="closest cells for each image")
    parser.add_argument(
        "--split", default="train", help="among which cells: train, validation or test"
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="write an HTML page with thumbnails as well"
    )
    parser.add_argument("--batch-size", type=int, default=32)


def run(arguments: argparse.Namespace) -> int:
    """Searches, prints a table for each image, writes the page."""
    from lab_models.neighbours import NeighbourSettings, find_neighbours
    from lab_models.quiet import import_tensorflow_quietly
    from lab_models.report.neighbours import neighbours_page
    from lab_models.runs import RunDirectory
    from tflite.runtime.errors import LabError
    from tflite.runtime.files import write_whole

    settings = NeighbourSettings(arguments.count, arguments.split, arguments.batch_size)
    if arguments.out and arguments.out.is_dir():
        raise LabError(f"{arguments.out} is a folder; --out takes the name of a page to write.")
    directory = RunDirectory(arguments.directory)
    directory.require(directory.finished)
    import_tensorflow_quietly()
    found = find_neighbours(directory, arguments.paths, settings, _show_progress)
    for row in found.unreadable.itertuples():
        print(f"not read: {row.reason}", file=sys.stderr)
    for file, table in found.tables():
        _print(file, table)
    if arguments.out:
        name = "/".join(directory.path.resolve().parts[-2:])
        kind = "training" if arguments.split == "train" else arguments.split
        subtitle = f"{name}, among {len(found.cells):,} {kind} images"
        write_whole(arguments.out, neighbours_page(found, "Closest cells", subtitle))
        print(f"page: {arguments.out}")
    return UNREADABLE if len(found.unreadable) else 0


def _print(file: Path, table: Any) -> None:
    from lab_models.report.neighbours import majority_words

    print(f"{file}: {majority_words(table)}")
    shown = table.assign(distance=table["distance"].map("{:.4f}".format))
    # Columns that the data does not fill would only push the paths off the screen.
    shown = shown[[c for c in shown.columns if (shown[c] != "").any()]]
    print(shown.to_string(index=False), end="\n\n")


def _show_progress(done: int, total: int) -> None:
    if sys.stderr.isatty():
        text = f"\rfeatures of the training images: {done} of {total}"
        print(text, end="\n" if done == total else "", file=sys.stderr)
