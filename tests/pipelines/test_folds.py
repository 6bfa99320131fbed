from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from pipelines.errors import ManifestError
from pipelines.folds import FoldSettings, choose_fold, make_folds
from pipelines.leaks import check_leaks
from pipelines.manifest import make_manifest, read_manifest, write_manifest
from pipelines.split_report import describe_split
from tests.pipelines.disk import manifest_of, write_image
from tests.pipelines.untimed import UNTIMED


def listed(labels, **columns):
    """A manifest of files that are not there (and so are like no other)."""
    paths = [f"{number}.png" for number in range(len(labels))]
    return make_manifest(pd.DataFrame({"path": paths, "label": labels, **columns}), "nowhere")


def counts_by_fold(fold_of, labels):
    return pd.crosstab(np.asarray(fold_of), np.asarray(labels)).to_numpy()


def test_each_image_is_tested_once_and_classes_keep_their_shares():
    manifest = listed(["x"] * 50 + ["y"] * 20)
    folds = make_folds(manifest)
    assert len(folds) == 5
    tested = np.concatenate([fold.rows("test") for fold in folds])
    assert sorted(tested) == list(range(70))
    for number, fold in enumerate(folds, 1):
        counts = pd.crosstab(fold.table["label"], fold.table["split"])
        assert counts["test"].tolist() == [10, 4]
        assert counts["validation"].tolist() == [8, 3]
        assert set(fold.table.loc[fold.rows("test"), "test_fold"]) == {f"{number}/5"}
        assert f"This is fold {number} of 5" in describe_split(fold)
    assert "Near duplicates were not searched" in describe_split(folds[0])


def test_validation_can_be_left_out():
    fold = make_folds(listed(["x"] * 10), FoldSettings(folds=2, validation=0))[0]
    assert fold.table["split"].value_counts().to_dict() == {"train": 5, "test": 5}


def test_patients_are_in_one_fold_and_a_given_split_is_set_aside():
    patients = [f"p{number // 4}" for number in range(60)]
    manifest = listed(["x", "y"] * 30, patient=patients, split=["train"] * 60)
    folds = make_folds(manifest, FoldSettings(folds=3))
    for fold in folds:
        assert fold.table.groupby("patient")["split"].nunique().max() == 1
        assert set(fold.table["split_by"]) == {"patient"}
        assert "set aside for the folds" in describe_split(fold)


def test_any_column_and_near_duplicates_can_be_kept_whole():
    days = [f"day {number // 6}" for number in range(60)]
    twins = [f"{number - number % 2}.png" for number in range(60)]
    manifest = listed(["x", "y"] * 30, day=days, near_duplicates=twins)
    for fold in make_folds(manifest, FoldSettings(by="day")):
        assert fold.table.groupby("day")["split"].nunique().max() == 1
    for fold in make_folds(manifest, FoldSettings(by="image")):
        assert fold.table.groupby("near_duplicates")["split"].nunique().max() == 1
        assert set(fold.table["split_by"]) == {"near_duplicates"}


def test_files_of_identical_content_are_in_one_fold(tmp_path):
    manifest = manifest_of(tmp_path, {"x": 12, "y": 12})
    for row in (0, 5, 9):
        write_image(manifest.path(row), "twin")
    manifest = manifest.with_table(manifest.table.assign(label=["x", "y"] * 12))
    for fold in make_folds(manifest, FoldSettings(folds=3)):
        assert "1 image(s) are in the data several times with different labels" in fold.notes[-1]
        assert fold.table["split"].iloc[[0, 5, 9]].nunique() == 1
        check_leaks(fold)


def test_a_fold_can_be_written_and_read_and_says_what_it_is(tmp_path):
    fold = choose_fold(manifest_of(tmp_path, {"x": 12}), 2, FoldSettings(folds=3))
    write_manifest(fold, tmp_path / "m.csv")
    again = read_manifest(tmp_path / "m.csv")
    assert describe_split(again) == describe_split(fold)
    assert "This is fold 2 of 3" in describe_split(again)


@pytest.mark.parametrize("fold", [0, 4])
def test_a_fold_must_exist(fold):
    with pytest.raises(ManifestError, match=f"no fold {fold}; of 3 folds the first is 1"):
        choose_fold(listed(["x"] * 9), fold, FoldSettings(folds=3))


def test_fewer_groups_than_folds_are_refused():
    manifest = listed(["x"] * 9, slide=["a", "b", "c"] * 3)
    with pytest.raises(ManifestError, match=r"5 folds by slide: only 3 would hold any.* 3 groups"):
        make_folds(manifest, FoldSettings(by="slide"))
    assert set(make_folds(manifest)[0].table["split_by"]) == {"image"}  # auto finds a way


def test_a_rare_class_is_refused_with_the_counts_if_so_set():
    manifest = listed(["x"] * 20 + ["rare_cell"] * 2)
    chosen = FoldSettings(folds=4, require_every_class=True)
    message = r"Fold 1 of 4: .*rare cell train 1, validation 0, test 1\."
    with pytest.raises(ManifestError, match=message):
        make_folds(manifest, chosen)
    assert "rare cell" in describe_split(make_folds(manifest, FoldSettings(folds=4))[0])


def test_a_class_of_one_image_cannot_be_tested_without_being_trained():
    with pytest.raises(ManifestError, match=r"Fold 1 of 2: There is no training image of 'y'"):
        make_folds(listed(["x"] * 9 + ["y"]), FoldSettings(folds=2))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"folds": 1}, "folds must be a whole number from 2, got 1"),
        ({"folds": 2.5, "validation": 1}, "folds must be .* got 2.5; validation must be"),
        ({"by": "given"}, "by must be auto, image.* got 'given'"),
        ({"minimum_groups": 0}, "minimum_groups must be at least 2, got 0"),
    ],
)
def test_bad_settings_are_all_named(fields, message):
    with pytest.raises(ManifestError, match=message):
        FoldSettings(**fields)


@pytest.mark.parametrize("folds", [2, 5, 10])
def test_single_images_are_as_even_as_scikit_learn_deals_them(folds):
    labels = np.repeat(np.arange(5), (503, 211, 97, 40, 13))
    names = [f"class_{label}" for label in labels]
    made = make_folds(listed(names), FoldSettings(folds=folds, validation=0))
    ours = counts_by_fold(made[0].table["test_fold"], labels)
    theirs = np.zeros_like(ours)
    splitter = StratifiedKFold(folds, shuffle=True, random_state=0)
    for fold, (_, test) in enumerate(splitter.split(labels, labels)):
        theirs[fold] = np.bincount(labels[test], minlength=5)
    assert np.ptp(ours, axis=0).max() <= 1
    assert np.ptp(ours, axis=0).max() <= np.ptp(theirs, axis=0).max()


def unevenness(counts):
    """Mean standard deviation over folds of the share of each class that a fold holds."""
    return (counts / counts.sum(0)).std(0).mean()


@pytest.mark.parametrize("seed", range(4))
def test_groups_are_dealt_at_least_as_evenly_as_by_scikit_learn(seed):
    draws = np.random.default_rng(seed)
    slides = np.sort(draws.integers(0, 40, 900))
    favourite = draws.integers(0, 6, 40)  # slides differ in what they hold, as patients do
    labels = np.where(draws.random(900) < 0.5, favourite[slides], draws.integers(0, 6, 900))
    manifest = listed([f"class_{label}" for label in labels], slide=[f"s{s}" for s in slides])
    made = make_folds(manifest, FoldSettings(by="slide", validation=0))
    ours = counts_by_fold(made[0].table["test_fold"], labels)
    theirs = np.zeros_like(ours)
    splitter = StratifiedGroupKFold(5, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for fold, (_, test) in enumerate(splitter.split(labels, labels, slides)):
            theirs[fold] = np.bincount(labels[test], minlength=6)
    assert unevenness(ours) <= unevenness(theirs)


rows = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 20)),
    min_size=10,
    max_size=40,
)


@settings(UNTIMED, max_examples=15)
@example(  # five slides, but one of two folds leaves a single slide to train and validate on
    rows=[("a", 0)] * 6 + [("a", slide) for slide in range(1, 5)], seed=0, folds=2, by="auto"
)
@example(  # fewer images of each class than folds
    rows=[("a", 0)] * 4 + [("b", 0)] * 3 + [("c", 0)] * 3, seed=0, folds=5, by="auto"
)
@given(
    rows=rows,
    seed=st.integers(0, 5),
    folds=st.integers(2, 6),
    by=st.sampled_from(["auto", "slide", "image"]),
)
def test_folds_never_leak_and_never_lose_an_image(rows, seed, folds, by):
    labels, slides = zip(*rows)
    manifest = listed(list(labels), slide=[f"s{slide}" for slide in slides])
    chosen = FoldSettings(folds=folds, by=by, seed=seed, validation=0.3)
    refusal = ""
    try:
        made = make_folds(manifest, chosen)
    except ManifestError as error:
        refusal = str(error)
    if refusal:
        labelled = pd.DataFrame({"label": labels, "slide": slides})
        least = labelled.groupby("label").size().min()
        assert "training image" in refusal or "without an image" in refusal or "folds" in refusal
        assert by == "slide" or least < 3 or len(rows) < folds
        return
    tested = np.concatenate([fold.rows("test") for fold in made])
    assert sorted(tested) == list(range(len(rows)))
    for fold in made:
        assert set(fold.table["split"]) == {"train", "validation", "test"}
        assert set(fold.table.loc[fold.rows("train"), "label"]) == set(labels)
        check_leaks(fold, content=False)
        if "slide" in set(fold.table["split_by"]):
            assert fold.table.groupby("slide")["split"].nunique().max() == 1
    mixed = manifest.with_table(manifest.table.sample(frac=1, random_state=seed))
    for fold, again in zip(made, make_folds(mixed, chosen)):
        assert dict(zip(fold.table["path"], fold.table["split"])) == dict(
            zip(again.table["path"], again.table["split"])
        )
