"""``lab-models sanity``: has the network learned the cell, or the database it came from?"""

from __future__ import annotations

import argparse
import sys
import webbrowser
from pathlib import Path
from typing import Any


def add_parser(subparsers: Any) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "sanity",
        help="the shortcut test: has a network learned the cell, or the database?",
        description="Trains on the study's subsets A+B and A+B+C and on all sources but one, and "
        "asks each network whether it knows the cell or where the image comes from. Writes one "
        "page, sanity.html, with JSON and CSV beside it. Called again, it uses the trainings that "
        "are there and goes on with a stopped one.",
    )
    parser.set_defaults(run=run)
    parser.add_argument(
        "--data", type=Path, metavar="PATH", help="your images; without it, synthetic smears"
    )
    parser.add_argument("--recipe", default="hal_t3002", help="see: lab-models recipes")
    parser.add_argument("--scale", default="demo", help="demo (default), or full (as written)")
    parser.add_argument("--weights", help="imagenet, random, or the path of a weights file")
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[0, 1, 2], metavar="N",
        help="each part is trained once with each (default: 0 1 2)",
    )  # fmt: skip
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="TEST",
        help="some of: subsets, probes, masks, leave-one-out; default: all that the data allows",
    )  # fmt: skip
    parser.add_argument(
        "--column", default="source", help="where an image comes from: source (default), hospital"
    )
    parser.add_argument(
        "--leave-one-out-seeds", type=int, default=1, metavar="N",
        help="how many of the seeds leave-one-out uses; every source is a training (default: 1)",
    )  # fmt: skip
    parser.add_argument("--class", dest="focus", default="", help="whose recall is in doubt")
    parser.add_argument("--confidence", type=float, default=0.95, help="coverage of intervals")
    parser.add_argument("--out", type=Path, default=Path("sanity"), help="folder of the test")
    parser.add_argument(
        "--set", action="append", default=[], metavar="FIELD=VALUE",
        help="change a field of the recipe, e.g. --set phases.1.epochs=12",
    )  # fmt: skip
    parser.add_argument("--open", action="store_true", help="open the page in a browser")


def run(arguments: argparse.Namespace) -> None:
    """Tests, and prints the verdict and where the page is."""
    from lab_models.quiet import import_tensorflow_quietly
    from lab_models.sanity.run import run_sanity
    from lab_models.sanity.settings import SanitySettings
    from lab_models.sanity.text import results_text
    from lab_models.sanity.write import PAGE

    settings = SanitySettings(
        tests=tuple(arguments.only),
        seeds=tuple(arguments.seeds),
        column=arguments.column,
        leave_one_out_seeds=arguments.leave_one_out_seeds,
        focus=arguments.focus,
        confidence=arguments.confidence,
    )
    recipe = _recipe(arguments)
    import_tensorflow_quietly()
    try:
        results = run_sanity(recipe, arguments.data, arguments.out, settings, say=_say)
    except KeyboardInterrupt:
        print("\nto go on: the same command again", file=sys.stderr)
        raise
    print(results_text(results))
    page = arguments.out / PAGE
    print(f"page: {page}")
    if arguments.open and not webbrowser.open(page.resolve().as_uri()):
        print("(no browser here to open it)")


def _say(line: str) -> None:
    print(line, flush=True)


def _recipe(arguments: argparse.Namespace) -> Any:
    from lab_models.cli.assignments import parse_assignment
    from lab_models.recipes import get_recipe

    recipe = get_recipe(arguments.recipe).at_scale(arguments.scale)
    changes = dict(parse_assignment(text) for text in arguments.set)
    if arguments.weights is not None:
        changes["weights"] = arguments.weights
    return recipe.changed(changes)
