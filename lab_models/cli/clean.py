"""``lab-models clean``: applies chosen findings of an inspection to its manifest."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_parser(subparsers: Any) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "clean", help="leave out what an inspection found; no image is deleted"
    )
    parser.set_defaults(run=run)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="what `inspect` wrote")
    parser.add_argument(
        "--apply", nargs="+", required=True, metavar="FINDING",
        help="kinds of findings, such as two_cells, or single ones, such as two_cells:3",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE",
        help="write the remaining manifest there, and FILE's name with .changes.csv beside it",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Runs the command; says what was left out."""
    from pipelines.inspection.clean import clean_manifest, write_cleaning

    cleaning = clean_manifest(arguments.folder, arguments.apply)
    changes = write_cleaning(cleaning, arguments.out)
    print(cleaning.describe())
    print(f"Manifest: {arguments.out}\nEvery change with its reason: {changes}")
    return 0
