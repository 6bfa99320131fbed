from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab_models.label_map import LabelMap
from lab_models.label_meanings import understand_labels
from pipelines.labels import HAL_CLASSES, PBC_CLASSES
from tflite.runtime.errors import LabError

MODEL = ("segmented_neutrophil", "band_neutrophil", "lymphocyte", "monocyte")


def understood(labels, *maps, classes=MODEL, **options):
    return understand_labels(dict.fromkeys(labels, 5), LabelMap.parse(maps), classes, **options)


def test_equal_names_need_no_table():
    assert understood(["lymphocyte", "monocyte"]) == (LabelMap(), ())
    assert understood(["zebra"], classes=("zebra", "gnu")) == (LabelMap(), ())


def test_synonyms_and_finer_classes_are_looked_up_and_told():
    labels, notes = understood(["Lymphocytes", "hairy cell", "monocyte"])
    assert dict(labels.meanings) == {"Lymphocytes": ("lymphocyte",), "hairy cell": ("lymphocyte",)}
    assert notes == (
        "Labels mapped by the table of class names: Lymphocytes to lymphocyte, hairy cell to "
        "lymphocyte.",
    )


def test_the_words_of_the_data_set_are_known():
    labels, _ = understood(["SNE", "MO"], dataset="pbc")
    assert dict(labels.meanings) == {"SNE": ("segmented_neutrophil",), "MO": ("monocyte",)}
    with pytest.raises(LabError, match="does not know these labels of the data: 'MO'"):
        understood(["SNE", "MO"])


def test_a_coarse_label_is_an_error_with_the_reason_and_the_ways_out():
    expected = (
        r"these labels of the data: 'neutrophil'\. It knows: .*'neutrophil' is coarser .* any of "
        r"segmented_neutrophil, band_neutrophil\. Say .* --map neutrophil=segmented_neutrophil, or "
        r".* with --map neutrophil=, all with --classes model\."
    )
    with pytest.raises(LabError, match=expected):
        understood(["neutrophil", "lymphocyte"])


def test_what_the_user_says_goes_first():
    said = ("neutrophil=segmented_neutrophil,band_neutrophil", "Lymphocytes=")
    labels, notes = understood(["neutrophil", "Lymphocytes", "MON"], *said, dataset="bone_marrow")
    assert labels.meanings[:2] == LabelMap.parse(said).meanings
    assert labels.meanings[2:] == (("MON", ("monocyte",)),)
    assert notes[0].endswith("MON to monocyte.")
    with pytest.raises(LabError, match="the classes segmented_neutrophil stand for two labels"):
        understood(["neutrophil", "NGS"], said[0], dataset="bone_marrow")


def test_what_cannot_be_mapped_is_left_out_and_told_if_asked_for():
    labels, notes = understood(["neutrophil", "zebra", "lymphocyte"], leave_out=True)
    assert dict(labels.meanings) == {"neutrophil": (), "zebra": ()}
    assert "5 image(s) left out: 'neutrophil' is coarser" in " ".join(notes)
    assert "5 image(s) left out: The class 'zebra' is not in the table" in " ".join(notes)


def test_classes_that_the_table_does_not_know_are_told():
    with pytest.raises(LabError, match="table of class names knows none of the model's classes"):
        understood(["a"], classes=("x", "y"))
    labels, _ = understood(["Lymphocytes"], classes=("x", "lymphocyte"))
    assert dict(labels.meanings) == {"Lymphocytes": ("lymphocyte",)}


def test_two_classes_of_one_meaning_leave_the_first():
    labels, _ = understood(["Platelets"], classes=("platelet", "thrombocyte", "blast"))
    assert dict(labels.meanings) == {"Platelets": ("platelet",)}


def test_many_unknown_labels_are_told_in_few_words():
    labels = [f"label {number}" for number in range(10_000)]
    with pytest.raises(LabError) as refused:
        understood(labels)
    assert len(str(refused.value)) < 2000
    _, notes = understood(labels, leave_out=True)
    assert len(notes) <= 12


@given(st.sets(st.sampled_from((*HAL_CLASSES, *PBC_CLASSES, "odd, word")), min_size=1))
def test_every_label_is_understood_or_left_out(labels):
    full, _ = understood(sorted(labels), leave_out=True)
    for label in labels:
        meaning = dict(full.meanings).get(label, (label,))
        assert set(meaning) <= set(MODEL)
