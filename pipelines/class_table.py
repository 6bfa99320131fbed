"""The table of class names: what each is called, what it belongs to, and the data sets' own words.

Names are the terms that the ICSH recommends for reports on blood films (Palmer et al., "ICSH
recommendations for the standardization of nomenclature and grading of peripheral blood cell
morphological features", International Journal of Laboratory Hematology 37:287, 2015) and on bone
marrow (Lee et al., "ICSH guidelines for the standardization of bone marrow specimens and
reports", the same journal 30:349, 2008), in the singular, as snake_case. This module holds facts
only; `pipelines.class_names` looks them up and checks them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class ClassName:
    """One class.

    Args:
        name: The preferred name.
        parent: The coarser class that every such cell belongs to as well; "" for none.
        synonyms: Other words for it, whatever the data set. Capitals, hyphens and spaces do not
            matter, nor does a plural s.
    """

    name: str
    parent: str = ""
    synonyms: tuple[str, ...] = ()


TABLE = (
    ClassName("leukocyte", "", ("leucocyte", "white_blood_cell", "white_cell", "wbc")),
    ClassName("granulocyte", "leukocyte", ("granular_leukocyte",)),
    ClassName("neutrophil", "granulocyte", ("neutrophile", "neutrophilic_granulocyte")),
    ClassName(
        "segmented_neutrophil",
        "neutrophil",
        ("neutrophil_segmented", "seg_neutrophil", "segmented_neutrophilic_granulocyte",
         "polymorphonuclear_neutrophil", "neutrophilic_granulocyte_segmented"),
    ),
    ClassName(
        "band_neutrophil",
        "neutrophil",
        ("neutrophil_band", "band_form", "stab_neutrophil", "stab_cell",
         "band_neutrophilic_granulocyte", "neutrophilic_granulocyte_band"),
    ),
    ClassName("eosinophil", "granulocyte", ("eosinophile", "eosinophilic_granulocyte")),
    ClassName("abnormal_eosinophil", "eosinophil"),
    ClassName("basophil", "granulocyte", ("basophile", "basophilic_granulocyte")),
    ClassName(
        "immature_granulocyte",
        "granulocyte",
        ("ig", "immature_granulocytes_myelocytes_metamyelocytes_and_promyelocytes"),
    ),
    ClassName("promyelocyte", "immature_granulocyte", ("progranulocyte",)),
    ClassName("myelocyte", "immature_granulocyte"),
    ClassName("metamyelocyte", "immature_granulocyte"),
    # The WHO counts the abnormal promyelocytes of acute promyelocytic leukaemia as equal to
    # blasts, so they are put neither under promyelocyte nor under blast.
    ClassName("faggot_cell", "leukocyte", ("faggott_cell",)),
    ClassName("monocyte", "leukocyte"),
    ClassName("blast", "leukocyte", ("blast_cell", "blast_no_lineage_spec")),
    ClassName("lymphoid_cell", "leukocyte", ("cell_of_the_lymphoid_lineage",)),
    ClassName("lymphocyte", "lymphoid_cell", ("lymph",)),
    ClassName(
        "reactive_lymphocyte",
        "lymphocyte",
        # "Atypical" is used for reactive and for malignant cells alike, so it stands nowhere.
        ("activated_lymphocyte", "variant_lymphocyte"),
    ),
    ClassName("abnormal_lymphocyte", "lymphocyte", ("neoplastic_lymphocyte",)),
    ClassName("hairy_cell", "abnormal_lymphocyte", ("hairy_lymphocyte",)),
    # May be a lymphoblast or a prolymphocyte, so it is not put under lymphocyte.
    ClassName("immature_lymphocyte", "lymphoid_cell"),
    ClassName("plasma_cell", "lymphoid_cell", ("plasmacyte",)),
    ClassName("smudge_cell", "leukocyte", ("basket_cell", "gumprecht_shadow")),
    ClassName("erythroid_cell"),
    ClassName(
        "erythrocyte", "erythroid_cell", ("red_blood_cell", "red_cell", "rbc", "normocyte")
    ),
    ClassName(
        "erythroblast",
        "erythroid_cell",
        ("nucleated_red_blood_cell", "nucleated_red_cell", "nrbc", "normoblast",
         "erythroblast_nrbc"),
    ),
    ClassName("proerythroblast", "erythroblast", ("pronormoblast", "rubriblast")),
    ClassName("platelet", "", ("thrombocyte", "plt")),
    ClassName("large_platelet", "platelet", ("large_thrombocyte",)),
    ClassName("giant_platelet", "platelet", ("giant_thrombocyte",)),
    ClassName(
        "platelet_clump",
        "platelet",
        ("thrombocyte_aggregation", "platelet_aggregate", "platelet_aggregation",
         "thrombocyte_aggregate", "platelet_cluster"),
    ),
    ClassName("artefact", "", ("artifact",)),
    ClassName("not_identifiable", "", ("unidentifiable", "unidentified", "unidentifiable_cell")),
    ClassName("other_cell", "", ("other",)),
    ClassName("bone_marrow_particle", "", ("marrow_particle", "spicule", "real_particle")),
    ClassName("fake_particle"),
)  # fmt: skip
"""All classes, each after its parent."""

_EIGHT = (
    "basophil", "eosinophil", "erythroblast", "immature_granulocyte",
    "lymphocyte", "monocyte", "neutrophil", "platelet",
)  # fmt: skip

PBC_PREFIXES = {
    "BA": "basophil",
    "EO": "eosinophil",
    "ERB": "erythroblast",
    "IG": "immature_granulocyte",
    "MMY": "metamyelocyte",
    "MY": "myelocyte",
    "PMY": "promyelocyte",
    "LY": "lymphocyte",
    "MO": "monocyte",
    "NEUTROPHIL": "neutrophil",
    "BNE": "band_neutrophil",
    "SNE": "segmented_neutrophil",
    "PLATELET": "platelet",
}
"""What the file names of Acevedo et al. 2020 begin with; IG and NEUTROPHIL tell no finer class."""

BONE_MARROW_CODES = {
    "ABE": "abnormal_eosinophil",
    "ART": "artefact",
    "BAS": "basophil",
    "BLA": "blast",
    "EBO": "erythroblast",
    "EOS": "eosinophil",
    "FGC": "faggot_cell",
    "HAC": "hairy_cell",
    "KSC": "smudge_cell",
    "LYI": "immature_lymphocyte",
    "LYT": "lymphocyte",
    "MMZ": "metamyelocyte",
    "MON": "monocyte",
    "MYB": "myelocyte",
    "NGB": "band_neutrophil",
    "NGS": "segmented_neutrophil",
    "NIF": "not_identifiable",
    "OTH": "other_cell",
    "PEB": "proerythroblast",
    "PLM": "plasma_cell",
    "PMO": "promyelocyte",
}
"""The 21 folders of Matek et al., "Highly accurate differentiation of bone marrow cell
morphologies using deep neural networks on a large image data set", Blood 138:1917, 2021."""

DATASET_WORDS: Mapping[str, Mapping[str, str]] = {
    "hal": {},
    "pbc": PBC_PREFIXES,
    "bone_marrow": BONE_MARROW_CODES,
    "raabin": {"Large Lymph": "lymphocyte", "Small Lymph": "lymphocyte"},
    "wbcatt": {},
    # The labels of both are numbers, in the alphabetical order of the 8 folders of PBC.
    "an2dl": {str(number): name for number, name in enumerate(_EIGHT)},
    "bloodmnist": {str(number): name for number, name in enumerate(_EIGHT)},
    "particles": {"real": "bone_marrow_particle", "fake": "fake_particle"},
}
"""Words that a data set uses besides the general ones, by the kind that reads it."""

PRIVATE_WORDS = frozenset(("real", "fake", "BA", "EO", "LY", "MO", "MY", *"01234567"))
"""Words that mean a class only where it is known which data set they come from."""
