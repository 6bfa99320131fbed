"""``lab-models compress``: prune or cluster a finished run's network, and see what it costs."""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras
    import numpy as np

    from lab_models.runs import RunDirectory
    from tflite.compress import Compressed, FineTuning, Variant

Say = Callable[[str], None]


@dataclass(frozen=True)
class CompressionPlan:
    """What is tried.

    Args:
        sparsities: Shares of zero weights; a pruned network each.
        clusters: Numbers of shared values; a clustered network each.
        epochs: Of each training.
        learning_rate: At its first step.
        distillation: See `tflite.fine_tuning.FineTuneSettings`.
        steps: Batches an epoch; None takes as many as the run had.
        representative_images: Training images that calibrate int8.
        seed: Of their draw.
    """

    sparsities: tuple[float, ...] = ()
    clusters: tuple[int, ...] = ()
    epochs: int = 3
    learning_rate: float = 5e-4
    distillation: float = 0.5
    steps: int | None = None
    representative_images: int = 200
    seed: int = 0


def add_parser(subparsers: Any) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "compress", help="prune or cluster a trained model, with accuracy and size"
    )
    parser.set_defaults(run=run)
    plan = CompressionPlan()
    parser.add_argument(
        "directory", nargs="?", type=Path, metavar="RUN", help="default: the newest finished run"
    )
    parser.add_argument(
        "--runs-folder", type=Path, default=Path("runs"), help="where runs are (default: runs)"
    )
    parser.add_argument(
        "--sparsity", type=float, action="append", metavar="SHARE",
        help="prune so many of each kernel's weights, 0..1; may be repeated (default: 0.5, "
        "unless --clusters is given)",
    )  # fmt: skip
    parser.add_argument(
        "--clusters", type=int, action="append", metavar="N",
        help="let each kernel's weights share N values; may be repeated",
    )  # fmt: skip
    parser.add_argument("--epochs", type=int, default=plan.epochs, help="of each training")
    parser.add_argument(
        "--steps", type=int, metavar="N", help="batches an epoch (default: as in the run)"
    )
    parser.add_argument("--learning-rate", type=float, default=plan.learning_rate, metavar="RATE")
    parser.add_argument(
        "--distillation", type=float, default=plan.distillation, metavar="SHARE",
        help="share of the target that the trained model's own scores make up, 0..1",
    )  # fmt: skip
    parser.add_argument(
        "--representative-images", type=int, default=plan.representative_images, metavar="N"
    )
    parser.add_argument("--seed", type=int, default=plan.seed, help="of the draw of these images")
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help="where the models go (default: RUN/compressed)"
    )
    parser.add_argument(
        "--data-root", type=Path, metavar="FOLDER", help="where the run's images are now"
    )


def run(arguments: argparse.Namespace) -> int:
    """Compresses, prints the table, and says where the models are."""
    from lab_models.quiet import import_tensorflow_quietly
    from lab_models.runs import RunDirectory, newest_run
    from tflite.compress import compression_table

    plan = _plan(arguments)
    directory = (
        RunDirectory(arguments.directory)
        if arguments.directory
        else newest_run(arguments.runs_folder)
    )
    for needed in (directory.finished, directory.model):
        directory.require(needed)
    print(f"run: {directory.path}", flush=True)
    import_tensorflow_quietly()
    folder = arguments.out or directory.path / "compressed"
    variants = compress_run(directory, plan, folder, arguments.data_root, _say)
    print(f"\n{compression_table(variants)}")
    print(f"models and table: {folder}")
    return 0


def _say(sentence: str) -> None:
    print(sentence, flush=True)


def _plan(arguments: argparse.Namespace) -> CompressionPlan:
    clusters = tuple(arguments.clusters or ())
    sparsities = tuple(arguments.sparsity or (() if clusters else (0.5,)))
    return CompressionPlan(
        sparsities,
        clusters,
        arguments.epochs,
        arguments.learning_rate,
        arguments.distillation,
        arguments.steps,
        arguments.representative_images,
        arguments.seed,
    )


def compress_run(
    directory: RunDirectory,
    plan: CompressionPlan,
    folder: Path,
    data_root: Path | None = None,
    say: Say = print,
) -> list[Variant]:
    """Compresses a finished run's network in every way of a plan.

    Writes, each file whole or not at all, ``<variant>.keras``, ``<variant>_<recipe>.tflite`` and,
    after each variant, ``compression.csv``.

    Args:
        directory: A finished run with its images.
        plan: What is tried.
        folder: Where the files go.
        data_root: Where the images are now; None takes the folder they were in.
        say: Takes one line of progress at a time.

    Returns:
        The float32 and the int8 file of the network as it was trained, then of every variant.

    Raises:
        LabError: If the run, its images or the plan do not do.
    """
    from lab_models.saved_model import load_model
    from tflite.compress import measure

    work = _ways(plan)  # a bad number is noticed before anything is computed
    model = load_model(directory)
    representative, accuracy = _images(directory, plan, data_root)
    variants: list[Variant] = []
    say("as trained")
    _keep(folder, "trained", None, measure("trained", model, representative, accuracy), variants)
    tuning = _tuning(directory, plan, data_root, say)
    for name, compress, settings in work:
        say(name)
        compressed = compress(model, tuning, settings).model
        files = measure(name, compressed, representative, accuracy)
        _keep(folder, name, compressed, files, variants)
    return variants


def _ways(plan: CompressionPlan) -> list[tuple[str, Callable[[Any, Any, Any], Compressed], Any]]:
    """Name, function and settings of each variant."""
    from tflite.compress import ClusteringSettings, PruningSettings, cluster, prune

    pruned = [(f"pruned_{s:g}", prune, PruningSettings(s)) for s in plan.sparsities]
    clustered = [(f"clustered_{n}", cluster, ClusteringSettings(n)) for n in plan.clusters]
    return [*pruned, *clustered]


def _tuning(
    directory: RunDirectory, plan: CompressionPlan, data_root: Path | None, say: Say
) -> FineTuning:
    from lab_models.fine_tuning_data import fine_tuning_data
    from tflite.compress import TUNING, FineTuning

    settings = replace(
        TUNING,
        epochs=plan.epochs,
        learning_rate=plan.learning_rate,
        distillation=plan.distillation,
    )
    data = fine_tuning_data(directory, data_root)
    return FineTuning(data.training, data.validation, plan.steps or data.steps, settings, say)


def _images(
    directory: RunDirectory, plan: CompressionPlan, data_root: Path | None
) -> tuple[np.ndarray, Callable[[bytes], float]]:
    """The representative images, and a function that gives a file's accuracy on validation."""
    import numpy as np

    from lab_models.fine_tuning_data import run_manifest
    from tflite.representative import RepresentativeSettings, choose_representative, load_images
    from tflite.runtime.interpreter import TensorRunner

    manifest = run_manifest(directory, data_root)
    rows, held_back = manifest.rows("train"), manifest.rows("validation")
    chosen = choose_representative(
        manifest.label_ids[rows],
        manifest.classes,
        RepresentativeSettings(plan.representative_images, plan.seed),
    )
    contract = directory.contract
    representative = load_images([manifest.path(row) for row in rows[chosen]], contract)
    validation = load_images([manifest.path(row) for row in held_back], contract)
    truth = manifest.label_ids[held_back]

    def accuracy(content: bytes) -> float:
        answer = TensorRunner(content)
        return float(np.mean([answer(i).argmax() == t for i, t in zip(validation, truth)]))

    return representative, accuracy


def _keep(
    folder: Path,
    name: str,
    model: keras.Model | None,
    files: tuple[Variant, ...],
    variants: list[Variant],
) -> None:
    from tflite.compress import COLUMNS, table_rows
    from tflite.runtime.files import whole_file, write_whole

    variants += files
    for variant in files:
        write_whole(folder / f"{name}_{variant.recipe}.tflite", variant.content)
    if model is not None:
        with whole_file(folder / f"{name}.keras") as path:
            model.save(path)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([[c.replace(" ", "_") for c in COLUMNS], *table_rows(variants)])
    write_whole(folder / "compression.csv", text.getvalue())
