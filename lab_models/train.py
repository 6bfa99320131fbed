"""From a recipe and a data set to a finished run."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lab_models.class_batches import check_batches
from lab_models.environment import describe_environment
from lab_models.recipe_data import check_given_split, read_data
from lab_models.recipes import Recipe, differences, get_recipe, list_recipes
from lab_models.runs import (
    RunDirectory,
    RunError,
    discard_run,
    new_run,
    read_json,
    write_json,
)
from lab_models.start_from import check_start, copy_start, load_start
from lab_models.training_features import save_training_features
from pipelines.image_cache import ImageCache
from pipelines.manifest import Manifest, read_manifest, write_manifest
from pipelines.quarantine import split_off_unreadable, write_quarantine
from pipelines.smear import smears_digest, write_smears
from pipelines.split import describe_split, split_manifest
from tflite.runtime.contract import InputContract
from tflite.runtime.errors import LabError
from tflite.runtime.files import whole_file

if TYPE_CHECKING:
    import keras

    from lab_models.networks import Networks

Say = Callable[[str], None]
HELD_BACK = ("validation", "test")


@dataclass(frozen=True)
class Prepared:
    """A data set that is ready to be trained on.

    Args:
        manifest: With the split; its classes are the network's.
        contract: The network's input contract.
        cache: Decoded images.
    """

    manifest: Manifest
    contract: InputContract
    cache: ImageCache


def start_run(
    recipe: Recipe,
    data: Path | Manifest | None,
    runs_folder: Path,
    *,
    smears_folder: Path = Path("data"),
    earlier: RunDirectory | None = None,
    say: Say = print,
) -> RunDirectory:
    """Reads and splits the data, and lays down a run directory that `go_on` can train.

    Args:
        recipe: What to train.
        data: Any data set that `pipelines.datasets` reads, or a manifest of it or of a part of
            it (its labels are mapped if the recipe says so and they are not yet); None draws
            synthetic smears.
        runs_folder: Usually ``runs``.
        smears_folder: Where synthetic smears are kept for the next run.
        earlier: A run whose encoder, and projection head where both have one, this run starts
            from.
        say: Takes one line of progress at a time.

    Raises:
        LabError: If the recipe or the data are not fit to train; nothing is left behind.
    """
    started = time.perf_counter()
    manifest = read_data(recipe, data or draw_smears(recipe, smears_folder, say))
    manifest, quarantine = split_off_unreadable(manifest)
    say(f"read {len(manifest):,} images in {len(manifest.classes)} classes from {manifest.root}")
    if len(quarantine):
        say(f"{len(quarantine)} files cannot be read and are left out; see quarantine.csv")
    check_given_split(recipe, manifest)
    settings = dataclasses.replace(recipe.data.split, seed=recipe.seed)
    manifest = split_manifest(manifest, settings)
    statement = describe_split(manifest, settings)
    say(statement)
    _check_counts(manifest, recipe, say)
    if earlier is not None:
        check_start(recipe, manifest, earlier)
    contract = _contract(recipe)
    run = new_run(runs_folder, recipe.name)
    try:
        write_json(run.contract_json, {"classes": manifest.classes, "input": contract.to_dict()})
        write_manifest(manifest, run.manifest)
        write_quarantine(quarantine, run.quarantine)
        _write_environment(run, recipe, manifest, statement, time.perf_counter() - started)
        if earlier is not None:
            copy_start(earlier, run)
        # Last, because a directory with a recipe counts as a run that can go on.
        write_json(run.recipe_json, recipe.to_dict())
    except BaseException:
        discard_run(run)
        raise
    return run


def go_on(
    run: RunDirectory, *, callbacks: tuple[keras.callbacks.Callback, ...] = (), say: Say = print
) -> dict[str, Any]:
    """Trains a run from wherever it stands to its report.

    Args:
        run: From `start_run`, stopped at any time since.
        callbacks: Further Keras callbacks.
        say: Takes one line of progress at a time.

    Returns:
        The metrics of the report.

    Raises:
        LabError: If the run's files or images are missing, or the training diverges.
    """
    import keras

    from lab_models.evaluate import finish_report
    from lab_models.phase_data import PhaseData
    from lab_models.phases import run_phases
    from lab_models.progress import Progress

    recipe = load_recipe(run)
    if run.finished.exists():
        raise RunError(f"The run {run.path} is finished already; see {run.report}.")
    started = time.perf_counter()
    prepared = _prepare(run, recipe)
    keras.utils.set_random_seed(recipe.seed)
    networks = _build(recipe, prepared)
    load_start(run, networks)
    classifier = networks.classifier
    epochs = sum(phase.epochs for phase in recipe.phases)
    say(
        f"{recipe.name}: {recipe.backbone} at {prepared.contract.height} x "
        f"{prepared.contract.width} px, {classifier.model.count_params():,} parameters, "
        f"at most {epochs} epochs"
    )
    data_for = PhaseData(recipe, prepared.manifest, prepared.cache, networks, run, say)
    progress = Progress(epochs, done_epochs=_epochs_done(run))
    run_phases(networks, recipe, data_for, run, (progress, *callbacks))
    _save_results(run, networks, prepared, recipe)
    save_training_features(
        run,
        encoder=classifier.encoder,
        manifest=prepared.manifest,
        cache=prepared.cache,
        batch_size=recipe.batch_size,
    )
    metrics = finish_report(run)
    _add_duration(run, "training_seconds", time.perf_counter() - started)
    run.finished.touch()
    return metrics


def load_recipe(run: RunDirectory) -> Recipe:
    """The recipe that a run was started with.

    Raises:
        LabError: If it is missing or was altered beyond reading.
    """
    return Recipe.from_dict(read_json(run.require(run.recipe_json)))


def draw_smears(recipe: Recipe, folder: Path, say: Say = print) -> Path:
    """Draws the recipe's synthetic smears unless they are there; gives their folder."""
    smears = recipe.data.smears
    # The digest keeps every set of settings, and every version of the drawing, in a folder of
    # its own, so that a changed setting never meets older images.
    root = folder / f"smears_{smears.images}_{smears.size}px_{smears_digest(smears)}"
    say(f"synthetic smears: {smears.images:,} images of {smears.size} px in {root}")
    write_smears(root, smears, progress=_say_fifths(say))
    return root


def _say_fifths(say: Say) -> Callable[[int, int], None]:
    """Reports each fifth of a long count once."""
    said = 0

    def progress(done: int, total: int) -> None:
        nonlocal said
        fifths = 5 * done // max(total, 1)
        if fifths > said:
            said = fifths
            say(f"drew {done:,} of {total:,}")

    return progress


def _check_counts(manifest: Manifest, recipe: Recipe, say: Say) -> None:
    if len(manifest.classes) < 2:
        raise LabError(
            f"The data holds the single class {list(manifest.classes)}; a classifier needs two. "
            "Is the folder one level too deep?"
        )
    for phase in recipe.phases:
        if phase.watches_validation and not len(manifest.rows("validation")):
            raise LabError(
                f"Phase {phase.name!r} watches the validation loss, but there are no validation "
                "images. Set data.split.validation above 0, or run the phase with a fixed length."
            )
        check_batches(recipe, phase, manifest, say)


def _contract(recipe: Recipe) -> InputContract:
    from lab_models.backbones import backbone_spec

    return backbone_spec(recipe.backbone).contract(**dataclasses.asdict(recipe.input))


def _write_environment(
    run: RunDirectory, recipe: Recipe, manifest: Manifest, statement: str, seconds: float
) -> None:
    # A recipe of the user's own has nothing to differ from.
    known = recipe.name in list_recipes()
    changes = differences(recipe, get_recipe(recipe.name)) if known else {}
    write_json(
        run.environment,
        {
            **describe_environment(),
            "data_root": str(manifest.root.resolve()),
            "split_statement": statement,
            "seed": recipe.seed,
            "changes": {k: {"recipe": a, "run": b} for k, (a, b) in changes.items()},
            "durations": {"data_seconds": round(seconds, 1)},
        },
    )


def _add_duration(run: RunDirectory, name: str, seconds: float) -> None:
    environment = read_json(run.environment)
    durations = environment["durations"]
    # A resumed run adds to what was spent before.
    durations[name] = round(durations.get(name, 0.0) + seconds, 1)
    write_json(run.environment, environment)


def _prepare(run: RunDirectory, recipe: Recipe) -> Prepared:
    root = Path(read_json(run.require(run.environment))["data_root"])
    if not root.is_dir():
        raise RunError(f"The images of {run.path} are no longer at {root}; put them back.")
    manifest = read_manifest(run.require(run.manifest), classes=run.classes, root=root)
    cache = ImageCache(manifest, run.contract, recipe.data.cache_megabytes)
    return Prepared(manifest, run.contract, cache)


def _build(recipe: Recipe, prepared: Prepared) -> Networks:
    from lab_models.networks import build_networks

    with _precision(recipe.precision):
        return build_networks(recipe, prepared.contract, prepared.manifest.classes)


@contextmanager
def _precision(policy: str) -> Iterator[None]:
    """Builds layers under a dtype policy and puts the old one back.

    Keras reads the policy when a layer is made; ``keras.applications`` offers no other way.
    """
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _epochs_done(run: RunDirectory) -> int:
    from lab_models.checkpoint import load_state

    path = run.checkpoints / "state.npz"
    return len(load_state(path).history) if path.exists() else 0


def _save_results(
    run: RunDirectory, networks: Networks, prepared: Prepared, recipe: Recipe
) -> None:
    import keras

    from lab_models.networks import without_optimizer
    from lab_models.predict import predict_rows

    classifier = networks.classifier
    # A frozen last phase is no property of the network: whoever loads it may train it.
    for layer in classifier.model.layers:
        layer.trainable = True
    if networks.projection is not None:
        with whole_file(run.projection) as temporary:
            without_optimizer(networks.projection).save(temporary)
    for model, path in ((classifier.model, run.model), (classifier.encoder, run.encoder)):
        with whole_file(path) as temporary:
            # A new model of the same layers carries no optimiser: a third of the size, and it
            # loads where our schedules are not known.
            keras.Model(model.input, model.output, name=model.name).save(temporary)
    manifest = prepared.manifest
    rows = np.concatenate([manifest.rows(split) for split in HELD_BACK])
    if not len(rows):
        raise LabError("There are no validation and no test images; nothing can be evaluated.")
    table, features = predict_rows(
        classifier.model,
        classifier.encoder,
        manifest,
        rows,
        prepared.contract,
        manifest.classes,
        recipe.batch_size,
        prepared.cache,
    )
    with whole_file(run.predictions) as temporary:
        table.to_csv(temporary, index=False, float_format="%.7g")
    with whole_file(run.features) as temporary, temporary.open("wb") as file:
        np.savez(file, index=rows, features=features)
