"""``lab-models train``: trains a recipe on a data set, or goes on with a stopped run."""

from __future__ import annotations

import argparse
import sys
import webbrowser
from pathlib import Path
from typing import Any

from lab_models.cli.assignments import parse_assignment
from tflite.runtime.errors import LabError


def add_parser(subparsers: Any) -> None:
    """Adds the command."""
    parser = subparsers.add_parser("train", help="train a recipe on a data set")
    parser.set_defaults(run=run)
    parser.add_argument("--recipe", default="hal_c3003", help="see: lab-models recipes")
    parser.add_argument(
        "--data", type=Path, metavar="PATH", help="your images; without it, synthetic smears"
    )
    parser.add_argument("--scale", default="full", help="full (as written), or demo")
    parser.add_argument("--weights", help="imagenet, random, or the path of a weights file")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--out", type=Path, default=Path("runs"), help="folder of the runs")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="change a field of the recipe, e.g. --set batch_size=16 --set phases.0.epochs=3",
    )
    parser.add_argument(
        "--skip", action="append", default=[], metavar="PHASE", help="leave out a phase"
    )
    parser.add_argument(
        "--encoder",
        type=Path,
        metavar="RUN",
        help="start from the encoder (and projection head) of that run",
    )
    parser.add_argument("--resume", type=Path, metavar="RUN", help="go on with a stopped run")
    parser.add_argument("--open", action="store_true", help="open the report in a browser")


def run(arguments: argparse.Namespace) -> int:
    """Trains, and prints where the results are."""
    from lab_models.quiet import import_tensorflow_quietly
    from lab_models.runs import RunDirectory, discard_run
    from lab_models.train import go_on, start_run

    if arguments.resume:
        directory = RunDirectory(arguments.resume)
    else:
        earlier = RunDirectory(arguments.encoder) if arguments.encoder else None
        directory = start_run(
            _recipe(arguments), arguments.data, arguments.out, earlier=earlier, say=_say
        )
    print(f"run: {directory.path}", flush=True)
    import_tensorflow_quietly()
    try:
        metrics = go_on(directory, say=_say)
    except KeyboardInterrupt:
        print(f"\nto go on: lab-models train --resume {directory.path}", file=sys.stderr)
        raise
    except LabError:
        if not directory.checkpoints.exists() and not arguments.resume:
            # Weights that are not there, say: nothing was trained, so nothing is kept.
            discard_run(directory)
        raise
    _summarise(metrics)
    print(f"report: {directory.report}")
    if arguments.open and not webbrowser.open(directory.report.resolve().as_uri()):
        print("(no browser here to open it)")
    return 0


def _say(line: str) -> None:
    # Flushed, so that in a log the lines stand in order with those of standard error.
    print(line, flush=True)


def _recipe(arguments: argparse.Namespace) -> Any:
    from lab_models.recipes import get_recipe
    from lab_models.start_from import without_phases

    recipe = get_recipe(arguments.recipe).at_scale(arguments.scale)
    changes = dict(parse_assignment(text) for text in arguments.set)
    for name in ("weights", "seed"):
        if getattr(arguments, name) is not None:
            changes[name] = getattr(arguments, name)
    return without_phases(recipe.changed(changes), tuple(arguments.skip))


def _summarise(metrics: dict[str, Any]) -> None:
    for split, figures in metrics["splits"].items():
        accuracy, macro_f1 = figures["accuracy"], figures["macro_f1"]
        print(
            f"{split}: accuracy {accuracy['value']:.4f} ({accuracy['low']:.4f} to "
            f"{accuracy['high']:.4f}), macro-F1 {macro_f1['value']:.4f}, "
            f"{figures['images']} images"
        )
