"""``lab-models export``: a finished run becomes a bundle for the device."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from lab_models.runs import RunDirectory
    from pipelines.manifest import Manifest
    from tflite.cures.auto import Retraining
    from tflite.distillation import DistillationSettings
    from tflite.export import Export, ExportSettings
    from tflite.qat import QatSettings
    from tflite.representative import LabelledImages
    from tflite.sidecar import Origin


def add_parser(subparsers: Any) -> None:
    """Adds the command."""
    parser = subparsers.add_parser("export", help="make a trained model ready for the device")
    parser.set_defaults(run=run)
    parser.add_argument(
        "directory", nargs="?", type=Path, metavar="RUN", help="default: the newest finished run"
    )
    parser.add_argument(
        "--runs-folder", type=Path, default=Path("runs"), help="where runs are (default: runs)"
    )
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help="where the bundles go (default: RUN/tflite)"
    )
    parser.add_argument(
        "--data-root", type=Path, metavar="FOLDER", help="where the run's images are now"
    )
    parser.add_argument(
        "--allow-mismatch",
        action="store_true",
        help="keep the export even where it answers too differently from the trained model",
    )
    _add_cures(parser)
    _add_numbers(parser)


def _add_numbers(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--quantization",
        action="append",
        metavar="NAME",
        help="float32, float16, dynamic_int8, int8_full, int8_qat, int16x8 or recommended (the "
        "default: int8_full, or dynamic_int8 where int8 would be slower); may be repeated; "
        "float32 is always written too",
    )
    parser.add_argument(
        "--representative-images",
        type=int,
        default=200,
        metavar="N",
        help="training images that calibrate, spread over the classes (default 200)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the draw of these images")
    parser.add_argument(
        "--validation-images",
        type=int,
        metavar="N",
        help="compare on so many validation images only (default: all)",
    )
    parser.add_argument(
        "--runs",
        type=int,
        default=50,
        metavar="N",
        help="measured inferences of each model and thread count; 0 leaves latency out",
    )
    parser.add_argument(
        "--threads",
        type=int,
        action="append",
        metavar="N",
        help="measure latency with N threads; may be repeated (default: 1 and 2)",
    )


def _add_cures(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--cure",
        default="none",
        metavar="NAME",
        help="what makes int8 more accurate: none (default), mse_calibration, "
        "percentile_calibration, bias_correction, equalization, activation_swap (swish, hard swish "
        "and GELU become ReLU6 and the network is trained to answer as before), "
        "quantization_aware_training, or auto: tries them in this order until the loss is at most "
        "0.3 points and the agreement at least 99 %%",
    )
    parser.add_argument(
        "--observer",
        default="min-max",
        metavar="NAME",
        help="range of an activation without a cure: min-max (default), percentile or mse",
    )
    parser.add_argument(
        "--percentile",
        type=float,
        default=99.99,
        metavar="P",
        help="share of the values, in per cent, that the percentile observer keeps",
    )
    parser.add_argument(
        "--float-layers",
        type=int,
        default=0,
        metavar="N",
        help="keep the N layers in float that int8 hurts most; costs speed",
    )
    parser.add_argument(
        "--fine-tune-epochs",
        type=int,
        metavar="N",
        help="length of the training that a cure needs (default: 3 for quantisation-aware "
        "training, 4 for activation_swap)",
    )
    parser.add_argument(
        "--fine-tune-rate",
        type=float,
        metavar="RATE",
        help="its highest learning rate (default: 3e-5 and 5e-4)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Exports, and prints parity, latency and where the bundles are."""
    from lab_models.evaluate import finish_report
    from lab_models.quiet import import_tensorflow_quietly
    from lab_models.runs import RunDirectory, newest_run

    settings = _settings(arguments)
    directory = (
        RunDirectory(arguments.directory)
        if arguments.directory
        else newest_run(arguments.runs_folder)
    )
    print(f"run: {directory.path}", flush=True)
    for needed in (directory.finished, directory.model):
        directory.require(needed)
    import_tensorflow_quietly()
    export = export_run(
        directory,
        settings,
        arguments.out,
        arguments.data_root,
        _qat_settings(arguments),
        _say,
        _distillation_settings(arguments),
    )
    print(f"\n{export.table()}")
    for name, cure in export.cures.items():
        print(f"cure of {name}: {cure}")
    for fault in export.faults:
        print(f"allowed mismatch: {fault}")
    for bundle in export.bundles:
        print(f"bundle: {bundle}")
    if arguments.out is None and directory.predictions.exists():
        # The report has a section on parity, which it can fill only now.
        finish_report(directory)
        print(f"report: {directory.report}")
    return 0


def export_run(
    directory: RunDirectory,
    settings: ExportSettings | None = None,
    folder: Path | None = None,
    data_root: Path | None = None,
    qat: QatSettings | None = None,
    say: Callable[[str], None] = print,
    distillation: DistillationSettings | None = None,
) -> Export:
    """Exports the model of a run (see `tflite.export.export_model`).

    Args:
        directory: A finished run.
        settings: None takes the defaults.
        folder: Where to; None takes the run's own ``tflite`` folder.
        data_root: Where the run's images are, if they are no longer where training found them.
        qat: How quantisation-aware training goes, where it is asked for; None takes the defaults.
        say: Called with a sentence before each long step.
        distillation: How the network is trained after its activations were swapped; None takes
            the defaults.

    Raises:
        LabError: If the run is unfinished or incomplete, its images are gone, or the export
            fails a check.
    """
    from lab_models.fine_tuning_data import run_manifest
    from lab_models.saved_model import load_model
    from tflite.export import export_model

    for needed in (directory.finished, directory.model):
        directory.require(needed)
    manifest = run_manifest(directory, data_root)
    model = load_model(directory)
    return export_model(
        model,
        directory.contract,
        directory.classes,
        _labelled(manifest, "train"),
        _labelled(manifest, "validation"),
        folder or directory.tflite,
        settings,
        _origin(directory),
        say,
        _retraining(directory, data_root, model, qat, distillation, say),
    )


def _retraining(
    directory: RunDirectory,
    data_root: Path | None,
    model: Any,
    qat: QatSettings | None,
    distillation: DistillationSettings | None,
    say: Callable[[str], None],
) -> Retraining:
    """The trainings of cures, on the run's own batches, which are made once and if needed."""
    from functools import cache

    from lab_models.fine_tuning_data import fine_tuning_data
    from tflite.cures.activation_swap import SwappedNetwork, retrain_swapped
    from tflite.cures.auto import Retraining
    from tflite.qat import convert_quantization_aware, fine_tune_quantization_aware

    batches = cache(lambda: fine_tuning_data(directory, data_root))

    def swap() -> SwappedNetwork:
        data = batches()
        return retrain_swapped(model, data.training, data.validation, data.steps, distillation, say)

    def train(images: np.ndarray) -> bytes:
        data = batches()
        result = fine_tune_quantization_aware(
            model, data.training, data.validation, images, data.steps, qat, say
        )
        return convert_quantization_aware(result, images)

    return Retraining(swap, train)


def _say(sentence: str) -> None:
    print(sentence, flush=True)


def _settings(arguments: argparse.Namespace) -> ExportSettings:
    from tflite.benchmark import BenchmarkSettings
    from tflite.calibration import CalibrationSettings
    from tflite.convert import PostTraining
    from tflite.export import ExportSettings
    from tflite.representative import RepresentativeSettings

    benchmark = None
    if arguments.runs > 0:
        benchmark = BenchmarkSettings(tuple(arguments.threads or (1, 2)), runs=arguments.runs)
    return ExportSettings(
        quantization=tuple(arguments.quantization or ("recommended",)),
        representative=RepresentativeSettings(arguments.representative_images, arguments.seed),
        post_training=PostTraining(
            CalibrationSettings(arguments.observer, arguments.percentile, seed=arguments.seed),
            float_layers=arguments.float_layers,
        ),
        cure=arguments.cure,
        benchmark=benchmark,
        validation_images=arguments.validation_images,
        allow_mismatch=arguments.allow_mismatch,
    )


def _qat_settings(arguments: argparse.Namespace) -> QatSettings:
    from tflite.qat import QatSettings

    return QatSettings(**_fine_tune_options(arguments))


def _distillation_settings(arguments: argparse.Namespace) -> DistillationSettings:
    from tflite.distillation import DistillationSettings

    return DistillationSettings(**_fine_tune_options(arguments))


def _fine_tune_options(arguments: argparse.Namespace) -> dict[str, Any]:
    given = {"epochs": arguments.fine_tune_epochs, "learning_rate": arguments.fine_tune_rate}
    return {name: value for name, value in given.items() if value is not None}


def _labelled(manifest: Manifest, split: str) -> LabelledImages:
    from tflite.representative import LabelledImages

    rows = manifest.rows(split)
    return LabelledImages(
        tuple(manifest.path(row) for row in rows), manifest.label_ids[rows], manifest.root
    )


def _origin(directory: RunDirectory) -> Origin:
    from lab_models.runs import read_json
    from tflite.sidecar import Origin

    recipe = read_json(directory.recipe_json) if directory.recipe_json.exists() else {}
    metrics = read_json(directory.metrics) if directory.metrics.exists() else {}
    return Origin(
        recipe=str(recipe.get("name", directory.path.parent.name)),
        metrics=_plain_figures(metrics),
    )


def _plain_figures(metrics: dict[str, Any]) -> dict[str, Any]:
    """The single numbers of every split: a sidecar is no report."""
    return {
        split: {k: v for k, v in figures.items() if isinstance(v, (int, float))}
        for split, figures in metrics.get("splits", {}).items()
    }
