"""``lab-models compare``: runs side by side, with a test of the difference."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_parser(subparsers: Any) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "compare",
        help="put runs side by side",
        description="Compares runs, or evaluations under RUN/evaluations, on the images that all "
        "of them predicted; McNemar's test says whether the difference may be chance.",
    )
    parser.set_defaults(run=run)
    parser.add_argument("directories", type=Path, nargs="+", metavar="RUN")
    parser.add_argument("--split", default="", help="only this split; default: test, else all")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write an HTML page as well")


def run(arguments: argparse.Namespace) -> int:
    """Compares, prints the table, writes the page."""
    from lab_models.compare import CompareSettings, compare_runs
    from lab_models.report.comparison import comparison_page, comparison_text
    from lab_models.runs import RunDirectory
    from tflite.runtime.files import write_whole

    settings = CompareSettings(split=arguments.split)
    comparison = compare_runs([RunDirectory(p) for p in arguments.directories], settings)
    print(comparison_text(comparison))
    if arguments.out:
        write_whole(arguments.out, comparison_page(comparison))
        print(f"page: {arguments.out}")
    return 0
