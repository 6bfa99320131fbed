from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.boxes import Box, CutOut, CutSettings, box_fault, clip_box, cut_out
from pipelines.errors import ManifestError

SIZES = st.tuples(st.integers(1, 3000), st.integers(1, 3000))
MARGINS = st.one_of(st.just(0.0), st.floats(0, 3), st.just(1e300))


@st.composite
def drawn(draw: st.DrawFn) -> tuple[Box, tuple[int, int]]:
    """A sound box, which may lead over the edge, and the size of its image."""
    size = draw(SIZES)
    whole = draw(st.booleans())
    numbers = []
    for limit in size:
        centre = draw(st.floats(0, limit))
        length = draw(st.floats(0.01, 2.5 * limit))
        start = centre - length / 2
        numbers.append((math.floor(start), math.ceil(length)) if whole else (start, length))
    (x, width), (y, height) = numbers
    box = Box(x, y, width, height)
    return (box, size) if not box_fault(box, size) else (Box(0, 0, *size), size)


def _holds(cut: CutOut, box: Box) -> bool:
    return (
        cut.left <= box.x
        and cut.top <= box.y
        and box.x + box.width <= cut.left + cut.width
        and box.y + box.height <= cut.top + cut.height
    )


@given(drawn(), MARGINS, st.booleans())
def test_a_cut_out_lies_in_the_image_and_holds_the_box(one, margin, square):
    box, size = one
    clipped = clip_box(box, size)
    cut = cut_out(clipped, size, CutSettings(margin, square))
    assert all(isinstance(value, int) for value in cut)
    assert cut.left >= 0
    assert cut.top >= 0
    assert cut.width >= 1
    assert cut.height >= 1
    assert cut.left + cut.width <= size[0]
    assert cut.top + cut.height <= size[1]
    assert _holds(cut, clipped)


@given(drawn(), MARGINS)
def test_a_square_is_one_wherever_the_image_is_large_enough_for_the_box(one, margin):
    box, size = one
    clipped = clip_box(box, size)
    cut = cut_out(clipped, size, CutSettings(margin, square=True))
    bare = cut_out(clipped, size, CutSettings(0, square=False))
    if max(bare.width, bare.height) <= min(size):
        assert cut.width == cut.height
    else:
        assert (cut.width, cut.height) == (
            min(size[0], max(bare.width, bare.height)),
            min(size[1], max(bare.width, bare.height)),
        )


@given(drawn(), st.floats(0, 2))
def test_a_square_reaches_as_far_as_margin_and_image_allow(one, margin):
    box, size = one
    clipped = clip_box(box, size)
    cut = cut_out(clipped, size, CutSettings(margin, square=True))
    wanted = max(clipped.width, clipped.height) * (1 + 2 * margin)
    assert max(cut.width, cut.height) >= min(wanted, *size) - 1e-6
    # Not more than the pixels that the box touches, or the margin rounded up.
    assert max(cut.width, cut.height) < max(wanted + 1, max(clipped.width, clipped.height) + 2)


@given(drawn(), st.floats(0, 2))
def test_a_square_that_does_not_touch_the_edge_has_the_box_in_its_middle(one, margin):
    box, size = one
    clipped = clip_box(box, size)
    cut = cut_out(clipped, size, CutSettings(margin, square=True))
    for start, length, at, extent, limit in zip(
        clipped[:2], clipped[2:], cut[:2], cut[2:], size, strict=True
    ):
        if at > 0 and at + extent < limit:
            assert abs((start + length / 2) - (at + extent / 2)) <= 1


@given(drawn())
def test_clipping_keeps_what_lies_inside_and_is_done_once(one):
    box, size = one
    clipped = clip_box(box, size)
    assert clip_box(clipped, size) == clipped
    inside = box.x >= 0 and box.y >= 0 and box.x + box.width <= size[0]
    if inside and box.y + box.height <= size[1]:
        assert clipped == box
    for value, start, length, limit in zip(
        (clipped.x, clipped.y), box[:2], box[2:], size, strict=True
    ):
        assert value == max(0, start) or (start >= 0 and start + length <= limit)


@pytest.mark.parametrize(
    ("box", "settings", "expected"),
    [
        (Box(10, 20, 30, 40), CutSettings(0, square=False), (10, 20, 30, 40)),
        (Box(10, 20, 30, 40), CutSettings(0.1, square=False), (7, 16, 36, 48)),
        (Box(10, 20, 30, 40), CutSettings(0), (5, 20, 40, 40)),
        (Box(10, 20, 30, 40), CutSettings(0.1), (1, 16, 48, 48)),
        (Box(10.5, 20.25, 2, 2), CutSettings(0, square=False), (10, 20, 3, 3)),
        # Moved in at the left upper and the right lower corner.
        (Box(0, 0, 30, 40), CutSettings(0.1), (0, 0, 48, 48)),
        (Box(70, 60, 30, 20), CutSettings(0.1), (64, 44, 36, 36)),
        # The margin is cut before the square is: the image has 80 rows.
        (Box(10, 5, 60, 70), CutSettings(0.5), (0, 0, 80, 80)),
        # The image is too small for a square.
        (Box(5, 10, 90, 20), CutSettings(0), (5, 0, 90, 80)),
        (Box(5, 10, 90, 20), CutSettings(1), (5, 0, 90, 80)),
    ],
)
def test_worked_examples_in_an_image_of_100_columns_and_80_rows(box, settings, expected):
    assert cut_out(box, (100, 80), settings) == expected


@pytest.mark.parametrize(
    ("box", "fault"),
    [
        (Box(math.nan, 0, 1, 1), "not four finite numbers"),
        (Box(0, 0, math.inf, 1), "not four finite numbers"),
        (Box(5, 5, -1, 4), "a negative width or height"),
        (Box(5, 5, 4, 0), "no width or no height"),
        (Box(99, 5, 3, 4), "centre outside of the image of 100x80 pixels"),
        (Box(5, -9, 3, 4), "centre outside"),
        (Box(1e308, 5, 1e308, 4), "centre outside"),
        (Box(97, 5, 6, 4), ""),
        (Box(-3, -2, 6, 4), ""),
        (Box(0, 0, 100, 80), ""),
    ],
)
def test_faults(box, fault):
    found = box_fault(box, (100, 80))
    assert fault in found
    assert bool(found) == bool(fault)


def test_bad_settings_are_all_named():
    with pytest.raises(ManifestError, match=r"margin .* got -1.*square .* got 'no'.*smallest"):
        CutSettings(-1, "no", math.nan)
    with pytest.raises(ManifestError, match=r"margin must be a fraction from 0, such as 0.1, got"):
        CutSettings("wide")
