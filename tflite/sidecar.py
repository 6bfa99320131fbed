"""Makes the sidecar of a converted model. What stands in it: `tflite.runtime.sidecar`."""

from __future__ import annotations

import datetime
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tflite.quantization_recipes import QuantizationRecipe
from tflite.runtime.contract import InputContract
from tflite.runtime.interpreter import TensorRunner
from tflite.runtime.sidecar import Sidecar, labels_text, sha256

if TYPE_CHECKING:
    from tflite.score_calibration import ScoreCalibration

VERSIONED_PACKAGES = ("lab-models", "tensorflow", "keras", "ai-edge-litert", "numpy", "pillow")

INTENDED_USE = (
    "Research use. Pre-sorts photographed blood cells of the classes named, taken and cropped as "
    "the training images were; a person confirms every cell. Not for diagnosis, and not for "
    "other stains, cameras or crops without an evaluation on them."
)


@dataclass(frozen=True)
class Origin:
    """Where a model comes from.

    Args:
        recipe: Name of the training recipe.
        metrics: Figures of the trained model, by name.
        intended_use: In words.
        git_commit: Of the code that exports; None looks it up.
    """

    recipe: str = ""
    metrics: Mapping[str, Any] = field(default_factory=dict)
    intended_use: str = INTENDED_USE
    git_commit: str | None = None


def make_sidecar(
    model: bytes,
    contract: InputContract,
    labels: Sequence[str],
    quantization: QuantizationRecipe,
    origin: Origin,
    calibration: Mapping[str, Any] | None = None,
    parity: Mapping[str, Any] | None = None,
    scores: ScoreCalibration | None = None,
) -> Sidecar:
    """The sidecar of a converted model; quantisation and hashes are read from the model itself.

    Args:
        model: Content of the plain ``.tflite`` file.
        contract: The model's input contract.
        labels: Class names in the order of the logits.
        quantization: Recipe that the model was converted with.
        origin: Where the model comes from.
        calibration: How activations were calibrated.
        parity: Figures of this file against the Keras model.
        scores: Temperature and rejection thresholds of this file; None leaves the scores as
            they are and rejects nothing.
    """
    runner = TensorRunner(model)
    commit = find_git_commit() if origin.git_commit is None else origin.git_commit
    return Sidecar(
        input=contract,
        input_quantization=runner.input_quantization,
        output_quantization=runner.output_quantization,
        labels=tuple(labels),
        model_sha256=sha256(model),
        model_bytes=len(model),
        labels_sha256=sha256(labels_text(tuple(labels)).encode()),
        quantization_recipe=quantization.name,
        recipe=origin.recipe,
        versions=package_versions(),
        git_commit=commit,
        created=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        temperature=scores.temperature if scores else 1.0,
        rejection_thresholds=dict(scores.thresholds) if scores else {},
        score_calibration=scores.to_dict() if scores else {},
        calibration=dict(calibration or {}),
        metrics=dict(origin.metrics),
        parity=dict(parity or {}),
        intended_use=origin.intended_use,
    )


def package_versions() -> dict[str, str]:
    """Versions of the packages that take part in a conversion; missing ones are left out."""
    found = {}
    for name in VERSIONED_PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def find_git_commit(folder: Path | None = None) -> str:
    """The commit of this code, with ``-dirty`` appended where files were changed; "" unknown.

    Args:
        folder: Inside the repository; None takes the one this module is in.
    """
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            cwd=folder or Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
