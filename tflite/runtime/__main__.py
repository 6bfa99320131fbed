"""The command ``lab-cells``: classifies images with a bundle, on the device."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import List, Optional, Sequence

from tflite.runtime.classifier import Classifier, FileResult, FolderSummary, find_images
from tflite.runtime.errors import LabError
from tflite.runtime.tables import FORMATS, table_format

EXIT_UNREADABLE = 1
EXIT_ERROR = 2
EXIT_INTERRUPTED = 130
_SHOWN_UNREADABLE = 10


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Runs the command.

    Args:
        arguments: Without the program's name; None takes those of the process.

    Returns:
        0 if every image got its class, 1 if some could not be read, 2 if nothing could be done,
        130 if it was interrupted.
    """
    options = _parser().parse_args(arguments)
    try:
        return _run(options)
    except LabError as error:
        print(f"error: {error}", file=sys.stderr)
    except BrokenPipeError:
        # The reader (head, less) has gone; nothing is wrong.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        print(f"error: {error.filename}: {error.strerror}", file=sys.stderr)
    except KeyboardInterrupt:
        print("\nstopped; no table was written", file=sys.stderr)
        return EXIT_INTERRUPTED
    return EXIT_ERROR


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lab-cells",
        description="Classifies images of blood cells. Research use: a person confirms every cell.",
    )
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="a .tflite bundle")
    parser.add_argument(
        "images", type=Path, nargs="+", metavar="IMAGES", help="image files, or folders of them"
    )
    parser.add_argument("--out", type=Path, help="write a table here instead of printing lines")
    parser.add_argument("--format", choices=FORMATS, help="of the table; else by its suffix")
    parser.add_argument("--threads", type=int, default=1, help="of one inference (default 1)")
    return parser


def _run(options: argparse.Namespace) -> int:
    if options.out is not None:
        table_format(options.out, options.format)  # before an hour's work, not after
    classifier = Classifier(options.bundle, options.threads)
    paths = _expand(options.images)
    if options.out is None:
        return _print_lines(classifier, paths)
    summary = classifier.classify_to_table(
        paths, options.out, options.format, _progress if sys.stderr.isatty() else None
    )
    _print_summary(summary, options.out)
    return EXIT_UNREADABLE if summary.unreadable else 0


def _expand(given: Sequence[Path]) -> List[Path]:
    paths: List[Path] = []
    for path in given:
        paths += find_images(path) if path.is_dir() else [path]
    return paths


def _print_lines(classifier: Classifier, paths: Sequence[Path]) -> int:
    failed = False
    for item in classifier.classify_files(paths):
        failed = failed or item.result is None
        if item.result is None:
            print(f"error: {item.error}", file=sys.stderr)
        else:
            print(f"{item.path}\t{item.result.label}\t{item.result.score:.4f}", flush=True)
    return EXIT_UNREADABLE if failed else 0


def _progress(done: int, total: int) -> None:
    end = "\n" if done == total else ""
    print(f"\r{done} of {total} images", end=end, file=sys.stderr, flush=True)


def _print_summary(summary: FolderSummary, out: Path) -> None:
    width = max(len(label) for label in summary.counts)
    for label, count in summary.counts.items():
        print(f"{label:<{width}}  {count:>7}")
    print(f"{summary.classified} images classified -> {out}")
    if summary.unreadable:
        _print_unreadable(summary.unreadable)


def _print_unreadable(items: Sequence[FileResult]) -> None:
    print(f"{len(items)} could not be read; the table gives the reasons:", file=sys.stderr)
    for item in items[:_SHOWN_UNREADABLE]:
        print(f"  {item.error}", file=sys.stderr)
    if len(items) > _SHOWN_UNREADABLE:
        print(f"  and {len(items) - _SHOWN_UNREADABLE} more", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
