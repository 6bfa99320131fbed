from __future__ import annotations

import pytest

from pipelines.errors import ManifestError
from pipelines.folds import FoldSettings
from pipelines.near_duplicates import NearDuplicateSettings
from pipelines.split import SplitSettings
from pipelines.split_plan import SplitPlan, carry_out
from pipelines.split_report import describe_split
from pipelines.subsets import SubsetSettings
from tests.pipelines.disk import manifest_of, write_image


def test_an_empty_plan_changes_nothing(tmp_path):
    manifest = manifest_of(tmp_path, {"x": 3})
    assert carry_out(manifest, SplitPlan()) == (manifest,)


def test_steps_follow_one_another(tmp_path):
    manifest = manifest_of(tmp_path, {"x": 40, "y": 20})
    write_image(manifest.path(1), str(manifest.path(0)))
    plan = SplitPlan(
        near_duplicates=NearDuplicateSettings(),
        folds=FoldSettings(folds=3, validation=0),
        subset="half",
        subsets=SubsetSettings(sizes=(("half", 30),)),
        fraction=0.5,
    )
    folds = carry_out(manifest, plan)
    # 10 tested and half of 20 trained on; two files of one picture cannot be parted.
    assert [len(fold) for fold in folds] == pytest.approx([20, 20, 20], abs=1)
    for number, fold in enumerate(folds, 1):
        words = describe_split(fold)
        assert f"fold {number} of 3" in words
        assert "nested subset half" in words
        assert "Of the training side 0.5" in words
        assert "2 images in 1 groups" in words


def test_one_fold_is_one_of_all(tmp_path):
    manifest = manifest_of(tmp_path, {"x": 9})
    settings = FoldSettings(folds=3)
    (one,) = carry_out(manifest, SplitPlan(folds=settings, fold=2))
    assert one.table.equals(carry_out(manifest, SplitPlan(folds=settings))[1].table)


def test_a_subset_of_unsplit_images_is_split_as_in_the_study(tmp_path):
    manifest = manifest_of(tmp_path, {"x": 40})
    (tiny,) = carry_out(
        manifest, SplitPlan(subset="tiny", subsets=SubsetSettings(sizes=(("tiny", 20),)))
    )
    assert tiny.table["split"].value_counts().to_dict() == {"train": 10, "test": 6, "validation": 4}


def test_own_subsets_stand_as_long_as_the_own_split_does(tmp_path):
    own = {"split": ["train", "test"] * 10, "smallest_subset": ["tiny"] * 4 + ["small"] * 16}
    manifest = manifest_of(tmp_path, {"x": 20}, **own)
    (tiny,) = carry_out(manifest, SplitPlan(subset="tiny"))
    assert len(tiny) == 4
    anew = SplitSettings(keep_given=False)
    with pytest.raises(ManifestError, match="has no subset tiny: 20 images, 400 are asked for"):
        carry_out(manifest, SplitPlan(subset="tiny", split=anew))
    drawn = SubsetSettings(sizes=(("tiny", 10),))
    (tiny,) = carry_out(manifest, SplitPlan(subset="tiny", subsets=drawn))
    assert tiny.table["split"].value_counts().to_dict() == {"train": 5, "test": 5}


def test_given_sides_with_near_duplicates_are_refused(tmp_path):
    manifest = manifest_of(tmp_path, {"x": 4}, split=["train", "test"] * 2)
    write_image(manifest.path(1), str(manifest.path(0)))
    manifest.path(1).write_bytes(manifest.path(1).read_bytes() + b"!")  # another file
    (split,) = carry_out(manifest, SplitPlan(split=SplitSettings(validation=0)))
    assert split.rows("test").tolist() == [1, 3]
    plan = SplitPlan(NearDuplicateSettings(), SplitSettings(validation=0))
    with pytest.raises(ManifestError, match=r"near duplicates is on two sides.*row 1.*row 0"):
        carry_out(manifest, plan)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"fold": 2}, "Fold 2 is wanted of how many"),
        ({"fold": 6, "folds": FoldSettings()}, "Of 5 folds the first is 1 and the last 5, got 6"),
        ({"split": SplitSettings(), "folds": FoldSettings()}, "not both"),
    ],
)
def test_fields_must_go_together(fields, message):
    with pytest.raises(ManifestError, match=message):
        SplitPlan(**fields)
