"""Maps the classes of one data set onto those of another, and says what cannot be mapped."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from pipelines.class_names import (
    ancestors,
    descendants,
    find_name,
    normal_form,
    preferred_name,
    require_dataset,
)
from pipelines.errors import ManifestError
from pipelines.labels import CLASS_SETS
from pipelines.manifest import Manifest, make_manifest

_HINTS = 50
"""For so many unknown words the nearest names are looked for: that takes about 1 ms a word."""


@dataclass(frozen=True)
class ClassMapping:
    """How the words of one data set become classes of another.

    Args:
        classes: The classes that are mapped onto, in their order.
        mapping: Word -> one of `classes`.
        impossible: Word -> why it cannot be mapped, as a sentence.
        doubts: Class -> what a reader should know about the images it takes in, as a sentence.
    """

    classes: tuple[str, ...]
    mapping: dict[str, str]
    impossible: dict[str, str]
    doubts: dict[str, str]


def class_set(classes: str | Sequence[str]) -> tuple[str, ...]:
    """Classes to map onto, in their order.

    Args:
        classes: A key of `pipelines.labels.CLASS_SETS`, with or without the number at its end
            (``hal``), names with commas between them, or a sequence of names.

    Raises:
        ManifestError: If a name is not in the table or two of them mean the same class.
    """
    if isinstance(classes, str):
        sets = {_without_number(key): value for key, value in CLASS_SETS.items()} | CLASS_SETS
        if classes.strip().lower() in sets:
            return sets[classes.strip().lower()]
        wanted = [name.strip() for name in classes.split(",") if name.strip()]
        if len(wanted) < 2:
            raise ManifestError(
                f"There is no set of classes {classes!r}; there are "
                f"{', '.join(map(_without_number, CLASS_SETS))}. A list of at least two class "
                "names with commas between them is taken as well."
            )
    else:
        wanted = list(classes)
    _targets(wanted)
    return tuple(wanted)


def map_classes(
    words: Iterable[str], onto: str | Sequence[str], dataset: str | None = None
) -> ClassMapping:
    """Maps the classes of one data set onto those of another.

    A word becomes the class of the same name, or else the finest class that it is part of: a
    hairy cell becomes a lymphocyte where there are no hairy cells. The other way is impossible:
    no rule can tell whether a neutrophil is a segmented one.

    Args:
        words: Class names as a data set has them.
        onto: What `class_set` takes.
        dataset: Where the words come from (see `preferred_name`).

    Returns:
        The mapping; every distinct word is in ``mapping`` or in ``impossible``.

    Raises:
        ManifestError: If `onto` cannot be used or the words of `dataset` are not known.
    """
    require_dataset(dataset)
    classes = class_set(onto)
    targets = _targets(classes)
    mapping: dict[str, str] = {}
    impossible: dict[str, str] = {}
    preferred: dict[str, str] = {}
    for word in dict.fromkeys(words):
        name = find_name(word, dataset)
        if name is None:
            impossible[word] = _why_unknown(word, dataset, hint=len(impossible) < _HINTS)
            continue
        line = [finer for finer in (name, *ancestors(name)) if finer in targets]
        if line:
            mapping[word], preferred[word] = targets[line[0]], name
        else:
            impossible[word] = _why_not(word, name, targets)
    return ClassMapping(classes, mapping, impossible, _doubts(preferred, targets))


def map_manifest(
    manifest: Manifest, onto: str | Sequence[str], dataset: str | None = None
) -> Manifest:
    """The images of a data set under the classes of another.

    Images whose class cannot be mapped are left out; the notes name these classes, how many
    images they have and why. Nothing is left out in silence.

    Args:
        manifest: A data set.
        onto: What `class_set` takes.
        dataset: Where its labels come from (see `pipelines.class_names.preferred_name`).

    Returns:
        The manifest with the classes of `onto` that have images, in its order, and the further
        column ``label_given``: the label before. A manifest that has been mapped before keeps
        its first labels there.

    Raises:
        ManifestError: If `onto` cannot be used or not one label can be mapped.
    """
    table = manifest.table
    found = map_classes(table["label"], onto, dataset)
    kept = table["label"].isin(list(found.mapping))
    if not kept.any():
        raise ManifestError(
            f"No class of {manifest.root} can be mapped onto {', '.join(found.classes)}. "
            + " ".join(_some(list(found.impossible.values())))
        )
    mapped = table[kept].copy()
    if "label_given" not in mapped.columns:
        mapped["label_given"] = mapped["label"]
    mapped["label"] = mapped["label"].map(found.mapping)
    present = set(mapped["label"])
    classes = [name for name in found.classes if name in present]
    notes = _mapping_notes(found, Counter(table["label"]), present)
    changed = make_manifest(mapped, manifest.root, classes)
    return replace(changed, notes=(*manifest.notes, *notes))


def _mapping_notes(found: ClassMapping, counts: Mapping[str, int], present: set[str]) -> list[str]:
    notes = []
    renamed = [f"{word} to {name}" for word, name in found.mapping.items() if word != name]
    if renamed:
        notes.append(f"Classes mapped: {', '.join(_some(renamed, 30))}.")
    lost = sum(counts[word] for word in found.impossible)
    if lost:
        notes.append(
            f"{lost} image(s) of {len(found.impossible)} class(es) are left out because the class "
            "cannot be mapped."
        )
        notes += _some(
            [f"{counts[word]} image(s) left out: {why}" for word, why in found.impossible.items()]
        )
    notes += found.doubts.values()
    absent = [name for name in found.classes if name not in present]
    if absent:
        notes.append(f"Classes asked for without any image: {', '.join(absent)}.")
    return notes


def _some(sentences: list[str], limit: int = 10) -> list[str]:
    rest = len(sentences) - limit
    return [*sentences[:limit], f"(and {rest} more)"] if rest > 0 else sentences


def _why_unknown(word: str, dataset: str | None, hint: bool) -> str:
    if hint:
        try:
            preferred_name(word, dataset)
        except ManifestError as error:
            return str(error)
    return f"The class {word!r} is not in the table of names."


def _why_not(word: str, name: str, targets: Mapping[str, str]) -> str:
    said = repr(word) if normal_form(word) == name else f"{word!r} ({name})"
    finer = [targets[below] for below in descendants(name) if below in targets]
    if finer:
        return f"{said} is coarser than the classes asked for: it may be any of {', '.join(finer)}."
    groups = ancestors(name)
    above = f" or of {', '.join(groups)}, which it belongs to" if groups else ""
    return f"Among the classes asked for there is none of {said}{above}."


def _doubts(preferred: Mapping[str, str], targets: Mapping[str, str]) -> dict[str, str]:
    """Classes that may have taken in images of a finer class that `targets` keeps apart."""
    given = set(preferred.values())
    doubts = {}
    for name in dict.fromkeys(preferred.values()):
        if name in targets:
            untold = [
                targets[finer]
                for finer in descendants(name)
                if finer in targets and finer not in given
            ]
            if untold:
                doubts[targets[name]] = (
                    f"The images given as {name} may hold {', '.join(untold)}, which the classes "
                    "asked for keep apart and this data set does not name."
                )
    return doubts


def _targets(classes: Sequence[str]) -> dict[str, str]:
    """Preferred name -> the word for it among `classes`."""
    # Class sets of studies hold words, such as ``real``, that only their data set explains.
    homes = [key for key, value in CLASS_SETS.items() if value == tuple(classes)]
    dataset = _without_number(homes[0]) if homes else None
    targets: dict[str, str] = {}
    for word in classes:
        name = preferred_name(word, dataset)
        if name in targets:
            raise ManifestError(
                f"The classes {targets[name]!r} and {word!r} both mean {name}; name it once."
            )
        targets[name] = word
    return targets


def _without_number(key: str) -> str:
    return re.sub(r"\d+$", "", key)
