from __future__ import annotations

import pandas as pd
import pytest

from lab_models.runs import RunDirectory, write_json
from lab_models.sanity import trainings
from lab_models.sanity.settings import SanityError
from lab_models.sanity.trainings import Training, find_or_train, folder_name
from pipelines.manifest import make_manifest, write_manifest
from pipelines.quarantine import write_quarantine
from tests.lab_models.sanity.tiny import tiny_recipe
from tflite.runtime.errors import LabError

MANIFEST = make_manifest(
    pd.DataFrame({"path": ["a.png", "b.png"], "label": ["blast", "basophil"]}), "somewhere"
)
TRAINING = Training("part_1", "A+B", 7, MANIFEST)


@pytest.fixture
def calls(monkeypatch):
    """Training is replaced by a note of what would have been done."""
    made = []

    def start_run(recipe, manifest, folder, say):
        run = RunDirectory(folder / recipe.name / f"run_{len(made)}")
        run.path.mkdir(parents=True)
        write_manifest(manifest, run.manifest)
        write_quarantine(pd.DataFrame({"path": [], "reason": []}), run.quarantine)
        write_json(run.recipe_json, recipe.to_dict())
        made.append(("start", recipe.seed))
        return run

    def go_on(run, say):
        made.append(("go on", run.path.name))
        run.finished.touch()

    monkeypatch.setattr(trainings, "start_run", start_run)
    monkeypatch.setattr(trainings, "go_on", go_on)
    return made


def find(tmp_path, training=TRAINING, **changes):
    recipe = tiny_recipe().changed(changes)
    return find_or_train(training, recipe, tmp_path, print)


def test_trains_once_with_the_seed_of_the_training(tmp_path, calls):
    first = find(tmp_path)
    assert calls == [("start", 7), ("go on", "run_0")]
    assert find(tmp_path).path == first.path
    assert len(calls) == 2


def test_goes_on_with_a_stopped_training(tmp_path, calls):
    run = find(tmp_path)
    run.finished.unlink()
    assert find(tmp_path).path == run.path
    assert calls[2:] == [("go on", "run_0")]


def test_refuses_a_training_of_another_recipe(tmp_path, calls):
    find(tmp_path)
    with pytest.raises(SanityError, match=r"batch_size is 16 there, 8 now.*--out"):
        find(tmp_path, batch_size=8)


def test_refuses_a_training_on_other_images(tmp_path, calls):
    find(tmp_path)
    table = MANIFEST.table.assign(path=["a.png", "c.png"])
    other = Training("part_1", "A+B", 7, MANIFEST.with_table(table))
    with pytest.raises(SanityError, match="1 of now were not there, 1 of then are not here"):
        find(tmp_path, other)


def test_what_failed_before_it_trained_leaves_nothing(tmp_path, calls, monkeypatch):
    def fail(run, say):
        raise LabError("no weights")

    monkeypatch.setattr(trainings, "go_on", fail)
    with pytest.raises(LabError, match="no weights"):
        find(tmp_path)
    assert not list(tmp_path.rglob("recipe.json"))


def test_folder_names():
    assert folder_name("St. Anna / Lund") == "St._Anna_Lund"
    assert folder_name("...") == "source"
