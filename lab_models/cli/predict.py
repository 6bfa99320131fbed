"""``lab-models predict``: names the cells of image files and writes a table."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

UNREADABLE = 1


def add_parser(subparsers: Any) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "predict",
        help="name the cells of image files",
        description="Writes a table: path, predicted class, its score, and the scores of all "
        "classes. Files that cannot be read are listed with a reason and stop nothing; the exit "
        "status is 1 then. Research use: a person confirms every cell.",
    )
    parser.set_defaults(run=run)
    parser.add_argument("directory", type=Path, metavar="RUN", help="runs/<recipe>/<time>")
    parser.add_argument(
        "paths", type=Path, nargs="+", metavar="PATH", help="files, folders, or data sets"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("predictions.csv"), metavar="FILE", help="the table"
    )
    parser.add_argument("--batch-size", type=int, default=32)


def run(arguments: argparse.Namespace) -> int:
    """Predicts, writes the table, lists what could not be read."""
    from lab_models.predict_files import predict_files
    from lab_models.quiet import import_tensorflow_quietly
    from lab_models.runs import RunDirectory
    from tflite.runtime.errors import LabError
    from tflite.runtime.files import whole_file

    if arguments.out.is_dir():
        raise LabError(f"{arguments.out} is a folder; --out takes the name of a table to write.")
    directory = RunDirectory(arguments.directory)
    directory.require(directory.model)
    import_tensorflow_quietly()
    found = predict_files(directory, arguments.paths, arguments.batch_size, _show_progress)
    for row in found.unreadable.itertuples():
        print(f"not read: {row.reason}", file=sys.stderr)
    if found.table.empty:
        raise LabError("None of the files could be read, so there is no table to write.")
    with whole_file(arguments.out) as temporary:
        found.table.to_csv(temporary, index=False, float_format="%.6f")
    for label, count in found.table["predicted"].value_counts().items():
        print(f"{count:7} {label}")
    print(f"table: {arguments.out} ({len(found.table)} images)")
    return UNREADABLE if len(found.unreadable) else 0


def _show_progress(done: int, total: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{done} of {total}", end="\n" if done == total else "", file=sys.stderr)
