"""Starting a run from the encoder, and the projection head, of an earlier one."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab_models.recipes import Recipe, RecipeError
from lab_models.runs import RunDirectory, RunError, read_json
from pipelines.manifest import Manifest, read_manifest
from pipelines.same_content import same_content
from tflite.runtime.files import whole_file

if TYPE_CHECKING:
    from lab_models.networks import Networks

MUST_AGREE = ("backbone", "input")
NAMED = 3


def without_phases(recipe: Recipe, names: tuple[str, ...]) -> Recipe:
    """The recipe without some of its phases.

    Args:
        recipe: Any recipe.
        names: Names of phases to leave out.

    Raises:
        RecipeError: If a name is no phase, or none would be left.
    """
    known = [phase.name for phase in recipe.phases]
    faults = [
        f"{name!r} is no phase of {recipe.name}; there are {', '.join(known)}"
        for name in names
        if name not in known
    ]
    if faults:
        raise RecipeError(faults)
    return dataclasses.replace(
        recipe, phases=tuple(phase for phase in recipe.phases if phase.name not in names)
    )


def check_start(recipe: Recipe, manifest: Manifest, earlier: RunDirectory) -> None:
    """Checks that a recipe can start from an earlier run, and learns nothing it must not know.

    Args:
        recipe: About to be trained.
        manifest: Its images, with their split.
        earlier: Whose encoder is to be taken.

    Raises:
        RunError: If the earlier run lacks an encoder, has another network, or was trained on
            images that are held back here.
    """
    earlier.require(earlier.encoder)
    theirs = Recipe.from_dict(read_json(earlier.require(earlier.recipe_json)))
    fields = list(MUST_AGREE)
    if recipe.compares_views and earlier.projection.exists():
        fields.append("projection")
    faults = [
        f"{name} is {_text(getattr(theirs, name))} there and {_text(getattr(recipe, name))} here"
        for name in fields
        if getattr(theirs, name) != getattr(recipe, name)
    ]
    if faults:
        raise RunError(
            f"The recipe {recipe.name} cannot start from {earlier.path}, a run of {theirs.name}: "
            + "; ".join(faults)
            + ". Take a run of the same network, or change the recipe with --set."
        )
    _check_leaks(manifest, earlier)


def _text(value: Any) -> str:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.asdict(value)
        return "(" + ", ".join(f"{key}={inner!r}" for key, inner in fields.items()) + ")"
    return repr(value)


def _check_leaks(manifest: Manifest, earlier: RunDirectory) -> None:
    root = Path(read_json(earlier.require(earlier.environment))["data_root"])
    theirs = read_manifest(
        earlier.require(earlier.manifest), classes=earlier.classes, root=root, check_files=False
    )
    trained, held_back = _paths(theirs, ("train",)), _paths(manifest, ("validation", "test"))
    # By content too: the same images may lie in a folder for one run and in shards for the other.
    groups = same_content([*trained, *held_back])
    copies = set(groups[: len(trained)]) - {-1}
    known = set(trained)
    leaks = sorted(
        path
        for path, group in zip(held_back, groups[len(trained) :])
        if path in known or group in copies
    )
    if leaks:
        raise RunError(
            f"{len(leaks)} image(s) that are held back here were trained on in {earlier.path}, "
            f"for instance {', '.join(leaks[:NAMED])}: every figure would be too good. Use the "
            "same seed and split settings in both runs."
        )


def _paths(manifest: Manifest, splits: tuple[str, ...]) -> list[str]:
    root = manifest.root.resolve()
    return [str(root / p) for split in splits for p in manifest.table["path"][manifest.rows(split)]]


def copy_start(earlier: RunDirectory, run: RunDirectory) -> None:
    """Copies what a run starts from into its own directory, so that it can always go on."""
    for source, target in _files(earlier, run):
        if source.exists():
            with whole_file(target) as temporary:
                shutil.copyfile(source, temporary)


def load_start(run: RunDirectory, networks: Networks) -> None:
    """Puts the copied weights into a run's networks; does nothing where there are none.

    Raises:
        RunError: If they belong to another network.
    """
    import keras

    (_, encoder), (_, projection) = _files(run, run)
    if encoder.exists():
        _take(networks.classifier.encoder, keras.saving.load_model(encoder), encoder)
    if projection.exists() and networks.projection is not None:
        loaded = keras.saving.load_model(projection)
        _take(networks.projection.head, loaded.head, projection)


def _files(earlier: RunDirectory, run: RunDirectory) -> tuple[tuple[Path, Path], ...]:
    return (
        (earlier.encoder, run.path / "start_encoder.keras"),
        (earlier.projection, run.path / "start_projection.keras"),
    )


def _take(model: Any, loaded: Any, path: Path) -> None:
    import keras

    mine, theirs = ([tuple(w.shape) for w in m.weights] for m in (model, loaded))
    if mine != theirs:
        raise RunError(
            f"{path} holds {len(theirs)} weights that do not fit the {len(mine)} of this network; "
            "the recipe was changed after the run was started."
        )
    model.set_weights(loaded.get_weights())
    for layer in model._flatten_layers(include_self=False):
        if isinstance(layer, keras.layers.Normalization):
            # It computes with a copy of its mean and variance, which set_weights does not renew.
            layer.finalize_state()
