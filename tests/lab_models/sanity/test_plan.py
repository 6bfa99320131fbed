from __future__ import annotations

import pytest

from lab_models.sanity.plan import make_plan
from lab_models.sanity.settings import SanityError, SanitySettings
from tests.lab_models.sanity.test_parts import FULL, make_data

NO_SUBSETS = [(label, source, "", "") for label, source, _, _ in FULL]


def names(plan):
    return [(t.name.split("_0")[0], t.seed) for t in plan.trainings]


def test_everything_is_planned_by_default():
    plan = make_plan(make_data(FULL), SanitySettings(seeds=(0, 4)))
    assert names(plan) == [
        ("part_1", 0), ("part_2", 0), ("part_1", 4), ("part_2", 4),
        ("without_source", 0), ("without_source", 0),
    ]  # fmt: skip
    assert [(source, unshared) for source, _, unshared in plan.left_out] == [
        ("WBC", 0), ("hairy_db", 3),
    ]  # fmt: skip
    assert plan.skipped == {}


def test_data_without_subsets_is_trained_on_whole():
    plan = make_plan(make_data(NO_SUBSETS), SanitySettings(seeds=(0,)))
    assert names(plan)[0] == ("all", 0)
    assert "names no subsets" in plan.skipped["subsets"]


def test_leave_one_out_alone_needs_no_other_training():
    settings = SanitySettings(tests=("leave-one-out",), seeds=(0, 1), leave_one_out_seeds=2)
    plan = make_plan(make_data(NO_SUBSETS), settings)
    assert not plan.parts
    assert [t.seed for t in plan.trainings] == [0, 1, 0, 1]
    assert len({t.name for t in plan.trainings}) == 2


def test_masks_alone_need_no_source():
    data = make_data([(label, "", "", "") for label, *_ in FULL])
    assert names(make_plan(data, SanitySettings(tests=("masks",), seeds=(0,)))) == [("all", 0)]


@pytest.mark.parametrize(
    ("rows", "settings", "message"),
    [
        (NO_SUBSETS, {"tests": ("subsets",)}, "subsets: the data names no subsets"),
        (FULL, {"column": "hospital"}, None),
        (FULL, {"column": "hospital", "tests": ("probes",)}, "no column 'hospital'"),
        ([(a, "", "", "") for a, *_ in FULL], {}, "cannot show a shortcut.*--column"),
        ([(a, "one", "", "") for a, *_ in FULL], {}, "every image has the same source"),
        (
            [("blast", "a", "", ""), ("basophil", "a", "", ""), ("monocyte", "b", "", ""),
             ("hairy_cell", "b", "", "")],
            {"tests": ("leave-one-out",)},
            "No source can be left out.*shares no class",
        ),
        (
            [("blast", source, "", "") for source in "ab"],
            {"tests": ("leave-one-out",)},
            "single class",
        ),
        ([r for r in FULL if r[2] != "C"], {"tests": ("subsets",)}, "C .* has no train image"),
    ],
)  # fmt: skip
def test_what_the_data_does_not_allow_is_said(rows, settings, message):
    data, chosen = make_data(rows), SanitySettings(seeds=(0,), **settings)
    if message is None:
        assert set(make_plan(data, chosen).skipped) == {"probes", "leave-one-out"}
        return
    with pytest.raises(SanityError, match=message):
        make_plan(data, chosen)
