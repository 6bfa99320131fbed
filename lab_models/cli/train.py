"""``lab-models train``: trains a recipe on a data set, or goes on with a stopped run."""

from __future__ import annotations

import argparse
import json
import sys
import webbrowser
from pathlib import Path
from typing import Any

from tflite.runtime.errors import LabError


def add_parser(subparsers: Any) -> None:
    """Adds the command."""
    parser = subparsers.add_parser("train", help="train a recipe on a data set")
    parser.set_defaults(run=run)
    parser.add_argument("--recipe", default="hal_t3002", help="see: lab-models recipes")
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
        directory = start_run(_recipe(arguments), arguments.data, arguments.out, say=_say)
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

    recipe = get_recipe(arguments.recipe).at_scale(arguments.scale)
    changes = dict(_assignment(text) for text in arguments.set)
    for name in ("weights", "seed"):
        if getattr(arguments, name) is not None:
            changes[name] = getattr(arguments, name)
    return recipe.changed(changes)


def _assignment(text: str) -> tuple[str, Any]:
    """One ``--set``: the value is JSON where it can be, else text."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise LabError(f"--set takes FIELD=VALUE, e.g. batch_size=16; got {text!r}.")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


def _summarise(metrics: dict[str, Any]) -> None:
    for split, figures in metrics["splits"].items():
        accuracy, macro_f1 = figures["accuracy"], figures["macro_f1"]
        print(
            f"{split}: accuracy {accuracy['value']:.4f} ({accuracy['low']:.4f} to "
            f"{accuracy['high']:.4f}), macro-F1 {macro_f1['value']:.4f}, "
            f"{figures['images']} images"
        )
