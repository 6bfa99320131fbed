from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.smear.draw import IMAGE, TEXTURE, generator
from pipelines.smear.shapes import BROAD, FINE, Field, Mask, contour, noise, roughen

MIDDLE = np.array((12.0, 12.0))


def area(field, alpha):
    """In square micrometres."""
    return alpha.sum() / field.scale**2


@given(size=st.sampled_from([48, 96, 160, 400]), radius=st.floats(1.0, 10.0))
@settings(max_examples=60, deadline=None)
def test_a_disc_has_its_area_at_every_size(size, radius):
    field = Field(size, 24.0)
    alpha = Mask(field).discs(MIDDLE[None], np.array([radius])).alpha()
    # OpenCV fills the points that the outline passes through: half a grid point all round.
    border = 2 * 0.5 / (radius * field.scale * field.fine)
    assert area(field, alpha) == pytest.approx(math.pi * radius**2, rel=border + 0.04)


@given(elongation=st.floats(1.0, 2.0), seed=st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_a_contour_keeps_the_area_whatever_its_elongation(elongation, seed):
    field = Field(96, 24.0)
    outline = contour(MIDDLE, 5.0, elongation, generator(seed, IMAGE))
    alpha = Mask(field).polygon(outline).alpha()
    assert area(field, alpha) == pytest.approx(math.pi * 25, rel=0.05)


def test_a_shape_lies_where_it_was_put():
    field = Field(96, 24.0)
    alpha = Mask(field).discs(np.array([[6.0, 18.0]]), np.array([2.0])).alpha()
    y, x = field.grid()
    assert (alpha * x).sum() / alpha.sum() == pytest.approx(6.0, abs=0.05)
    assert (alpha * y).sum() / alpha.sum() == pytest.approx(18.0, abs=0.05)


def test_edges_are_smooth():
    alpha = Mask(Field(96, 24.0)).discs(MIDDLE[None], np.array([5.0])).alpha()
    assert len(np.unique(alpha)) > 8


def test_levels_and_lines():
    field = Field(96, 24.0)
    centres = np.array([[6.0, 6.0], [18.0, 18.0]])
    alpha = Mask(field).discs(centres, np.array([3.0, 3.0]), np.array([51, 255])).alpha()
    assert alpha[24, 24] == pytest.approx(0.2)
    assert alpha[72, 72] == 1
    line = Mask(field).line(np.array([[2.0, 12.0], [22.0, 12.0]]), 2.0).alpha()
    assert area(field, line) == pytest.approx(20 * 2, rel=0.2)


@pytest.mark.parametrize("kind", range(4))
def test_noise_has_mean_0_and_variance_1(kind):
    field = Field(96, 24.0)
    parts = [noise(field, kind, generator(seed, IMAGE)) for seed in range(40)]
    assert np.mean(parts) == pytest.approx(0, abs=0.15)
    assert np.std(parts) == pytest.approx(1, abs=0.15)


def test_broad_noise_changes_slower_than_fine_noise():
    field = Field(96, 24.0)
    fine, broad = (noise(field, kind, generator(1, IMAGE)) for kind in (FINE, BROAD))
    assert np.abs(np.diff(broad)).mean() < 0.3 * np.abs(np.diff(fine)).mean()


def test_roughening_moves_the_edge_only():
    field = Field(96, 24.0)
    alpha = Mask(field).discs(MIDDLE[None], np.array([6.0])).alpha()
    rough = roughen(field, alpha, noise(field, 2, generator(3, IMAGE)), 0.25, 0.4)
    y, x = field.grid()
    reach = np.sqrt((x - 12) ** 2 + (y - 12) ** 2)
    assert (rough[reach < 4.5] == 1).all()
    assert (rough[reach > 7.5] == 0).all()
    assert not np.array_equal(rough, alpha)


def test_generators_of_different_addresses_differ():
    numbers = {
        generator(seed, purpose, *place).integers(2**62)
        for seed in (0, 1)
        for purpose in (IMAGE, TEXTURE)
        for place in ((), (1,), (0, 1), (1, 1), (0, 0, 1))
    }
    assert len(numbers) == 20
    assert generator(5, IMAGE, 7).integers(2**62) == generator(5, IMAGE, 7).integers(2**62)
