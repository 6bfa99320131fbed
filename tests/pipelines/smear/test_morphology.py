from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from pipelines.labels import HAL_CLASSES
from pipelines.smear.draw import IMAGE, generator
from pipelines.smear.morphology import KNOBS, LEUKOCYTES, MATURATION, THROMBOCYTES, draw_cell

NOBODY = np.zeros(len(KNOBS))


def cells(kind, number=200, clone=NOBODY, patient=0.0, noise=0.0):
    return [draw_cell(kind, generator(n, IMAGE), clone, patient, noise) for n in range(number)]


def mean(found, knob):
    return float(np.mean([getattr(cell, knob) for cell in found]))


def test_every_class_that_is_no_artefact_has_a_morphology():
    drawn = set(LEUKOCYTES) | set(THROMBOCYTES) | {"smudge_cell", "artefact"}
    assert drawn == {*HAL_CLASSES, "lookalike"}


@pytest.mark.parametrize("kind", LEUKOCYTES)
def test_ranges_are_ordered(kind):
    assert all(low <= high for low, high in dataclasses.astuple(LEUKOCYTES[kind]))


@pytest.mark.parametrize("kind", [name for name in LEUKOCYTES if name not in MATURATION])
def test_cells_lie_within_their_ranges(kind):
    for cell in cells(kind, 50):
        for knob in KNOBS:
            low, high = getattr(LEUKOCYTES[kind], knob)
            assert low - 1e-9 <= getattr(cell, knob) <= high + 1e-9


def test_the_maturation_line_is_a_continuum():
    """Nuclei get longer and more constricted from class to class, without a gap between two."""
    lines = [cells(kind) for kind in MATURATION]
    for knob in ("stretch", "constriction"):
        means = [mean(found, knob) for found in lines]
        assert means[1:] == sorted(means[1:])
    for younger, older in zip(lines[1:], lines[2:]):
        assert max(cell.stretch for cell in younger) > min(cell.stretch for cell in older)


def test_a_patients_cells_are_alike():
    def spread(patient):
        return np.std([cell.diameter for cell in cells("blast", clone=NOBODY, patient=patient)])

    assert spread(0.9) < 0.5 * spread(0.0)


def test_a_clone_shifts_its_cells():
    large = mean(cells("blast", clone=NOBODY + 2, patient=0.5), "diameter")
    assert large > mean(cells("blast", patient=0.5), "diameter") + 0.5


def test_an_unknown_number_is_an_attribute_error():
    with pytest.raises(AttributeError, match="flagella"):
        _ = cells("blast", 1)[0].flagella
