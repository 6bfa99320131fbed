"""Reading back what a model answered."""

from __future__ import annotations

import numpy as np
import pytest

from lab_models.predictions import make_predictions, read_features, read_predictions
from lab_models.runs import RunError
from tests.lab_models.fake_run import make_fake_run, make_table

ABC = ("a", "b", "NA")  # a class that a careless reader takes for a missing value


@pytest.fixture
def table():
    return make_table(ABC, 6, "test", 0, np.random.default_rng(0))


def test_a_run_reads_back(tmp_path):
    run = make_fake_run(tmp_path / "r" / "t", ABC, per_class=6)
    predictions = read_predictions(run.predictions, ABC)
    assert predictions.splits == ("test", "validation")
    assert len(predictions.part("test")) + len(predictions.part("validation")) == len(predictions)
    labels = [ABC[n] for n in predictions.truth]
    assert labels == predictions.table["label"].tolist()
    assert [ABC[n] for n in predictions.answers] == predictions.table["predicted"].tolist()
    with pytest.raises(RunError, match="no image of the split 'train'"):
        predictions.part("train")


def test_features_come_in_the_order_of_the_predictions(tmp_path):
    run = make_fake_run(tmp_path / "r" / "t", ABC, per_class=6)
    predictions = read_predictions(run.predictions, ABC)
    features = read_features(run.features, predictions)
    np.savez(
        run.features,
        index=predictions.table["index"].to_numpy()[::-1],
        features=features[::-1],
    )
    np.testing.assert_array_equal(read_features(run.features, predictions), features)
    assert read_features(tmp_path / "none.npz", predictions) is None


def test_features_of_another_run_are_refused(tmp_path):
    run = make_fake_run(tmp_path / "r" / "t", ABC, per_class=6)
    predictions = read_predictions(run.predictions, ABC)
    np.savez(run.features, index=np.arange(3), features=np.zeros((3, 2), np.float32))
    with pytest.raises(RunError, match="not from the same run"):
        read_features(run.features, predictions)
    run.features.write_bytes(b"PK broken")
    with pytest.raises(RunError, match="cannot be read"):
        read_features(run.features, predictions)


def test_missing_columns_are_named(table):
    with pytest.raises(RunError, match=r"score:b.*evaluate the run again"):
        make_predictions(table.drop(columns="score:b"), ABC, "t.csv")


def test_unknown_labels_are_named(table):
    table.loc[2, "label"] = "zebra"
    with pytest.raises(RunError, match="'zebra'"):
        make_predictions(table, ABC, "t.csv")


@pytest.mark.parametrize("value", [np.nan, np.inf, -0.2, 1.5])
def test_scores_must_be_probabilities(table, value):
    table.loc[3, "score:a"] = value
    with pytest.raises(RunError, match="1 rows have scores outside"):
        make_predictions(table, ABC, "t.csv")


def test_a_swapped_order_of_classes_is_noticed(table):
    with pytest.raises(RunError, match="order of the classes"):
        make_predictions(
            table.rename(columns={"score:a": "score:b", "score:b": "score:a"}), ABC, "t.csv"
        )


def test_an_empty_table_is_refused(table):
    with pytest.raises(RunError, match="holds no prediction"):
        make_predictions(table.iloc[:0], ABC, "t.csv")


def test_a_file_that_is_no_table_is_refused(tmp_path):
    path = tmp_path / "predictions.csv"
    path.write_bytes(b"")
    with pytest.raises(RunError, match="cannot be read as a table"):
        read_predictions(path, ABC)
