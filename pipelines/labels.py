"""The classes of the studies, in their order, and the groups that reports look at."""

from __future__ import annotations

from collections.abc import Iterable

HAL_CLASSES = (
    "segmented_neutrophil",
    "eosinophil",
    "basophil",
    "lymphocyte",
    "monocyte",
    "band_neutrophil",
    "promyelocyte",
    "myelocyte",
    "metamyelocyte",
    "blast",
    "plasma_cell",
    "hairy_cell",
    "smudge_cell",
    "erythroblast",
    "artefact",
    "giant_thrombocyte",
    "thrombocyte_aggregation",
    "reactive_lymphocyte",
    "abnormal_lymphocyte",
    "large_thrombocyte",
)
"""Study hairy, in the order of its tables."""

PBC_CLASSES = (
    "basophil",
    "eosinophil",
    "erythroblast",
    "ig",
    "lymphocyte",
    "monocyte",
    "neutrophil",
    "platelet",
)
"""Study pbc: the 8 folders of Acevedo et al. 2020; ``ig`` are immature granulocytes."""

PARTICLE_CLASSES = ("real", "fake")
"""Study particles: bone-marrow particles."""

LYMPHOCYTE_CLASSES = ("lymphocyte", "reactive_lymphocyte", "abnormal_lymphocyte", "hairy_cell")
"""The four classes of study hairy's 5x5 confusion matrix; everything else is "other" there."""

BONE_MARROW_CLASSES = (
    "abnormal_eosinophil",
    "artefact",
    "basophil",
    "blast",
    "erythroblast",
    "eosinophil",
    "faggot_cell",
    "hairy_cell",
    "smudge_cell",
    "immature_lymphocyte",
    "lymphocyte",
    "metamyelocyte",
    "monocyte",
    "myelocyte",
    "band_neutrophil",
    "segmented_neutrophil",
    "not_identifiable",
    "other_cell",
    "proerythroblast",
    "plasma_cell",
    "promyelocyte",
)
"""Study bone-marrow: the 21 classes of Matek et al. 2021, in the order of their codes."""

RAABIN_CLASSES = ("basophil", "eosinophil", "lymphocyte", "monocyte", "neutrophil")
"""The 5 classes of Raabin-WBC; those of WBCAtt are the same."""

CLASS_SETS = {
    "hal20": HAL_CLASSES,
    "pbc8": PBC_CLASSES,
    "particles2": PARTICLE_CLASSES,
    "bone_marrow21": BONE_MARROW_CLASSES,
    "raabin5": RAABIN_CLASSES,
}
"""Known class sets by name."""


def order_classes(labels: Iterable[str]) -> tuple[str, ...]:
    """The distinct labels, in the order of the study they belong to.

    The first of `CLASS_SETS` that holds every label gives the order; labels that no study holds
    are sorted by name.

    Args:
        labels: Labels as they stand in a manifest, repeated as they may be.
    """
    found = set(labels)
    for classes in CLASS_SETS.values():
        if found <= set(classes):
            return tuple(name for name in classes if name in found)
    return tuple(sorted(found))


def display_name(label: str) -> str:
    """A label as people read it: ``hairy_cell`` becomes ``hairy cell``."""
    return visible(label).replace("_", " ")


def visible(label: str) -> str:
    """A label with its invisible characters as codes, as Python writes them in a text.

    Marks that turn the direction of writing, or have no width, would show two labels as one, or
    one as another.
    """
    if label.isprintable():
        return label
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in label
    )
