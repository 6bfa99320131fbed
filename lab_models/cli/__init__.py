"""The command line ``lab-models``: parses, calls one function, prints."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from tflite.runtime.errors import LabError

# The modules import nothing heavy at their top, so that --help answers at once.
COMMANDS = (
    "train", "evaluate", "compare", "predict", "export", "recipes", "data", "smear", "augment",
    "bench", "neighbours", "compare_study", "sanity", "audit", "onnx", "bench_device", "compress",
    "inspect", "clean", "pack",
)  # fmt: skip
OF_DATA = ("inspect", "clean", "pack")
"""Commands that can be written behind ``data`` too; a folder of such a name is ``./inspect``."""

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        arguments: Words after the program's name; those of the process if None.

    Returns:
        Exit status: 0 done, 1 done in part, 2 an error the user can put right, 130 interrupted.
    """
    parser = argparse.ArgumentParser(
        prog="lab-models",
        description="Train, question, compare and ship blood-cell classifiers. "
        "For research use: a person confirms every cell.",
    )
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in COMMANDS:
        importlib.import_module(f"lab_models.cli.{name}").add_parser(subparsers)
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["data"] and words[1:2] and words[1] in OF_DATA:
        words = words[1:]
    parsed = parser.parse_args(words)
    # TensorFlow's start-up notes would bury our own lines; a user's own setting stays.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        return parsed.run(parsed) or 0
    except LabError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # The reader (head, less) has gone; nothing is wrong.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        # A full disk, a folder that must not be read: for the user to put right, as above.
        where = f"{error.filename}: " if error.filename else ""
        print(f"error: {where}{error.strerror or error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return INTERRUPTED
