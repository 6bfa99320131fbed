"""``lab-models onnx``: a finished run's network as an ONNX file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lab_models.runs import RunDirectory
    from tflite.onnx_export import OnnxComparison, OnnxSettings


def add_parser(subparsers: Any) -> None:
    """Adds the command."""
    parser = subparsers.add_parser("onnx", help="write a trained model as ONNX")
    parser.set_defaults(run=run)
    parser.add_argument(
        "directory", nargs="?", type=Path, metavar="RUN", help="default: the newest finished run"
    )
    parser.add_argument(
        "--runs-folder", type=Path, default=Path("runs"), help="where runs are (default: runs)"
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="the .onnx file (default: RUN/model.onnx)"
    )
    parser.add_argument("--opset", type=int, default=17, help="13 to 18 (default 17)")
    parser.add_argument(
        "--batch", type=int, metavar="N", help="fix the batch size (default: any number of images)"
    )
    parser.add_argument(
        "--images", type=int, default=8, metavar="N", help="random images compared (default 8)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of these images")


def run(arguments: argparse.Namespace) -> int:
    """Writes the file, and prints how it compares with the trained model."""
    from lab_models.quiet import import_tensorflow_quietly
    from lab_models.runs import RunDirectory, newest_run
    from tflite.onnx_export import OnnxSettings

    settings = OnnxSettings(
        arguments.opset, arguments.batch, images=arguments.images, seed=arguments.seed
    )
    directory = (
        RunDirectory(arguments.directory)
        if arguments.directory
        else newest_run(arguments.runs_folder)
    )
    for needed in (directory.finished, directory.model):
        directory.require(needed)
    print(f"run: {directory.path}", flush=True)
    import_tensorflow_quietly()
    path, comparison = onnx_run(directory, arguments.out, settings)
    print(comparison.sentence())
    print(f"written: {path}")
    return 0


def onnx_run(
    directory: RunDirectory, out: Path | None = None, settings: OnnxSettings | None = None
) -> tuple[Path, OnnxComparison]:
    """Writes the network of a run as ONNX, whole or not at all.

    Args:
        directory: A finished run.
        out: The file; None takes ``model.onnx`` in the run.
        settings: None takes the defaults.

    Returns:
        The file written, and the comparison with the trained model.

    Raises:
        LabError: If the run is unfinished or damaged, `out` has another suffix or is a folder, or
            the file answers otherwise than the trained model.
    """
    from lab_models.saved_model import load_model
    from tflite.onnx_export import OnnxError, export_onnx
    from tflite.runtime.files import write_whole

    path = out or directory.path / "model.onnx"
    if path.suffix != ".onnx" or path.is_dir():
        raise OnnxError(f"The name of a file ending in .onnx was expected, got {path}.")
    directory.require(directory.finished)
    content, comparison = export_onnx(
        load_model(directory), directory.contract, directory.classes, settings
    )
    write_whole(path, content)
    return path, comparison
