"""``lab-models smear``: draws a data set of synthetic blood smears."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tflite.runtime.errors import LabError

if TYPE_CHECKING:
    from pipelines.smear import SmearSettings

_EVERY = 2.0  # seconds between lines of progress


def add_parser(subparsers: Any) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "smear",
        help="draw a data set of synthetic blood smears",
        description="Draws synthetic blood smears of 20 classes and writes them as a laboratory "
        "would have them: databases, slides, expert tables. The same options give the same files.",
    )
    parser.set_defaults(run=run)
    parser.add_argument(
        "out",
        type=Path,
        nargs="?",
        metavar="OUT",
        help="the folder to write (not needed with --sheet)",
    )
    parser.add_argument("--images", type=int, metavar="N", help="agreed images (default: 6000)")
    parser.add_argument("--size", type=int, metavar="PX", help="height and width (default: 96)")
    parser.add_argument("--seed", type=int, metavar="S", help="default: 3001")
    parser.add_argument("--format", choices=("jpg", "bmp"), help="of the files (default: jpg)")
    parser.add_argument("--workers", type=int, metavar="W", help="processes (default: one a core)")
    parser.add_argument("--sheet", type=Path, metavar="FILE", help="write a sheet of all classes")
    parser.add_argument("--columns", type=int, default=10, metavar="N", help="cells a class on it")


def run(arguments: argparse.Namespace) -> None:
    """Draws what was asked for and says where it is."""
    from pipelines.smear import write_sheet, write_smears

    if arguments.out is None and arguments.sheet is None:
        raise LabError("Nothing to do: give a folder OUT, or --sheet FILE, or both.")
    settings = _settings(arguments)
    if arguments.sheet is not None:
        write_sheet(arguments.sheet, settings, arguments.columns)
        print(f"A sheet of every class: {arguments.sheet}")
    if arguments.out is not None:
        progress = _Progress()
        write_smears(arguments.out, settings, arguments.workers, progress)
        print(progress.summary(arguments.out))


def _settings(arguments: argparse.Namespace) -> SmearSettings:
    from pipelines.smear import SmearSettings

    given = {name: getattr(arguments, name) for name in ("images", "size", "seed")}
    settings = SmearSettings(**{name: value for name, value in given.items() if value is not None})
    if arguments.format is None:
        return settings
    return replace(
        settings,
        hairy_camera=replace(settings.hairy_camera, format=arguments.format),
        wbc_camera=replace(settings.wbc_camera, format=arguments.format),
    )


class _Progress:
    """Lines on standard error while images are drawn."""

    def __init__(self) -> None:
        self._start = self._last = time.perf_counter()
        self._done = 0

    def __call__(self, done: int, total: int) -> None:
        now = time.perf_counter()
        self._done = done
        if now - self._last >= _EVERY or done == total:
            self._last = now
            rate = done / max(now - self._start, 1e-9)
            print(f"{done} of {total} images, {rate:.0f} a second", file=sys.stderr)

    def summary(self, out: Path) -> str:
        """What happened, in a sentence."""
        if not self._done:
            return f"{out} holds these smears already."
        return f"{self._done} images in {time.perf_counter() - self._start:.0f} s: {out}"
