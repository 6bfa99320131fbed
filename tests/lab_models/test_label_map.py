"""Foreign labels against the classes of a model."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lab_models.label_map import LabelMap
from tflite.runtime.errors import LabError

CLASSES = ("segmented", "band", "lymphocyte", "artefact")


def test_labels_are_renamed_merged_and_left_out():
    labels = LabelMap.parse(["NEU=segmented,band", "LY = lymphocyte", "XX="])
    labels.check({"NEU", "LY", "XX", "artefact"}, CLASSES)
    renamed = labels.rename(pd.Series(["LY", "NEU", "XX", "artefact"]))
    assert renamed.tolist() == ["lymphocyte", "NEU", "", "artefact"]
    scores, names = labels.merge(np.array([[0.1, 0.2, 0.3, 0.4]]), CLASSES)
    assert names == ("NEU", "lymphocyte", "artefact")
    np.testing.assert_allclose(scores, [[0.3, 0.3, 0.4]])


def test_merged_scores_still_add_up_to_one():
    scores = np.random.default_rng(0).dirichlet(np.ones(4), 10)
    merged, _ = LabelMap.parse(["x=band,artefact"]).merge(scores, CLASSES)
    np.testing.assert_allclose(merged.sum(axis=1), 1)


def test_an_empty_map_changes_nothing():
    scores = np.eye(4)
    merged, names = LabelMap().merge(scores, CLASSES)
    assert names == CLASSES
    np.testing.assert_array_equal(merged, scores)


@pytest.mark.parametrize(
    ("texts", "labels", "match"),
    [
        ([], {"band", "zebra"}, r"does not know these labels of the data: 'zebra'.*--map zebra="),
        (["zebra=band"], {"band"}, "the data has no label zebra"),
        (["zebra=horse"], {"zebra"}, "the model has no class horse"),
        (["a=band,segmented", "b=band,artefact"], {"a", "b"}, "band stand for two labels"),
        (["a=band,segmented"], {"a", "band"}, "band stand for two labels"),
        (["lymphocyte=band,segmented"], {"lymphocyte"}, "name of another class"),
    ],
)
def test_maps_that_do_not_fit_are_refused(texts, labels, match):
    with pytest.raises(LabError, match=match):
        LabelMap.parse(texts).check(labels, CLASSES)


@pytest.mark.parametrize("texts", [["nothing"], ["=band"], ["a=band", "a=segmented"]])
def test_texts_of_another_form_are_refused(texts):
    with pytest.raises(LabError, match="LABEL=CLASS"):
        LabelMap.parse(texts)
