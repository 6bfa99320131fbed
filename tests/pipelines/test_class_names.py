from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.class_names import (
    ancestors,
    check_table,
    datasets,
    descendants,
    names,
    preferred_name,
)
from pipelines.class_table import (
    BONE_MARROW_CODES,
    DATASET_WORDS,
    PBC_PREFIXES,
    TABLE,
    ClassName,
)
from pipelines.errors import ManifestError
from pipelines.labels import BONE_MARROW_CLASSES, CLASS_SETS, HAL_CLASSES, PBC_CLASSES

any_name = st.sampled_from(names())
any_word = st.sampled_from([word for entry in TABLE for word in (entry.name, *entry.synonyms)])


def test_the_table_has_no_faults():
    check_table(TABLE, DATASET_WORDS)


def test_every_class_of_every_study_is_in_the_table():
    for key, classes in CLASS_SETS.items():
        dataset = re.sub(r"\d+$", "", key)
        assert dataset in datasets()
        found = [preferred_name(name, dataset) for name in classes]
        assert len(set(found)) == len(classes)


def test_every_word_of_every_data_set_is_found():
    for dataset, words in DATASET_WORDS.items():
        assert {word: preferred_name(word, dataset) for word in words} == dict(words)


def test_codes_and_names_of_bone_marrow_stand_in_one_order():
    assert tuple(BONE_MARROW_CODES.values()) == BONE_MARROW_CLASSES
    assert list(BONE_MARROW_CODES) == sorted(BONE_MARROW_CODES)
    assert len(BONE_MARROW_CODES) == 21


def test_every_finer_class_of_a_pbc_prefix_lies_in_a_folder_of_pbc():
    folders = {preferred_name(name) for name in PBC_CLASSES}
    for name in PBC_PREFIXES.values():
        assert folders & {name, *ancestors(name)}


@pytest.mark.parametrize(
    ("word", "dataset", "name"),
    [
        ("Neutrophils", None, "neutrophil"),
        ("Segmented-Neutrophil", None, "segmented_neutrophil"),
        ("  hairy cell ", None, "hairy_cell"),
        ("HAC", None, "hairy_cell"),
        ("HAC", "bone_marrow", "hairy_cell"),
        ("Faggott cell", None, "faggot_cell"),
        ("BAS", None, "basophil"),
        ("MY", "pbc", "myelocyte"),
        ("3", "an2dl", "immature_granulocyte"),
        (
            "immature granulocytes(myelocytes, metamyelocytes and promyelocytes)",
            "bloodmnist",
            "immature_granulocyte",
        ),
        ("Giant_Thrombocyte", "hal", "giant_platelet"),
        ("real", "particles", "bone_marrow_particle"),
        ("Erythroblast (NRBC)", None, "erythroblast"),
    ],
)
def test_words_and_their_names(word, dataset, name):
    assert preferred_name(word, dataset) == name


@pytest.mark.parametrize("word", ["real", "3", "MY", "", "s", "quux", "細胞"])
def test_words_that_mean_nothing_by_themselves(word):
    with pytest.raises(ManifestError, match="is not in the table of names"):
        preferred_name(word)


def test_the_nearest_names_are_told():
    with pytest.raises(ManifestError, match="the nearest are basophil"):
        preferred_name("bassophil")


def test_an_unknown_data_set_is_named():
    with pytest.raises(ManifestError, match="knows no data set 'mars'; it knows hal, pbc"):
        preferred_name("blast", "mars")


@given(any_word, st.sampled_from([str.upper, str.title, str.lower]), st.sampled_from(" -_."))
def test_writing_does_not_matter(word, case, separator):
    assert preferred_name(case(word).replace("_", separator)) == preferred_name(word)


@given(any_name)
def test_groups_are_trees(name):
    above = ancestors(name)
    assert name not in above
    assert len(set(above)) == len(above)
    assert all(name in descendants(group) for group in above)
    assert preferred_name(name) == name
    for finer in descendants(name):
        assert ancestors(finer)[-len(above) :] == above or not above


def test_the_groups_of_hal():
    assert ancestors("band_neutrophil") == ("neutrophil", "granulocyte", "leukocyte")
    assert descendants("immature_granulocyte") == ("promyelocyte", "myelocyte", "metamyelocyte")
    assert ancestors("hairy_cell")[:2] == ("abnormal_lymphocyte", "lymphocyte")
    assert ancestors("Thrombocyte") == ()
    platelets = [name for name in HAL_CLASSES if "platelet" in ancestors(name)]
    assert platelets == ["giant_thrombocyte", "thrombocyte_aggregation", "large_thrombocyte"]


@pytest.mark.parametrize(
    ("table", "words", "message"),
    [
        ([ClassName("a", "b")], {}, "the parent 'b' of 'a' is missing"),
        ([ClassName("a", "b"), ClassName("b", "a")], {}, "'a' is, over its parents, part of"),
        ([ClassName("a", "a")], {}, "part of itself"),
        ([ClassName("a"), ClassName("b", "", ("A",))], {}, "more than once: 'a'"),
        ([ClassName("a"), ClassName("a")], {}, "more than once: 'a'"),
        ([ClassName("ab"), ClassName("c", "", ("abs",))], {}, "plural s only: 'abs'"),
        ([ClassName("Large cell")], {}, "'Large cell' is not in snake_case"),
        ([ClassName("a")], {"x": {"w": "b"}}, "x calls a class 'w' that is missing: 'b'"),
        ([ClassName("a")], {"x": {"w": "a", "W": "a"}}, "x has the word 'w' twice"),
        ([ClassName("a"), ClassName("b")], {"x": {"w": "a"}, "y": {"w": "b"}}, "'w' means 'a' or"),
        ([ClassName("a"), ClassName("b")], {"x": {"b": "a"}}, "'b' means 'b' or, in x, 'a'"),
    ],
)
def test_a_table_with_faults_is_refused(table, words, message):
    with pytest.raises(ManifestError, match=re.escape(message)):
        check_table(table, words)


def test_all_faults_are_told_at_once():
    with pytest.raises(ManifestError, match=r"(?s)missing.*twice"):
        check_table([ClassName("a", "b")], {"x": {"w": "a", "W": "a"}})


def test_the_page_shows_the_whole_table():
    page = (Path(__file__).parents[2] / "docs" / "class_names.md").read_text(encoding="utf-8")
    rows = {line.split("`")[1]: line for line in page.splitlines() if re.match(r"\| (· )*`", line)}
    assert list(rows) == list(names())
    for entry in TABLE:
        row = rows[entry.name]
        assert row.count("·") == len(ancestors(entry.name))
        words = [word.replace("_", " ") for word in entry.synonyms]
        for own in (PBC_PREFIXES, BONE_MARROW_CODES):
            words += [word for word, name in own.items() if name == entry.name]
        for word in words:
            assert re.search(rf"[ |,]{re.escape(word)}[ |,]", row.split("`")[2])
