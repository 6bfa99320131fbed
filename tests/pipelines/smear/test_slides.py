from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.labels import HAL_CLASSES
from pipelines.smear import LabelSettings, SlideSettings, SmearSettings
from pipelines.smear.settings import HAL_COUNTS
from pipelines.smear.slides import (
    DISPUTE,
    HAIRY,
    LOOKALIKES,
    NEIGHBOURS,
    TEST,
    TRAIN,
    class_counts,
    list_slides,
    plan,
)


def agreed(image):
    labels = {label for _, label in image.experts}
    fewest = 2 if image.database == TEST else 1
    return len(image.experts) >= fewest and len(labels) == 1


def test_hal_counts_are_those_of_the_study():
    assert sum(train for train, _ in HAL_COUNTS.values()) == 76612
    assert sum(test for _, test in HAL_COUNTS.values()) == 15374
    assert tuple(HAL_COUNTS) == HAL_CLASSES


@given(images=st.integers(1, 200_000), minimum=st.integers(0, 500))
@settings(max_examples=50, deadline=None)
def test_counts_sum_up_and_keep_the_minimum(images, minimum):
    wanted = SmearSettings(images=images, minimum_per_class=minimum)
    counts = class_counts(wanted)
    trained = [train for train, _ in counts.values()]
    assert sum(train + test for train, test in counts.values()) == images
    assert min(trained) >= min(minimum, sum(trained) // 40)
    assert min(trained) >= min(minimum, 1) or sum(trained) < 20


def test_without_a_minimum_the_frequencies_are_those_of_the_study():
    wanted = SmearSettings(images=91986, minimum_per_class=0, minimum_test_per_class=0)
    assert class_counts(wanted) == HAL_COUNTS


def test_the_minimum_lifts_rare_classes_and_the_rest_keep_their_proportion():
    counts = class_counts(SmearSettings(images=6000, minimum_per_class=120))
    assert counts["plasma_cell"][0] == 120
    common, rarer = counts["smudge_cell"][0], counts["blast"][0]
    assert common / rarer == pytest.approx(6762 / 5001, rel=0.01)


def test_no_slide_stands_on_two_sides_and_hospitals_of_hairy_db_are_its_own():
    slides = list_slides(SmearSettings())
    assert len({slide.name for slide in slides}) == len(slides)
    by_database = Counter((slide.database, slide.split) for slide in slides)
    assert by_database[HAIRY, "train"] == 9
    assert by_database[HAIRY, "test"] == 2
    assert by_database[TRAIN, "test"] == by_database[TEST, "train"] == 0
    hairy = {slide.hospital for slide in slides if slide.database == HAIRY}
    others = {slide.hospital for slide in slides if slide.database != HAIRY}
    assert len(hairy) == 3
    assert not hairy & others


def test_the_plan_holds_as_many_agreed_images_as_were_asked_for():
    wanted = SmearSettings(images=800)
    images = [image for image in plan(wanted) if image.database != LOOKALIKES]
    usable = [image for image in images if agreed(image)]
    assert len(usable) == 800
    assert len(images) == 832  # 4% more are disputed
    sides = Counter(image.slide.split for image in usable)
    assert sides["test"] == sum(test for _, test in class_counts(wanted).values())


def test_hairy_cells_come_from_hairy_db_alone_which_holds_every_class():
    images = plan(SmearSettings(images=1000))
    assert {image.database for image in images if image.kind == "hairy_cell"} == {HAIRY}
    assert {image.kind for image in images if image.database == HAIRY} == set(HAL_CLASSES)


def test_one_expert_labels_hairy_db():
    images = plan(SmearSettings(images=500))
    assert {len(image.experts) for image in images if image.database == HAIRY} == {1}


def test_experts_disagree_about_neighbours_only():
    wanted = SmearSettings(images=300, labels=LabelSettings(disputed=1.0))
    disputed = [image for image in plan(wanted) if len({name for _, name in image.experts}) > 1]
    assert len(disputed) > 100
    for image in disputed:
        other = {name for _, name in image.experts} - {image.label}
        assert other <= set(NEIGHBOURS[image.label])


def test_the_maturation_line_is_disputed_more_than_eosinophils():
    wanted = SmearSettings(images=3000, labels=LabelSettings(disputed=1.0))
    disputed = Counter(image.kind for image in plan(wanted)[3000:])
    share = {name: disputed[name] / sum(HAL_COUNTS[name]) for name in HAL_CLASSES}
    assert share["band_neutrophil"] > 5 * share["eosinophil"]
    assert disputed["hairy_cell"] == 0


def test_mistaken_labels_are_neighbours_and_as_many_as_asked_for():
    wanted = SmearSettings(
        images=4000, labels=LabelSettings(mistakes=0.1, disputed=0, lookalikes=0)
    )
    mistaken = [image for image in plan(wanted) if image.label != image.kind]
    assert 0.05 < len(mistaken) / 4000 < 0.2
    assert all(image.label in NEIGHBOURS[image.kind] for image in mistaken)
    none = replace(wanted, labels=LabelSettings(mistakes=0, disputed=0, lookalikes=0))
    assert all(image.label == image.kind for image in plan(none))


def test_lookalikes_lie_on_slides_of_both_sides():
    images = [image for image in plan(SmearSettings(images=500)) if image.database == LOOKALIKES]
    assert {image.slide.database for image in images} == {TRAIN, TEST}
    assert {image.label for image in images} == {"abnormal_lymphocyte"}
    assert {image.kind for image in images} == {"lookalike"}


def test_every_class_has_neighbours_and_a_rate_of_dispute():
    assert set(NEIGHBOURS) == set(DISPUTE) == set(HAL_CLASSES)
    assert all(set(names) <= set(HAL_CLASSES) for names in NEIGHBOURS.values())


def test_paths_are_unique_and_the_plan_repeats():
    wanted = SmearSettings(images=400)
    images = plan(wanted)
    assert len({(image.database, image.path("jpg")) for image in images}) == len(images)
    assert plan(wanted) == images
    assert plan(replace(wanted, seed=1)) != images


def test_a_part_of_the_classes_can_be_drawn():
    wanted = SmearSettings(images=40, counts={"blast": (3, 1), "lymphocyte": (1, 1)})
    assert {image.kind for image in plan(wanted)} <= {"blast", "lymphocyte", "lookalike"}


def test_one_slide_a_database_is_enough():
    few = SlideSettings(hairy_slides=2, hairy_test_slides=1, train_slides=1, test_slides=1)
    assert len(list_slides(SmearSettings(slides=few))) == 4
    assert plan(SmearSettings(images=1, slides=few))
