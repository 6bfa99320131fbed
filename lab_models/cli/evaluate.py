"""``lab-models evaluate``: figures and report of a run, from saved predictions or new images."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from lab_models.cli.dataset_options import read_dataset_options


def add_parser(subparsers: Any) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "evaluate",
        help="make figures and report of a run, on its own or on other images",
        description="Without --data, figures, pictures, report and model card are made anew from "
        "the run's saved predictions; no images are needed. With --data, the run's model names "
        "the images of any data set and the result goes to RUN/evaluations/.",
    )
    parser.set_defaults(run=run)
    parser.add_argument("directory", type=Path, metavar="RUN", help="runs/<recipe>/<time>")
    parser.add_argument("--data", type=Path, metavar="PATH", help="a data set to evaluate on")
    parser.add_argument("--kind", default="", help="kind of data set; default: recognised")
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="an option of the kind, such as subset=tiny; may be repeated",
    )
    parser.add_argument(
        "--classes",
        default="",
        metavar="NAMES",
        help="map the data's classes first, as in `lab-models data`; `model` maps onto the model's "
        "own. What cannot be mapped is left out and named",
    )
    parser.add_argument("--split", default="", help="which split; default: test, else validation")
    parser.add_argument(
        "--map",
        action="append",
        default=[],
        metavar="LABEL=CLASS[,CLASS]",
        help="what a label of the data means to the model: one class; several that the data does "
        "not tell apart; or none (LABEL=), to leave its images out. Other labels are looked up in "
        "the table of class names",
    )
    parser.add_argument("--name", default="", help="folder under RUN/evaluations")
    parser.add_argument("--include-training", action="store_true", help="keep training images")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--class", dest="label", default="", help="whose mistakes are shown")
    parser.add_argument("--gallery", type=int, default=24, help="thumbnails a gallery at most")
    parser.add_argument("--layout", default="tsne", help="of the scatter: tsne, pca, umap")
    parser.add_argument("--points", type=int, default=2000, help="images in the scatter at most")
    parser.add_argument("--draws", type=int, default=1000, help="bootstrap samples")
    parser.add_argument("--confidence", type=float, default=0.95, help="coverage of intervals")
    parser.add_argument("--seed", type=int, default=0, help="of bootstrap and scatter")


def run(arguments: argparse.Namespace) -> int:
    """Evaluates, and prints the verdict and where the report is."""
    from lab_models.evaluate import finish_report
    from lab_models.evaluate_data import DataSettings, evaluate_run
    from lab_models.label_map import LabelMap
    from lab_models.quiet import import_tensorflow_quietly
    from lab_models.runs import RunDirectory
    from tflite.runtime.errors import LabError

    directory = RunDirectory(arguments.directory)
    if arguments.data is None:
        for option in ("map", "kind", "option", "classes", "name", "include_training"):
            if getattr(arguments, option):
                raise LabError(f"--{option.replace('_', '-')} needs --data PATH.")
        figures = finish_report(directory, _settings(arguments, arguments.split))
    else:
        chosen = DataSettings(
            kind=arguments.kind,
            options=tuple(read_dataset_options(arguments.option, None).items()),
            classes=arguments.classes,
            split=arguments.split,
            labels=LabelMap.parse(arguments.map),
            include_training=arguments.include_training,
            batch_size=arguments.batch_size,
            name=arguments.name,
        )
        settings = _settings(arguments, "")
        directory.require(directory.model)
        import_tensorflow_quietly()
        directory, figures = evaluate_run(directory, arguments.data, chosen, settings)
    _print(figures)
    print(f"report: {directory.report}")
    return 0


def _settings(arguments: argparse.Namespace, split: str) -> Any:
    from lab_models.evaluate import EvaluationSettings
    from lab_models.metrics import MetricSettings
    from lab_models.report.galleries import GallerySettings
    from lab_models.report.projection import ProjectionSettings

    return EvaluationSettings(
        split=split,
        metrics=MetricSettings(
            confidence=arguments.confidence, bootstrap_draws=arguments.draws, seed=arguments.seed
        ),
        projection=ProjectionSettings(
            method=arguments.layout, most_points=arguments.points, seed=arguments.seed
        ),
        gallery=GallerySettings(label=arguments.label, most_images=arguments.gallery),
    )


def _print(figures: dict[str, Any]) -> None:
    for split, values in figures["splits"].items():
        accuracy, f1 = values["accuracy"], values["macro_f1"]
        print(
            f"{split}: {values['images']} images, accuracy {accuracy['value']:.4f} "
            f"({accuracy['low']:.4f} to {accuracy['high']:.4f}), macro F1 {f1['value']:.4f} "
            f"({f1['low']:.4f} to {f1['high']:.4f})"
        )
