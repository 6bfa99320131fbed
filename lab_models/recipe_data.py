"""The images that a recipe trains on, out of a data set of any kind."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from lab_models.recipes import Recipe
from pipelines.class_mapping import class_set, map_manifest
from pipelines.datasets import open_dataset
from pipelines.errors import ManifestError
from pipelines.labels import order_classes
from pipelines.manifest import Manifest, make_manifest
from tflite.runtime.errors import LabError


def read_data(recipe: Recipe, data: Path | Manifest) -> Manifest:
    """Reads a data set: its subset, sources and classes as the recipe names them.

    Args:
        recipe: Its field ``data`` says what is chosen, and what classes are mapped onto.
        data: What `pipelines.datasets` reads; or a manifest, whose labels are mapped if the
            recipe says so and they are not yet, and of which no subset is taken.

    Raises:
        LabError: If the data cannot be used, or lacks what the recipe asks for.
    """
    if isinstance(data, Manifest):
        return _chosen(recipe, _mapped(recipe, data))
    return _chosen(recipe, _read(recipe, data))


def check_given_split(recipe: Recipe, manifest: Manifest) -> None:
    """Refuses data without a split if the recipe keeps that which comes with the data.

    Raises:
        LabError: If so; says how to have the images dealt.
    """
    if not _has_split(recipe, manifest):
        raise LabError(
            f"No split came with {manifest.root}, and the recipe {recipe.name} keeps the data's "
            "own. To have the images dealt: --set data.split.by=auto"
        )


def _read(recipe: Recipe, folder: Path) -> Manifest:
    """The data set, or the subset of it that the recipe names."""
    subset, classes = recipe.data.subset, recipe.data.map_classes or None
    if not subset:
        return open_dataset(folder, classes=classes)
    try:
        return open_dataset(folder, classes=classes, subset=subset)
    except ManifestError as error:
        try:
            whole = open_dataset(folder, classes=classes)
        except ManifestError:
            raise error from None  # the subset is not what is wrong
        anew = "" if _has_split(recipe, whole) else " --set data.split.by=auto"
        raise LabError(
            f"{error} The recipe {recipe.name} trains on the subset {subset}. To train it on all "
            f"{len(whole):,} images: --set data.subset={anew}"
        ) from None


def _has_split(recipe: Recipe, manifest: Manifest) -> bool:
    """Whether the data came with the split that the recipe asks for, if it asks for one."""
    return recipe.data.split.by != "given" or bool((manifest.table["split"] != "").any())


def _mapped(recipe: Recipe, manifest: Manifest) -> Manifest:
    onto = recipe.data.map_classes
    if not onto or set(manifest.table["label"]) <= set(class_set(onto)):
        return manifest
    return map_manifest(manifest, onto)


def _chosen(recipe: Recipe, manifest: Manifest) -> Manifest:
    """The sources and classes that the recipe names."""
    if recipe.data.sources:
        known = sorted(set(manifest.table["source"]))
        missing = [s for s in recipe.data.sources if s not in known]
        if missing:
            raise LabError(f"The data has no sources {missing}; there are: {known}.")
        keep = manifest.table["source"].isin(recipe.data.sources)
        table = manifest.table[keep].reset_index(drop=True)
        fewer = make_manifest(table, manifest.root, _order_left(recipe, manifest, table["label"]))
        manifest = fewer.with_notes(*manifest.notes)
    if recipe.data.classes:
        ordered = make_manifest(manifest.table, manifest.root, recipe.data.classes)
        manifest = ordered.with_notes(*manifest.notes)
    return manifest


def _order_left(recipe: Recipe, manifest: Manifest, labels: Iterable[str]) -> tuple[str, ...]:
    """The classes that some sources hold; those that data was mapped onto keep their order."""
    left = set(labels)
    if recipe.data.map_classes:
        return tuple(name for name in manifest.classes if name in left)
    return order_classes(left)
