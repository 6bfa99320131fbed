"""What the labels of a data set mean to a model: as the user says, or by the table of names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from lab_models.label_map import LabelMap
from pipelines.class_mapping import ClassMapping, map_classes
from pipelines.class_names import find_name

_TOLD = 10


def understand_labels(
    counts: Mapping[str, int],
    given: LabelMap,
    classes: Sequence[str],
    dataset: str | None = None,
    leave_out: bool = False,
) -> tuple[LabelMap, tuple[str, ...]]:
    """What every label of a data set means to a model.

    What the user says goes first, then equal names, then the table of class names: a synonym
    (``NGS``), or a finer class where the model has only the coarser one.

    Args:
        counts: Images of each label of the data.
        given: What the user says.
        classes: The model's, in order.
        dataset: Where the labels come from (see `pipelines.class_names.preferred_name`).
        leave_out: Whether labels that cannot be understood are left out and told. Otherwise they
            are an error.

    Returns:
        The map of all labels that do not have the name of a class, and sentences on what the
        table said.

    Raises:
        LabError: If the map does not fit, or a label means nothing to the model and is not to be
            left out; with the reasons.
    """
    said = {label for label, _ in given.meanings}
    asked = [label for label in counts if label not in said]
    unknown = [label for label in asked if label not in classes]
    found = _look_up(asked, classes, dataset) if unknown else None
    mapping = (
        {} if found is None else {la: found.mapping[la] for la in unknown if la in found.mapping}
    )
    why = {la: _reason(la, found) for la in unknown if la not in mapping}
    meanings = [*given.meanings, *((label, (name,)) for label, name in mapping.items())]
    if leave_out:
        meanings += [(label, ()) for label in why]
    full = LabelMap(tuple(meanings))
    full.check(set(counts), tuple(classes), why)
    notes = []
    if mapping:
        pairs = [f"{label} to {name}" for label, name in mapping.items()]
        notes.append(f"Labels mapped by the table of class names: {', '.join(_some(pairs))}.")
    if found is not None:
        notes += found.doubts.values()
    notes += _some(
        [f"{counts[label]} image(s) left out: {reason}" for label, reason in why.items()]
    )
    return full, tuple(notes)


def _look_up(
    labels: Iterable[str], classes: Sequence[str], dataset: str | None
) -> ClassMapping | None:
    """The labels mapped onto those classes of the model that the table knows."""
    known: dict[str, str] = {}
    for name in classes:
        meaning = find_name(name)
        if meaning is not None:
            known.setdefault(meaning, name)
    return map_classes(labels, tuple(known.values()), dataset) if known else None


def _reason(label: str, found: ClassMapping | None) -> str:
    if found is None:
        return f"The table of class names knows none of the model's classes, so not {label!r}."
    return found.impossible[label]


def _some(sentences: list[str]) -> list[str]:
    rest = len(sentences) - _TOLD
    return [*sentences[:_TOLD], f"(and {rest} more)"] if rest > 0 else sentences
