from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.class_mapping import class_set, map_classes, map_manifest
from pipelines.class_names import ancestors, names
from pipelines.class_table import BONE_MARROW_CODES
from pipelines.datasets import open_dataset
from pipelines.errors import ManifestError
from pipelines.labels import CLASS_SETS, HAL_CLASSES, PBC_CLASSES
from pipelines.manifest import check_manifest
from tests.pipelines.disk import manifest_of

some_names = st.lists(st.sampled_from(names()), min_size=2, max_size=12, unique=True)


@pytest.mark.parametrize(("key", "classes"), CLASS_SETS.items())
def test_a_study_maps_onto_itself(key, classes):
    found = map_classes(classes, key, key.rstrip("0123456789"))
    assert found.mapping == {name: name for name in classes}
    assert not found.impossible
    assert not found.doubts


def test_hal_onto_pbc():
    found = map_classes(HAL_CLASSES, "pbc", "hal")
    assert found.mapping["band_neutrophil"] == "neutrophil"
    assert found.mapping["myelocyte"] == "ig"
    assert found.mapping["hairy_cell"] == "lymphocyte"
    assert found.mapping["giant_thrombocyte"] == "platelet"
    assert set(found.impossible) == {"blast", "plasma_cell", "smudge_cell", "artefact"}
    assert "none of 'blast' or of leukocyte, which it belongs to" in found.impossible["blast"]


def test_pbc_onto_hal_names_what_is_too_coarse():
    found = map_classes(PBC_CLASSES, "hal20")
    assert set(found.impossible) == {"ig", "neutrophil", "platelet"}
    assert found.impossible["ig"] == (
        "'ig' (immature_granulocyte) is coarser than the classes asked for: it may be any of "
        "promyelocyte, myelocyte, metamyelocyte."
    )
    assert "may hold reactive_lymphocyte" in found.doubts["lymphocyte"]


def test_bone_marrow_onto_hal():
    found = map_classes(BONE_MARROW_CODES, "hal", "bone_marrow")
    assert found.mapping["HAC"] == "hairy_cell"
    assert found.mapping["ABE"] == "eosinophil"
    assert found.mapping["PEB"] == "erythroblast"
    assert set(found.impossible) == {"FGC", "LYI", "NIF", "OTH"}


def test_the_finest_group_is_taken():
    found = map_classes(["segmented_neutrophil", "monocyte"], ["leukocyte", "granulocyte"])
    assert found.mapping == {"segmented_neutrophil": "granulocyte", "monocyte": "leukocyte"}


@given(some_names, some_names)
def test_every_word_is_mapped_onto_itself_or_a_group_or_named(words, onto):
    found = map_classes(words, onto)
    assert set(found.mapping) | set(found.impossible) == set(words)
    assert not set(found.mapping) & set(found.impossible)
    for word, target in found.mapping.items():
        line = (word, *ancestors(word))
        assert target == next(name for name in line if name in onto)
    for word in found.impossible:
        assert not {word, *ancestors(word)} & set(onto)


@given(some_names, some_names)
def test_mapping_twice_changes_nothing(words, onto):
    once = map_classes(words, onto)
    again = map_classes(once.mapping.values(), onto)
    assert again.mapping == {name: name for name in once.mapping.values()}


@pytest.mark.parametrize(
    ("onto", "message"),
    [
        ("mars", r"no set of classes 'mars'; there are hal, pbc, "),
        ("blast", r"a list of at least two|A list of at least two"),
        (["neutrophil", "Neutrophils"], "both mean neutrophil; name it once"),
        ("blast, basophile, quux", "'quux' is not in the table"),
    ],
)
def test_classes_that_cannot_be_mapped_onto(onto, message):
    with pytest.raises(ManifestError, match=message):
        map_classes(["blast"], onto)


def test_an_unknown_data_set():
    with pytest.raises(ManifestError, match="knows no data set 'mars'"):
        map_classes(["blast"], "hal", "mars")


def test_lists_keep_their_own_words():
    assert class_set("Thrombocyte, WBC") == ("Thrombocyte", "WBC")
    assert class_set("HAL") == HAL_CLASSES
    assert map_classes(["blast"], "Thrombocyte, WBC").mapping == {"blast": "WBC"}


def test_a_manifest_is_mapped_and_says_what_it_left_out(tmp_path):
    given_labels = {"Neutrophil": 3, "Band": 1, "LYT": 2, "basophil": 1, "smudge cell": 2}
    manifest = manifest_of(tmp_path, given_labels, slide="s1")
    mapped = map_manifest(manifest, "hal", "bone_marrow")
    assert mapped.classes == ("basophil", "lymphocyte", "smudge_cell")
    assert set(mapped.table["label_given"]) == {"LYT", "basophil", "smudge cell"}
    assert set(mapped.table["slide"]) == {"s1"}
    check_manifest(mapped)
    notes = " ".join(mapped.notes)
    assert "4 image(s) of 2 class(es) are left out" in notes
    assert "3 image(s) left out: 'Neutrophil' is coarser" in notes
    assert "1 image(s) left out: The class of bone_marrow 'Band' is not in the table" in notes
    assert "LYT to lymphocyte" in notes
    assert "Classes asked for without any image: segmented_neutrophil" in notes


def test_the_first_labels_are_kept_when_mapped_twice(tmp_path):
    manifest = manifest_of(tmp_path, {"HAC": 1, "LYT": 1, "BAS": 1})
    twice = map_manifest(map_manifest(manifest, "hal"), "granulocyte,lymphocyte")
    assert dict(zip(twice.table["label_given"], twice.table["label"])) == {
        "BAS": "granulocyte",
        "HAC": "lymphocyte",
        "LYT": "lymphocyte",
    }


def test_nothing_that_can_be_mapped(tmp_path):
    manifest = manifest_of(tmp_path, {"cat": 1, "dog": 1})
    with pytest.raises(ManifestError, match=r"No class of .* can be mapped onto basophil.*'cat'"):
        map_manifest(manifest, "pbc")


def test_thousands_of_unknown_words_are_all_named():
    words = [f"class {number}" for number in range(10_000)]
    found = map_classes([*words, "blast"], "hal")
    assert list(found.impossible) == words
    assert found.mapping == {"blast": "blast"}
    assert "nothing is spelt like it" in found.impossible["class 0"]
    assert found.impossible["class 9999"].endswith("'class 9999' is not in the table of names.")


def test_every_reader_takes_classes(tmp_path):
    manifest_of(tmp_path, {"Lymphocytes": 1, "hairy-cell": 1, "dog": 1})
    manifest = open_dataset(tmp_path, classes="pbc")
    assert set(manifest.table["label"]) == {"lymphocyte"}
    assert manifest.notes[0].startswith("Read as folders")
    assert any("'dog' is not in the table" in note for note in manifest.notes)
