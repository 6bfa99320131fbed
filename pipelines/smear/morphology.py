"""What each kind of white blood cell looks like on a stained smear, as numbers.

Sizes and shapes are those of the textbooks of haematology (Bain, "Blood Cells: A Practical
Guide"; CLSI H20-A2, reference leukocyte differential; ICSH recommendations 2015 on nomenclature
and grading of peripheral blood cells, Palmer et al. 2015, for the classes of the granulocytes).
Each number has a range; a cell draws its own within it.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

Range = tuple[float, float]


@dataclass(frozen=True)
class Leukocyte:
    """The ranges of one kind of cell. Amounts of dye: 1 is a usual nucleus, or deep-blue cytoplasm.

    Attributes:
        diameter: Micrometres (a red cell has 7 to 8).
        elongation: Long by short axis of the cell.
        outline: Roughness of the cell's outline.
        nucleus: Diameter of a disc of the nucleus' area, by the cell's diameter.
        stretch: Length of the nucleus' spine by its thickness: 0 is a disc, 3 a ribbon.
        bend: Turn of the spine in radians: 1.5 is a kidney, 3 a horseshoe.
        constriction: How far the nucleus narrows between lobes: 1 leaves a thread.
        lobes: Number of lobes, rounded.
        nucleus_outline: Roughness of the nucleus' outline.
        offset: How far the nucleus lies from the middle: 1 touches the membrane.
        chromatin: Density of the nucleus.
        clumping: Contrast of the chromatin.
        grain: Size of its clumps: 0 fine, 1 medium, 2 coarse.
        nucleoli: Their number, rounded.
        azure: Blue of the cytoplasm (ribonucleic acid).
        eosin: Pink of the cytoplasm.
        haemoglobin: Of the cytoplasm, erythroblasts only.
        mottle: Unevenness of the cytoplasm.
        rim: How much bluer the cytoplasm is at the membrane.
        halo: How pale the zone beside the nucleus is (Golgi zone), 0..1.
        dust: Contrast of the fine neutrophilic granules.
        azurophils: Number of purple granules.
        eosinophils: Number of eosinophilic granules.
        basophils: Number of basophilic granules, which lie over the nucleus too.
        vacuoles: Number of vacuoles, rounded.
        folds: Creases of the nucleus, rounded.
        hairs: Number of hair-like projections.
        hair_length: Their length in micrometres.
    """

    diameter: Range
    nucleus: Range
    elongation: Range = (1.0, 1.15)
    outline: Range = (0.01, 0.04)
    stretch: Range = (0.05, 0.3)
    bend: Range = (0.0, 0.6)
    constriction: Range = (0.0, 0.1)
    lobes: Range = (1.0, 1.0)
    nucleus_outline: Range = (0.04, 0.1)
    offset: Range = (0.1, 0.7)
    chromatin: Range = (0.85, 1.1)
    clumping: Range = (0.15, 0.3)
    grain: Range = (0.8, 1.6)
    nucleoli: Range = (0.0, 0.0)
    azure: Range = (0.1, 0.3)
    eosin: Range = (0.02, 0.08)
    haemoglobin: Range = (0.0, 0.0)
    mottle: Range = (0.08, 0.16)
    rim: Range = (0.0, 0.2)
    halo: Range = (0.0, 0.15)
    dust: Range = (0.0, 0.0)
    azurophils: Range = (0.0, 0.0)
    eosinophils: Range = (0.0, 0.0)
    basophils: Range = (0.0, 0.0)
    vacuoles: Range = (0.0, 0.0)
    folds: Range = (0.0, 0.0)
    hairs: Range = (0.0, 0.0)
    hair_length: Range = (0.0, 0.0)


KNOBS = tuple(field.name for field in dataclasses.fields(Leukocyte))

LEUKOCYTES: dict[str, Leukocyte] = {
    "promyelocyte": Leukocyte(
        diameter=(14.0, 19.5), nucleus=(0.70, 0.82), outline=(0.02, 0.05), offset=(0.4, 0.95),
        chromatin=(0.70, 0.90), clumping=(0.10, 0.18), grain=(0.3, 0.9), nucleoli=(0.6, 3.0),
        azure=(0.30, 0.50), rim=(0.1, 0.4), halo=(0.2, 0.6), azurophils=(45, 160),
    ),
    "myelocyte": Leukocyte(
        diameter=(12.0, 16.5), nucleus=(0.62, 0.73), offset=(0.4, 0.95), stretch=(0.1, 0.35),
        bend=(0.0, 0.6), chromatin=(0.80, 1.0), clumping=(0.16, 0.26), grain=(0.8, 1.5),
        azure=(0.12, 0.28), eosin=(0.06, 0.14), dust=(0.10, 0.25), azurophils=(4, 30),
    ),
    "metamyelocyte": Leukocyte(
        diameter=(11.5, 15.0), nucleus=(0.59, 0.68), offset=(0.3, 0.8), stretch=(0.8, 1.25),
        bend=(1.4, 2.4), chromatin=(0.88, 1.08), clumping=(0.20, 0.30), grain=(1.1, 1.8),
        azure=(0.05, 0.14), eosin=(0.10, 0.18), dust=(0.15, 0.30), azurophils=(0, 6),
    ),
    "band_neutrophil": Leukocyte(
        diameter=(11.0, 14.5), nucleus=(0.52, 0.61), offset=(0.0, 0.5), stretch=(2.5, 3.8),
        bend=(2.0, 3.6), constriction=(0.04, 0.26), lobes=(1.0, 3.0), chromatin=(0.92, 1.12),
        clumping=(0.22, 0.32), grain=(1.3, 2.0), azure=(0.03, 0.09), eosin=(0.10, 0.18),
        dust=(0.15, 0.32),
    ),
    "segmented_neutrophil": Leukocyte(
        diameter=(10.5, 14.0), nucleus=(0.53, 0.62), offset=(0.0, 0.5), stretch=(2.8, 4.2),
        bend=(1.8, 4.6), constriction=(0.76, 1.0), lobes=(2.6, 4.7), chromatin=(0.95, 1.15),
        clumping=(0.22, 0.34), grain=(1.4, 2.0), azure=(0.02, 0.07), eosin=(0.10, 0.18),
        dust=(0.15, 0.32),
    ),
    "eosinophil": Leukocyte(
        diameter=(11.5, 15.0), nucleus=(0.48, 0.58), offset=(0.3, 0.9), stretch=(1.7, 2.8),
        bend=(1.2, 3.6), constriction=(0.45, 0.85), lobes=(1.8, 3.0), chromatin=(0.90, 1.10),
        clumping=(0.20, 0.30), grain=(1.2, 2.0), azure=(0.05, 0.15), eosin=(0.22, 0.36),
        eosinophils=(110, 260),
    ),
    "basophil": Leukocyte(
        diameter=(10.0, 13.5), nucleus=(0.60, 0.76), stretch=(0.4, 1.6), bend=(0.2, 2.4),
        constriction=(0.1, 0.5), lobes=(1.0, 3.0), chromatin=(0.75, 0.95), clumping=(0.12, 0.24),
        azure=(0.06, 0.18), eosin=(0.05, 0.12), basophils=(30, 110), outline=(0.02, 0.06),
    ),
    "monocyte": Leukocyte(
        diameter=(13.5, 19.0), nucleus=(0.58, 0.72), elongation=(1.0, 1.3), outline=(0.03, 0.12),
        stretch=(0.5, 1.6), bend=(1.0, 3.0), constriction=(0.05, 0.35), lobes=(1.0, 3.0),
        nucleus_outline=(0.08, 0.2), offset=(0.1, 0.7), chromatin=(0.62, 0.85),
        clumping=(0.16, 0.28), grain=(0.6, 1.4), azure=(0.22, 0.40), eosin=(0.03, 0.10),
        mottle=(0.12, 0.25), dust=(0.06, 0.18), azurophils=(0, 15), vacuoles=(-2, 7),
        folds=(-0.6, 2.4),
    ),
    "lymphocyte": Leukocyte(
        diameter=(8.0, 13.0), nucleus=(0.70, 0.90), outline=(0.01, 0.05), stretch=(0.0, 0.3),
        bend=(0.0, 1.0), offset=(0.0, 0.9), chromatin=(0.95, 1.2), clumping=(0.18, 0.32),
        grain=(1.3, 2.0), azure=(0.22, 0.55), rim=(0.0, 0.4), azurophils=(-6, 5),
    ),
    "reactive_lymphocyte": Leukocyte(
        diameter=(11.0, 18.5), nucleus=(0.50, 0.75), elongation=(1.0, 1.5), outline=(0.05, 0.18),
        stretch=(0.05, 0.8), bend=(0.0, 1.2), nucleus_outline=(0.04, 0.16), offset=(0.2, 0.95),
        chromatin=(0.78, 1.05), clumping=(0.14, 0.30), grain=(0.7, 1.8), nucleoli=(-1.0, 1.6),
        azure=(0.25, 0.70), rim=(0.25, 1.2), halo=(0.0, 0.35), vacuoles=(-2, 3),
        azurophils=(-10, 8),
    ),
    "abnormal_lymphocyte": Leukocyte(
        diameter=(9.5, 16.5), nucleus=(0.68, 0.88), elongation=(1.0, 1.25), outline=(0.02, 0.12),
        stretch=(0.1, 1.1), bend=(0.0, 2.4), constriction=(0.0, 0.4), lobes=(1.0, 2.4),
        nucleus_outline=(0.15, 0.34), offset=(0.0, 0.9), chromatin=(0.78, 1.15),
        clumping=(0.10, 0.32), grain=(0.5, 2.0), nucleoli=(-1.0, 2.2), azure=(0.25, 0.70),
        rim=(0.0, 0.4), folds=(-0.8, 1.8),
    ),
    "blast": Leukocyte(
        diameter=(11.5, 18.5), nucleus=(0.74, 0.92), elongation=(1.0, 1.25), outline=(0.01, 0.07),
        stretch=(0.0, 0.4), bend=(0.0, 1.0), nucleus_outline=(0.03, 0.14), offset=(0.0, 0.8),
        chromatin=(0.60, 0.92), clumping=(0.05, 0.18), grain=(0.0, 1.1), nucleoli=(0.0, 4.0),
        azure=(0.35, 0.75), rim=(0.0, 0.3), azurophils=(-12, 8), vacuoles=(-4, 2),
    ),
    "plasma_cell": Leukocyte(
        diameter=(11.0, 17.0), nucleus=(0.45, 0.58), elongation=(1.1, 1.55), outline=(0.02, 0.08),
        stretch=(0.0, 0.2), nucleus_outline=(0.02, 0.07), offset=(0.8, 1.1),
        chromatin=(1.0, 1.2), clumping=(0.28, 0.42), grain=(1.8, 2.0), azure=(0.75, 1.15),
        rim=(0.1, 0.4), halo=(0.35, 0.75), vacuoles=(-2, 3),
    ),
    "hairy_cell": Leukocyte(
        diameter=(11.0, 16.5), nucleus=(0.58, 0.76), elongation=(1.0, 1.3), outline=(0.04, 0.12),
        stretch=(0.15, 0.9), bend=(0.0, 1.8), nucleus_outline=(0.04, 0.14), offset=(0.1, 0.9),
        chromatin=(0.75, 1.0), clumping=(0.10, 0.22), grain=(0.5, 1.4), nucleoli=(-1.5, 1.2),
        azure=(0.16, 0.36), rim=(0.0, 0.3), mottle=(0.12, 0.25), hairs=(7, 42),
        hair_length=(0.6, 2.2),
    ),
    "lookalike": Leukocyte(
        diameter=(10.0, 15.5), nucleus=(0.66, 0.82), elongation=(1.0, 1.3), outline=(0.04, 0.12),
        stretch=(0.15, 0.9), bend=(0.0, 1.8), nucleus_outline=(0.06, 0.2), offset=(0.1, 0.9),
        chromatin=(0.80, 1.05), clumping=(0.12, 0.26), grain=(0.6, 1.7), nucleoli=(-1.0, 1.6),
        azure=(0.20, 0.45), rim=(0.0, 0.3), mottle=(0.10, 0.22), hairs=(5, 24),
        hair_length=(0.5, 1.7),
    ),
    "erythroblast": Leukocyte(
        diameter=(7.5, 12.0), nucleus=(0.44, 0.68), outline=(0.01, 0.06), stretch=(0.0, 0.12),
        nucleus_outline=(0.02, 0.08), offset=(0.0, 0.9), chromatin=(1.2, 1.5),
        clumping=(0.16, 0.34), grain=(1.4, 2.0), azure=(0.03, 0.36), eosin=(0.0, 0.06),
        haemoglobin=(0.25, 0.95), mottle=(0.03, 0.09),
    ),
}  # fmt: skip
"""Class to morphology. Ranges of counts that begin below 0 leave cells without any.

``lookalike`` is no class: a lymphocyte of another disease with villous cytoplasm (splenic
marginal-zone lymphoma has such), labelled abnormal lymphocyte.
"""

MATURATION = (
    "promyelocyte", "myelocyte", "metamyelocyte", "band_neutrophil", "segmented_neutrophil",
)  # fmt: skip
"""The line of neutrophil maturation, each class a fifth of a continuum 0..1."""

_TRANSITION = 0.5  # share of a class' width in which it turns into the next


@dataclass(frozen=True)
class Thrombocyte:
    """Ranges of thrombocytes: diameters in micrometres, number in a field."""

    diameter: Range
    number: Range = (1.0, 1.0)


LARGE_AND_GIANT: Range = (3.2, 11.5)
"""The continuum of single thrombocytes in micrometres."""

_GIANT = 7.35  # micrometres: a giant thrombocyte is as large as a red cell or larger (ICSH 2015)

THROMBOCYTES: dict[str, Thrombocyte] = {
    "large_thrombocyte": Thrombocyte(diameter=(LARGE_AND_GIANT[0], _GIANT)),
    "giant_thrombocyte": Thrombocyte(diameter=(_GIANT, LARGE_AND_GIANT[1])),
    "thrombocyte_aggregation": Thrombocyte(diameter=(1.8, 4.2), number=(3.0, 26.0)),
}


@dataclass(frozen=True)
class Cell:
    """One cell's own numbers: the fields of `Leukocyte`, drawn."""

    values: dict[str, float]

    def __getattr__(self, name: str) -> float:
        try:
            return self.__dict__["values"][name]
        except KeyError:
            raise AttributeError(name) from None


def draw_cell(
    kind: str, rng: np.random.Generator, clone: np.ndarray, patient: float, noise: float
) -> Cell:
    """Draws a cell's numbers.

    Args:
        kind: Key of `LEUKOCYTES`.
        rng: The image's generator.
        clone: ``(len(KNOBS),)`` standard normal numbers of the patient for this class.
        patient: Share of the variance that is the patient's.
        noise: Standard deviation of the place on the maturation line.
    """
    own = rng.standard_normal(len(KNOBS))
    normal = np.sqrt(patient) * clone + np.sqrt(1 - patient) * own
    # Uniform ends: most cells lie within the range, the rest on its ends.
    position = np.clip(0.5 + normal / 3, 0, 1)
    low, high = _ranges(kind, rng, noise)
    return Cell(dict(zip(KNOBS, (low + (high - low) * position).tolist())))


def _ranges(kind: str, rng: np.random.Generator, noise: float) -> tuple[np.ndarray, np.ndarray]:
    if kind not in MATURATION:
        table = np.array(dataclasses.astuple(LEUKOCYTES[kind]))
        return table[:, 0], table[:, 1]
    share = 1 / len(MATURATION)
    place = (MATURATION.index(kind) + rng.random()) * share + noise * rng.standard_normal()
    # The middle of a class looks as the table has it; around a cut one turns into the next.
    at = float(np.clip(place / share - 0.5, 0, len(MATURATION) - 1))
    before = min(int(at), len(MATURATION) - 2)
    passed = min(max((at - before - 0.5) / _TRANSITION + 0.5, 0.0), 1.0)
    first, second = (
        np.array(dataclasses.astuple(LEUKOCYTES[name])) for name in MATURATION[before : before + 2]
    )
    table = first + passed * (second - first)
    return table[:, 0], table[:, 1]
