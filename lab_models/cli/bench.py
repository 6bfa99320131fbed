"""``lab-models bench``: measures speed on this machine."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_parser(subparsers: Any) -> None:
    """Adds the command."""
    parser = subparsers.add_parser("bench", help="measure speed on this machine")
    parser.set_defaults(run=run)
    parser.add_argument("--out", type=Path, default=Path("bench"), help="folder for the CSV")
    parser.add_argument("--repeats", type=int, default=5, help="runs of each row")


def run(arguments: argparse.Namespace) -> int:
    """Measures and writes a CSV."""
    from lab_models.bench import BenchSettings, run_bench, write_bench
    from lab_models.quiet import import_tensorflow_quietly

    import_tensorflow_quietly()
    table = run_bench(BenchSettings(repeats=arguments.repeats))
    print(table.to_string(index=False, float_format="%.2f"))
    print(f"written: {write_bench(table, arguments.out)}")
    return 0
