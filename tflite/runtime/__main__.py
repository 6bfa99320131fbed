"""The command ``lab-cells``: classifies images with a bundle, on the device."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Iterable, List, Optional, Sequence

from tflite.runtime.classifier import Classifier
from tflite.runtime.errors import LabError
from tflite.runtime.folder import FolderSettings
from tflite.runtime.images import find_images
from tflite.runtime.results import FileResult, FolderSummary
from tflite.runtime.sidecar import UNKNOWN
from tflite.runtime.tables import FORMATS, RowWriter, encoding_errors, table_format

EXIT_UNREADABLE = 1
EXIT_ERROR = 2
EXIT_INTERRUPTED = 130
_SHOWN_UNREADABLE = 10
_PROGRESS_SECONDS = 0.2
_STOPPED = ("stopped", "stopped; the same command goes on from here and writes the table")


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Runs the command.

    Args:
        arguments: Without the program's name; None takes those of the process.

    Returns:
        0 if every image got its class, 1 if some could not be read, 2 if nothing could be done,
        130 if it was interrupted.
    """
    options = _parser().parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors=encoding_errors(options.format))  # type: ignore[union-attr]
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
        print(f"\n{_STOPPED[options.out is not None]}", file=sys.stderr)
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
    parser.add_argument(
        "--format", choices=FORMATS, help="of the table, else by its suffix; of what is printed"
    )
    parser.add_argument("--threads", type=int, default=1, help="of one inference (default 1)")
    parser.add_argument(
        "--decode-threads",
        type=int,
        default=FolderSettings.decode_threads,
        help="that decode the next images meanwhile (default %(default)s)",
    )
    parser.add_argument(
        "--unknown",
        type=float,
        metavar="SCORE",
        help="answer 'unknown' below this score, 0 never (default: the bundle's, by class)",
    )
    resume = parser.add_mutually_exclusive_group()
    resume.add_argument(
        "--resume",
        action="store_true",
        default=True,
        help="go on where a stopped run of the same table stopped (default)",
    )
    resume.add_argument(
        "--restart", dest="resume", action="store_false", help="begin the table anew instead"
    )
    return parser


def _run(options: argparse.Namespace) -> int:
    if options.out is not None:
        table_format(options.out, options.format)  # before an hour's work, not after
    classifier = Classifier(options.bundle, options.threads, options.unknown)
    settings = FolderSettings(options.decode_threads, resume=options.resume)
    paths = _expand(options.images)
    if options.out is None:
        return _print_lines(classifier, classifier.classify_files(paths, settings), options.format)
    progress = _Progress() if sys.stderr.isatty() else None
    summary = classifier.classify_to_table(paths, options.out, options.format, progress, settings)
    _print_summary(summary, options.out)
    return EXIT_UNREADABLE if summary.unreadable else 0


def _expand(given: Sequence[Path]) -> List[Path]:
    paths: List[Path] = []
    for path in given:
        paths += find_images(path) if path.is_dir() else [path]
    return paths


def _print_lines(
    classifier: Classifier, results: Iterable[FileResult], format: Optional[str]
) -> int:
    rows = RowWriter(sys.stdout, classifier.labels, format) if format else None
    failed = False
    for item in results:
        failed = failed or item.result is None
        if item.result is None:
            print(f"error: {item.error}", file=sys.stderr)
        if rows:
            rows.write(item)
        elif item.result:
            found = item.result
            print(f"{item.path}\t{found.label}\t{found.score:.4f}\t{found.predicted}")
        sys.stdout.flush()
    return EXIT_UNREADABLE if failed else 0


class _Progress:
    """A line on the terminal, written over a few times a second."""

    def __init__(self) -> None:
        self._shown = 0.0

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if done == total or now - self._shown >= _PROGRESS_SECONDS:
            self._shown = now
            end = "\n" if done == total else ""
            print(f"\r{done} of {total} images", end=end, file=sys.stderr, flush=True)


def _print_summary(summary: FolderSummary, out: Path) -> None:
    counts = {k: n for k, n in summary.counts.items() if n or k != UNKNOWN}
    width = max(len(label) for label in counts)
    for label, count in counts.items():
        print(f"{label:<{width}}  {count:>7}")
    taken = f", {summary.taken_over} of them by the stopped run" if summary.taken_over else ""
    print(f"{summary.classified} images classified{taken} -> {out}")
    if summary.images_per_second:
        print(
            f"{summary.images_per_second:.0f} images/s, decoding included; the inference took "
            f"{summary.inference_share:.0%} of the time"
        )
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
