"""``lab-models audit``: what a ``.tflite`` file is made of, and why it is fast or slow."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any


def add_parser(subparsers: Any) -> None:
    """Adds the command."""
    parser = subparsers.add_parser("audit", help="say why a .tflite file is fast or slow here")
    parser.set_defaults(run=run)
    parser.add_argument(
        "model", type=Path, metavar="MODEL.tflite", help="a bundle or a plain model"
    )
    parser.add_argument(
        "--threads", type=int, default=1, metavar="N", help="of the kernels (default 1)"
    )
    parser.add_argument(
        "--runs",
        type=int,
        default=30,
        metavar="N",
        help="measured runs of each op (default 30); 0 leaves times out",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything as JSON too")


def run(arguments: argparse.Namespace) -> int:
    """Prints the audit."""
    from tflite.audit import AuditSettings, audit_file
    from tflite.op_costs import CostSettings
    from tflite.runtime.files import write_whole

    costs = CostSettings(arguments.threads, runs=arguments.runs) if arguments.runs else None
    audit = audit_file(arguments.model, AuditSettings(costs))
    print(audit.text(), end="")
    if arguments.json:
        write_whole(arguments.json, json.dumps(audit.to_dict(), indent=1) + "\n")
        print(f"written: {arguments.json}")
    return 0
