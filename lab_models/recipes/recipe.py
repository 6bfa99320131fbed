"""The recipe: everything that decides what a training does, in one frozen object."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, get_args, get_type_hints

from lab_models.contrastive.collapse import CollapseSettings
from lab_models.recipes.checks import RecipeError, in_range, one_of, raise_if_any, whole_number
from lab_models.recipes.contrastive import Projection
from lab_models.recipes.phase import Phase
from pipelines.augment import AugmentSettings
from pipelines.class_mapping import class_set
from pipelines.errors import ManifestError
from pipelines.smear import SmearSettings
from pipelines.split import SplitSettings
from tflite.runtime.errors import LabError

VERSION = 1
SAMPLINGS = ("natural", "balanced")
WEIGHTINGS = ("none", "balanced", "effective")
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")


@dataclass(frozen=True)
class Data:
    """Which images are used, and how often each class is seen.

    Args:
        classes: The classes in order; empty takes those found in the data. Data that holds a
            class which is not named here is an error, not a silent omission.
        map_classes: Map the data's classes onto these first: a study's, such as ``hal``, or names
            with commas between them (see `pipelines.class_mapping.class_set`). Images of classes
            that cannot be mapped are left out and named. Empty keeps the data's own classes.
        sources: Databases that are used; empty uses all.
        subset: For data sets with nested subsets (study pbc): tiny, small, medium.
        split: How images are put on the sides of the split.
        sampling: ``natural``: every image once an epoch. ``balanced``: every class equally often.
        class_weights: Weights of the loss per class: ``none``; ``balanced`` (inverse frequency);
            ``effective`` (effective number of samples, Cui et al. 2019).
        effective_beta: The beta of ``effective``.
        cache_megabytes: Decoded images are kept in memory up to this size.
        smears: The synthetic smears that are drawn when no data set is given.
    """

    classes: tuple[str, ...] = ()
    map_classes: str = ""
    sources: tuple[str, ...] = ()
    subset: str = ""
    split: SplitSettings = field(default_factory=SplitSettings)
    sampling: str = "natural"
    class_weights: str = "none"
    effective_beta: float = 0.999
    cache_megabytes: int = 4096
    smears: SmearSettings = field(default_factory=SmearSettings)

    def __post_init__(self) -> None:
        raise_if_any(self.faults())

    def faults(self) -> Iterator[str]:
        """Every bad field, one sentence each."""
        yield from one_of("sampling", self.sampling, SAMPLINGS)
        yield from one_of("class_weights", self.class_weights, WEIGHTINGS)
        yield from in_range("effective_beta", self.effective_beta, 0, 0.999999)
        yield from whole_number("cache_megabytes", self.cache_megabytes, 0)
        if isinstance(self.classes, str):
            yield (
                f"classes must be a list of names, got {self.classes!r}; to map the data's classes "
                "onto those of a study, set map_classes"
            )
        elif len(set(self.classes)) != len(self.classes) or len(self.classes) == 1:
            yield f"classes must be empty or at least two different names, got {self.classes!r}"
        yield from self._faults_of_mapping()

    def _faults_of_mapping(self) -> Iterator[str]:
        if not isinstance(self.map_classes, str):
            yield (
                "map_classes must be a text, such as hal or blast,lymphocyte; got "
                f"{self.map_classes!r}"
            )
        elif self.map_classes:
            try:
                class_set(self.map_classes)
            except ManifestError as error:
                yield f"map_classes: {error}"


@dataclass(frozen=True)
class Input:
    """Size and crop of the images; scaling is the backbone's own (see its input contract).

    Args:
        height: Rows in pixels; 0 takes the backbone's default.
        width: Columns in pixels; 0 takes the backbone's default.
        crop: Fraction kept of the largest centred rectangle of that aspect ratio.
        colour: ``rgb`` or ``luminance``.
        interpolation: See `tflite.runtime.contract.INTERPOLATIONS`.
    """

    height: int = 0
    width: int = 0
    crop: float = 1.0
    colour: str = "rgb"
    interpolation: str = "bilinear"


@dataclass(frozen=True)
class Recipe:
    """A complete training.

    Args:
        name: As the file: ``hal_t3002`` for the study's HAL-T3002.
        backbone: A name of `lab_models.backbones.list_backbones`.
        phases: In order; see `Phase`.
        data: See `Data`.
        input: See `Input`.
        augment: See `pipelines.augment.AugmentSettings`.
        weights: ``imagenet``, ``random``, or the path of a weights file.
        dropout: Share of pooled features dropped before the dense layer.
        normalize_features: Whether the classifier brings the pooled features to length 1 first,
            as the classifiers of HAL-C do.
        projection: The projection head, for phases that compare views.
        collapse: When contrastive training counts as collapsed and is stopped.
        batch_size: Images a step.
        seed: Of everything random: weights, order, augmentation, dropout, split.
        precision: Keras dtype policy of the network.
        focus_class: Class whose errors the report shows; empty takes hairy cells, or else the
            class found worst.
        scales: Named sets of changes, ``{"demo": {"batch_size": 64, ...}}`` with dotted names.
        version: Of this format.
    """

    name: str
    backbone: str
    phases: tuple[Phase, ...]
    data: Data = field(default_factory=Data)
    input: Input = field(default_factory=Input)
    augment: AugmentSettings = field(default_factory=AugmentSettings)
    weights: str = "imagenet"
    dropout: float = 0.2
    normalize_features: bool = False
    projection: Projection = field(default_factory=Projection)
    collapse: CollapseSettings = field(default_factory=CollapseSettings)
    batch_size: int = 32
    seed: int = 42
    precision: str = "float32"
    focus_class: str = ""
    scales: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    version: int = VERSION

    def __post_init__(self) -> None:
        raise_if_any(self.faults())

    def faults(self) -> Iterator[str]:
        """Every bad field, one sentence each."""
        from lab_models.backbones import backbone_spec

        try:
            spec = backbone_spec(self.backbone)
            if self.input is not None:
                spec.contract(**dataclasses.asdict(self.input))
        except (LabError, TypeError) as error:
            yield f"backbone or input: {error}"
        yield from in_range("dropout", self.dropout, 0, 0.95)
        yield from whole_number("batch_size", self.batch_size, 1)
        yield from whole_number("seed", self.seed, 0)
        yield from one_of("precision", self.precision, PRECISIONS)
        if not self.weights:
            yield 'weights must be "imagenet", "random" or the path of a file, got nothing'
        if self.version != VERSION:
            yield f"version must be {VERSION}, the only one there has been, got {self.version!r}"
        if not self.phases:
            yield "phases must hold at least one phase, got none"
        yield from self._faults_of_views()
        names = [phase.name for phase in self.phases or () if phase is not None]
        if len(set(names)) != len(names):
            yield f"phases must have different names, got {names}"

    def _faults_of_views(self) -> Iterator[str]:
        mixes = self.augment is not None and self.augment.mixes
        for number, phase in enumerate(self.phases or ()):
            views = phase is not None and (phase.compares_views or phase.cached_views)
            if views and mixes and phase.augment is None:
                yield (
                    f"phases.{number}.augment must be given, without CutMix and MixUp: the "
                    "recipe's own mixes images, and this phase compares or caches views"
                )
            if views and phase.cached_views and self.augment_of(phase).rand_augment_operations:
                yield f"phases.{number}.cached_views does not go with RandAugment"

    def augment_of(self, phase: Phase) -> AugmentSettings:
        """The augmentation of a phase."""
        return self.augment if phase.augment is None else phase.augment

    def batch_size_of(self, phase: Phase) -> int:
        """Images a step of a phase."""
        return phase.batch_size or self.batch_size

    @property
    def compares_views(self) -> bool:
        """Whether any phase trains with a contrastive loss."""
        return any(phase.compares_views for phase in self.phases)

    def to_dict(self) -> dict[str, Any]:
        """The recipe as plain JSON values."""
        return json.loads(json.dumps(dataclasses.asdict(self)))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Recipe:
        """The recipe that `to_dict` described.

        Raises:
            RecipeError: If fields are bad or unknown; names them all.
        """
        recipe, faults = _build(cls, values, "")
        if faults:
            raise RecipeError(faults)
        return recipe

    def changed(self, changes: Mapping[str, Any]) -> Recipe:
        """A copy with some fields changed.

        Args:
            changes: From dotted names to JSON values: ``{"batch_size": 64,
                "phases.0.epochs": 3, "data.subset": "small"}``.

        Raises:
            RecipeError: If a name is no field or a value is bad; names them all.
        """
        values, unknown, recipe = self.to_dict(), [], self
        faults: list[str] = []
        for name, value in changes.items():
            unknown += _put(values, name, value)
            built, faults = _build(type(self), values, "")
            if not faults:
                # Fields that a change left to their defaults are there for the next one.
                recipe, values = built, built.to_dict()
        if unknown or faults:
            raise RecipeError(unknown + faults)
        return recipe

    def at_scale(self, scale: str) -> Recipe:
        """The recipe at a named scale; ``full`` is the recipe as written.

        Raises:
            RecipeError: If the recipe has no such scale.
        """
        if scale == "full":
            return self
        if scale not in self.scales:
            there = ", ".join(["full", *self.scales])
            raise RecipeError([f"{self.name} has no scale {scale!r}; there are: {there}"])
        return self.changed(self.scales[scale])


def differences(recipe: Recipe, original: Recipe) -> dict[str, tuple[Any, Any]]:
    """What was changed: dotted name to (original value, value now), scales left out."""
    flat, flat_original = _flatten(recipe.to_dict()), _flatten(original.to_dict())
    names = [n for n in {**flat_original, **flat} if not n.startswith("scales.")]
    return {
        name: (flat_original.get(name), flat.get(name))
        for name in names
        if flat_original.get(name) != flat.get(name)
    }


def _flatten(value: Any, prefix: str = "") -> dict[str, Any]:
    if isinstance(value, dict):
        items: Any = value.items()
    elif isinstance(value, list) and any(isinstance(v, dict) for v in value):
        items = enumerate(value)
    else:
        return {prefix: value}
    flat: dict[str, Any] = {}
    for key, inner in items:
        flat |= _flatten(inner, f"{prefix}.{key}" if prefix else str(key))
    return flat


def _put(values: Any, name: str, value: Any) -> list[str]:
    """Puts one value at a dotted name; gives the fault if there is no such field."""
    *path, last = name.split(".")
    for step in path:
        try:
            values = values[int(step)] if isinstance(values, list) else values[step]
        except (KeyError, IndexError, ValueError, TypeError):
            return [f"{name} is no field of a recipe ({step!r} is not there)"]
    # A whole table or list may take the place of None, so absent optional parts can be set.
    if isinstance(values, list) and last.isdigit() and int(last) < len(values):
        values[int(last)] = value
    elif isinstance(values, dict) and last in values:
        values[last] = value
    else:
        return [f"{name} is no field of a recipe ({last!r} is not there)"]
    return []


def _build(cls: Any, values: Any, prefix: str) -> tuple[Any, list[str]]:
    """Builds a frozen settings class from JSON values, collecting every fault below it."""
    if not isinstance(values, Mapping):
        return None, [f"{prefix or 'the recipe'} must be a table of fields, got {values!r}"]
    known = {f.name: f for f in fields(cls)}
    types = get_type_hints(cls)
    faults = [f"{_join(prefix, key)} is no field" for key in values if key not in known]
    built: dict[str, Any] = {}
    nested_faults: list[str] = []
    for key, value in values.items():
        if key in known:
            built[key], inner = _build_field(types[key], value, _join(prefix, key))
            nested_faults += inner
    required = (dataclasses.MISSING, dataclasses.MISSING)
    missing = [
        name
        for name, f in known.items()
        if name not in values and (f.default, f.default_factory) == required
    ]
    faults += nested_faults + [f"{_join(prefix, name)} is missing" for name in missing]
    if missing or faults:
        faults += _own_faults(cls, built, prefix) if not missing else []
        return None, faults
    try:
        return cls(**built), []
    except RecipeError as error:
        return None, [_join(prefix, fault) for fault in error.faults]
    except (LabError, TypeError) as error:
        return None, [f"{prefix}: {error}"]


def _build_field(kind: Any, value: Any, prefix: str) -> tuple[Any, list[str]]:
    """Builds one field: a settings class, a tuple of them, an optional one, or a plain value."""
    options = [t for t in get_args(kind) if t is not type(None)]
    if dataclasses.is_dataclass(kind):
        return _build(kind, value, prefix)
    if value is None:
        return None, []
    if options and dataclasses.is_dataclass(options[0]):
        if not isinstance(value, (list, tuple)):
            return _build(options[0], value, prefix)
        parts = [_build(options[0], v, f"{prefix}.{i}") for i, v in enumerate(value)]
        return tuple(p for p, _ in parts), [f for _, faults in parts for f in faults]
    return _as_tuples(value), []


def _as_tuples(value: Any) -> Any:
    """JSON lists as tuples, so that a recipe reloads equal."""
    if isinstance(value, Mapping):
        return {key: _as_tuples(inner) for key, inner in value.items()}
    return tuple(_as_tuples(v) for v in value) if isinstance(value, list) else value


def _own_faults(cls: Any, built: dict[str, Any], prefix: str) -> list[str]:
    """Faults of the plain fields of a class some of whose parts could not be built."""
    if not hasattr(cls, "faults"):
        return []
    stub = object.__new__(cls)
    for f in fields(cls):
        default = f.default if f.default is not dataclasses.MISSING else None
        object.__setattr__(stub, f.name, built.get(f.name, default))
    return [_join(prefix, fault) for fault in stub.faults()]


def _join(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name
