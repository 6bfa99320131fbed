from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.smear import SmearSettings, StainSettings
from pipelines.smear import dyes as dye
from pipelines.smear.draw import IMAGE, generator
from pipelines.smear.stain import slide_stain, transmit

NONE = SmearSettings(stain=StainSettings(0, 0, 0, 0, 0, 0, 0))


def light(dyes, strength=0.0):
    return transmit(dyes, dye.ABSORBANCE, strength, generator(0, IMAGE))


def test_an_empty_field_lets_all_light_pass():
    assert (light(dye.empty(4), 0.1) == 1).all()


@given(st.integers(0, dye.NUMBER - 1), st.floats(0, 3), st.floats(0, 3))
@settings(max_examples=40, deadline=None)
def test_beer_and_lambert(kind, first, second):
    """Two layers one on the other let pass the product of what each lets pass."""
    fields = []
    for amount in (first, second, first + second):
        fields.append(dye.empty(2))
        fields[-1][kind] = amount
    one, two, both = (light(field) for field in fields)
    np.testing.assert_allclose(both, one * two, rtol=1e-12)
    np.testing.assert_allclose(one[0, 0], 10 ** (-first * dye.ABSORBANCE[kind]), rtol=1e-12)


def test_without_spread_every_slide_has_the_same_stain():
    np.testing.assert_array_equal(slide_stain(NONE, 1, 1), dye.ABSORBANCE)
    np.testing.assert_array_equal(slide_stain(NONE, 2, 7), dye.ABSORBANCE)


def test_slides_of_a_hospital_are_more_alike_than_those_of_two():
    settings = SmearSettings(stain=StainSettings(hospital_strength=0.2, acidity=0, fading=0))
    stains = np.array([[slide_stain(settings, h, 30 * h + s) for s in range(8)] for h in range(12)])
    within = stains.std(axis=1).mean()
    between = stains.mean(axis=1).std(axis=0).mean()
    assert between > 1.5 * within


def test_fading_takes_azure_and_leaves_eosin():
    faded = [
        slide_stain(SmearSettings(stain=StainSettings(0, 0, 0, 0, 0, 0, fading=0.5)), 0, slide)
        for slide in range(20)
    ]
    kept = np.mean(faded, axis=0) / dye.ABSORBANCE
    assert kept[dye.AZURE].max() < 0.85
    assert kept[dye.HAEMOGLOBIN] == pytest.approx(1)


def test_covering_hides_what_lies_beneath():
    dyes = np.ones((dye.NUMBER, 2, 2))
    dye.cover(dyes, np.array([[1.0, 0.5], [0.0, 0.0]]))
    np.testing.assert_array_equal(dyes[0], [[0, 0.5], [1, 1]])
