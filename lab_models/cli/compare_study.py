"""``lab-models compare-study``: trains study hairy's models and sets its figures beside ours."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any


def add_parser(subparsers: Any) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "compare-study",
        help="train HAL-R, HAL-T and HAL-C on the same data, beside the study's figures",
        description="Trains the recipes on the same data, split and seeds, and prints the study's "
        "table beside what came out. Trainings that are there already, with the same recipe, "
        "data and seed, are used again; stopped ones go on.",
    )
    parser.set_defaults(run=run)
    parser.add_argument(
        "--recipes", nargs="+", default=["hal_r", "hal_t3002", "hal_c3003"], metavar="RECIPE"
    )
    parser.add_argument("--scale", default="demo", help="demo, or full (as written)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], metavar="SEED")
    parser.add_argument(
        "--data", type=Path, metavar="PATH", help="your images; without it, synthetic smears"
    )
    parser.add_argument(
        "--weights", default="", help="imagenet, random, or a weights file; HAL-R stays random"
    )
    parser.add_argument("--out", type=Path, default=Path("runs"), help="folder of the runs")
    parser.add_argument(
        "--name", default="compare_study", help="of the table and the page written to --out"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="[RECIPE:]FIELD=VALUE",
        help="change a field of every recipe, or of one: --set hal_r:phases.0.epochs=3",
    )


def run(arguments: argparse.Namespace) -> int:
    """Trains, prints the tables, writes CSV and page."""
    from lab_models.quiet import import_tensorflow_quietly
    from lab_models.report.study_comparison import comparison_page, comparison_text
    from lab_models.study_comparison import compare_study
    from lab_models.study_settings import StudyComparisonSettings
    from tflite.runtime.files import whole_file, write_whole

    changes, own_changes = _changes(arguments.set)
    settings = StudyComparisonSettings(
        recipes=tuple(arguments.recipes),
        scale=arguments.scale,
        seeds=tuple(arguments.seeds),
        weights=arguments.weights,
        changes=changes,
        own_changes=own_changes,
    )
    import_tensorflow_quietly()
    try:
        comparison = compare_study(settings, arguments.data, arguments.out, say=_say)
    except KeyboardInterrupt:
        print("\nto go on: the same command again", file=sys.stderr)
        raise
    print("\n" + comparison_text(comparison))
    table = arguments.out / f"{arguments.name}.csv"
    with whole_file(table) as temporary:
        comparison.table().to_csv(temporary, index=False, float_format="%.6g")
    page = table.with_suffix(".html")
    write_whole(page, comparison_page(comparison))
    print(f"table: {table}\npage: {page}")
    return 0


def _changes(texts: list[str]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Changes of all recipes, and of single ones by recipe."""
    from lab_models.cli.assignments import parse_assignment

    shared: dict[str, Any] = {}
    own: dict[str, dict[str, Any]] = {}
    for text in texts:
        name, value = parse_assignment(text)
        recipe, colon, field = name.partition(":")
        if colon:
            own.setdefault(recipe, {})[field] = value
        else:
            shared[name] = value
    return shared, own


def _say(line: str) -> None:
    # Flushed, so that in a log the lines stand in order with those of standard error.
    print(line, flush=True)
