"""A trained classifier made ready for the device: converted, compared, measured, bundled."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tflite.benchmark import (
    BenchmarkSettings,
    Latency,
    latency_table,
    measure_latency,
    write_latency,
)
from tflite.bundle import write_bundle
from tflite.compare import (
    Parity,
    ParityError,
    ParityThresholds,
    compare_scores,
    parity_faults,
)
from tflite.conversion_checks import ConversionChecks
from tflite.convert import PostTraining
from tflite.cures.auto import NONE, Aim, Cured, Retraining, cure_names, named_cure
from tflite.make_files import FileMaker
from tflite.parity_files import parity_table, scores_table, write_parity
from tflite.quantization_recipes import (
    FLOAT32,
    INT8_FULL,
    QuantizationRecipe,
    quantization_recipe,
)
from tflite.representative import (
    LabelledImages,
    RepresentativeSettings,
    choose_representative,
    load_images,
)
from tflite.rewrites import recommended_quantization
from tflite.runtime.contract import InputContract
from tflite.runtime.errors import LabError
from tflite.runtime.scores import softmax
from tflite.score_calibration import (
    ScoreCalibration,
    ScoreCalibrationSettings,
    calibrate_scores,
)
from tflite.sidecar import Origin, make_sidecar

if TYPE_CHECKING:
    import keras

Say = Callable[[str], None]

# Written first into every export, and by it an older export is known and may be replaced.
_MARK = "parity.json"
RECOMMENDED = "recommended"
# Recipes that no cure is for.
_UNCURED = frozenset({"float32", "float16", "dynamic_int8", "int16x8"})


@dataclass(frozen=True)
class ExportSettings:
    """What is exported and what it must live up to.

    Args:
        quantization: Names of quantisation recipes; ``"recommended"`` is ``int8_full``, or what
            `tflite.rewrites.recommend` names for a network that int8 would slow down.
            ``float32`` is always exported too, as the
            reference on the device.
        representative: Which training images calibrate.
        post_training: What ``int8_full`` does besides rounding, where no cure is asked for.
        cure: For ``int8_full``: a name of `tflite.cures.auto.cure_names`; ``"auto"`` tries them
            in order of cost until `aim` is reached.
        aim: What ends that search.
        checks: Limits right after conversion.
        thresholds: Limits on the validation images.
        scores: How temperature and rejection thresholds of each file are found.
        of_interest: Classes whose flipped images stand first in the parity tables.
        benchmark: How latency is measured; None leaves it out.
        validation_images: At most so many validation images are compared, drawn evenly over the
            classes; None takes all.
        allow_mismatch: Keep an export that is beyond `thresholds`. It is recorded in the
            sidecar. `checks` hold in any case.

    Raises:
        LabError: If the name of a quantisation recipe or of a cure is unknown.
    """

    quantization: tuple[str, ...] = (RECOMMENDED,)
    representative: RepresentativeSettings = field(default_factory=RepresentativeSettings)
    post_training: PostTraining = field(default_factory=PostTraining)
    cure: str = NONE
    aim: Aim = field(default_factory=Aim)
    checks: ConversionChecks = field(default_factory=ConversionChecks)
    thresholds: ParityThresholds = field(default_factory=ParityThresholds)
    scores: ScoreCalibrationSettings = field(default_factory=ScoreCalibrationSettings)
    of_interest: tuple[str, ...] = ("hairy_cell",)
    benchmark: BenchmarkSettings | None = field(default_factory=BenchmarkSettings)
    validation_images: int | None = None
    allow_mismatch: bool = False

    def __post_init__(self) -> None:
        for name in self.quantization:
            if name != RECOMMENDED:
                quantization_recipe(name)
        if self.cure not in cure_names():
            raise LabError(f"No cure {self.cure!r}. There are: {', '.join(cure_names())}.")


@dataclass(frozen=True)
class Export:
    """What an export left.

    Args:
        folder: Holds everything.
        bundles: The ``.tflite`` files, float32 first.
        parity: The comparison on the validation images.
        faults: What was beyond the thresholds and allowed; empty where all is well.
        scores: Temperature and rejection of each file, by quantisation recipe.
        cures: What was done to each int8 file, by quantisation recipe.
        latency: The measurements; empty if not asked for.
    """

    folder: Path
    bundles: tuple[Path, ...]
    parity: Parity
    faults: tuple[str, ...]
    scores: Mapping[str, ScoreCalibration]
    cures: Mapping[str, str]
    latency: tuple[Latency, ...]

    def table(self) -> str:
        """Parity and latency as Markdown that reads well in a terminal."""
        parts = [parity_table(self.parity), scores_table(self.scores)]
        if self.latency:
            parts.append(latency_table(self.latency))
        return "\n".join(parts)


def export_model(
    model: keras.Model,
    contract: InputContract,
    labels: Sequence[str],
    training: LabelledImages,
    validation: LabelledImages,
    folder: Path,
    settings: ExportSettings | None = None,
    origin: Origin | None = None,
    say: Say = lambda text: None,
    retraining: Retraining | None = None,
) -> Export:
    """Converts, compares, measures and writes; the folder appears whole or not at all.

    It holds ``model_<recipe>.tflite`` with copies of sidecar and labels beside each,
    ``parity.json``, ``parity.csv``, ``parity.md`` and ``latency.csv``.

    Args:
        model: Functional classifier, float32 pixel values 0..255 in, softmax scores out.
        contract: Its input contract.
        labels: Class names in the order of the scores.
        training: The training split; calibration images come from it.
        validation: The images that are compared.
        folder: Where to. An older export there is replaced at the end.
        settings: None takes the defaults.
        origin: Recipe and metrics for the sidecar.
        say: Called with a sentence before each long step.
        retraining: The trainings that ``int8_qat`` and some of the cures need; without, cures
            that train are left out of the search.

    Raises:
        LabError: If the model and its contract disagree, a file fails a check, the parity
            thresholds are missed, or `folder` is something else than an export.
    """
    settings, origin = settings or ExportSettings(), origin or Origin()
    _check_parts(model, contract, labels, folder)
    positions = choose_representative(training.label_ids, labels, settings.representative)
    say(f"reading {len(positions)} representative images")
    representative = load_images(
        training.take(positions).paths, contract, settings.representative.workers
    )
    compared = _limit(validation, labels, settings)
    maker = FileMaker(model, representative, compared, contract, settings.checks, retraining, say)
    reference = maker.make(FLOAT32, settings.post_training, NONE, settings.aim)
    recipes = _recipes(settings, reference.content, say)
    made = {FLOAT32.name: reference}
    for recipe in recipes[1:]:
        made[recipe.name] = maker.make(recipe, settings.post_training, settings.cure, settings.aim)
    files = {name: cured.content for name, cured in made.items()}
    say(f"comparing on {len(compared)} validation images")
    logits = maker.logits(files)
    answers = {name: softmax(values) for name, values in logits.items()}
    parity = compare_scores(answers, compared, labels, settings.of_interest)
    faults = _judge(parity, settings)
    scores = {
        name: calibrate_scores(logits[name], compared.label_ids, labels, settings.scores)
        for name in files
    }
    latency = _measure(files, representative[0], settings, say)
    calibration = _describe(training.label_ids[positions], labels, settings)
    with _whole_folder(folder) as temporary:
        write_parity(temporary, parity, answers, compared, labels, faults, _more(made, scores))
        if latency:
            write_latency(temporary / "latency.csv", latency)
        for recipe in recipes:
            sidecar = make_sidecar(
                files[recipe.name],
                contract,
                labels,
                recipe,
                origin,
                _calibration(calibration, made[recipe.name]) if recipe.calibrated else None,
                _parity_figures(parity, recipe, faults),
                scores[recipe.name],
            )
            path = temporary / f"{recipe.file_stem}.tflite"
            write_bundle(path, files[recipe.name], sidecar)
    bundles = tuple(folder / f"{recipe.file_stem}.tflite" for recipe in recipes)
    cures = {name: cured.cure for name, cured in made.items() if name not in _UNCURED}
    return Export(folder, bundles, parity, tuple(faults), scores, cures, latency)


def _recipes(
    settings: ExportSettings, reference: bytes, say: Say
) -> tuple[QuantizationRecipe, ...]:
    """The quantisation recipes, ``float32`` first, each once."""
    found = [FLOAT32]
    for name in settings.quantization:
        if name == RECOMMENDED:
            recommendation = recommended_quantization(reference)
            name = recommendation.recipe
            if name != INT8_FULL.name:
                say(f"{name} instead of {INT8_FULL.name}: {recommendation.reason}")
        found.append(quantization_recipe(name))
    return tuple(dict.fromkeys(found))


def _more(made: Mapping[str, Cured], scores: Mapping[str, ScoreCalibration]) -> dict[str, Any]:
    """What ``parity.json`` says besides parity."""
    return {
        "cures": {name: _cure(cured) for name, cured in made.items() if name not in _UNCURED},
        "score_calibration": {
            name: {
                "temperature": found.temperature,
                "calibration_error": found.before.expected_calibration_error,
                "calibrated_error": found.after.expected_calibration_error,
                "coverage": found.coverage,
                "selective_accuracy": found.selective_accuracy,
            }
            for name, found in scores.items()
        },
    }


def _cure(cured: Cured) -> dict[str, Any]:
    tried = [attempt.to_dict() for attempt in cured.attempts]
    training = {"training": dict(cured.training)} if cured.training else {}
    return {"cure": cured.cure, "tried": tried, **training}


def _calibration(described: Mapping[str, Any], cured: Cured) -> dict[str, Any]:
    """How one file was calibrated: a cure has an observer of its own, or trained ranges."""
    if cured.cure == NONE:
        return {**described, **_cure(cured)}
    post_training = named_cure(cured.cure).post_training
    observer = "trained" if post_training is None else post_training.calibration.observer
    return {**described, "observer": observer, **_cure(cured)}


def _measure(
    files: dict[str, bytes], image: np.ndarray, settings: ExportSettings, say: Say
) -> tuple[Latency, ...]:
    if settings.benchmark is None:
        return ()
    say("measuring latency")
    return measure_latency(files, image, settings.benchmark)


def _parity_figures(
    parity: Parity, recipe: QuantizationRecipe, faults: Sequence[str]
) -> dict[str, Any]:
    own = [fault for fault in faults if fault.startswith(f"{recipe.name}:")]
    return {**parity.variant(recipe.name).summary(), "images": parity.images, "faults": own}


def _check_parts(
    model: keras.Model, contract: InputContract, labels: Sequence[str], folder: Path
) -> None:
    shape, classes = tuple(model.inputs[0].shape[1:]), int(model.outputs[0].shape[-1])
    if shape != contract.shape:
        raise LabError(
            f"The model takes images of shape {shape}, its input contract says {contract.shape}; "
            "they are not of the same run."
        )
    if classes != len(labels):
        raise LabError(
            f"The model gives {classes} scores, but there are {len(labels)} labels; they are not "
            "of the same run."
        )
    if folder.exists() and not (folder / _MARK).exists() and any(folder.iterdir()):
        raise LabError(
            f"{folder} is not empty and no older export (it has no {_MARK}); it is left alone. "
            "Name another folder."
        )


def _limit(
    validation: LabelledImages, labels: Sequence[str], settings: ExportSettings
) -> LabelledImages:
    if settings.validation_images is None or settings.validation_images >= len(validation):
        return validation
    present = np.unique(validation.label_ids)
    if settings.validation_images < len(present):
        raise LabError(
            f"At least one validation image of each of the {len(present)} classes is compared, "
            f"got validation_images={settings.validation_images}."
        )
    # Classes without a validation image are shown as such by the comparison.
    renumbered = np.searchsorted(present, validation.label_ids)
    drawn = choose_representative(
        renumbered,
        [labels[i] for i in present],
        RepresentativeSettings(settings.validation_images, settings.representative.seed),
    )
    return validation.take(np.sort(drawn))


def _judge(parity: Parity, settings: ExportSettings) -> list[str]:
    faults = parity_faults(parity, settings.thresholds)
    if faults and not settings.allow_mismatch:
        raise ParityError(
            f"The export is too far from the Keras model: {'; '.join(faults)}. Nothing was "
            "written. Try --cure auto, calibrate with more images, or keep it as it is with "
            "--allow-mismatch.\n\n"
            f"{parity_table(parity)}"
        )
    return faults


def _describe(
    label_ids: np.ndarray, labels: Sequence[str], settings: ExportSettings
) -> dict[str, Any]:
    counts = np.bincount(label_ids, minlength=len(labels))
    return {
        "images": len(label_ids),
        "split": "train",
        "observer": settings.post_training.calibration.observer,
        "seed": settings.representative.seed,
        "per_class": {label: int(count) for label, count in zip(labels, counts, strict=True)},
    }


@contextmanager
def _whole_folder(folder: Path) -> Iterator[Path]:
    """Gives a temporary folder beside `folder`; on success it takes its place."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        new, old = work / "new", work / "old"
        new.mkdir()  # with the rights of any new folder, which mkdtemp does not give
        yield new
        if folder.exists():
            folder.rename(old)
        try:
            new.rename(folder)
        except OSError:
            if old.exists():
                old.rename(folder)
            raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
