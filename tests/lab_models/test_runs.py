from __future__ import annotations

import json
import os

import pytest

from lab_models.runs import RunDirectory, RunError, discard_run, new_run, newest_run, read_json
from tflite.runtime.contract import InputContract


def test_every_run_gets_a_directory_of_its_own(tmp_path):
    first, second = new_run(tmp_path, "hal_r"), new_run(tmp_path, "hal_r")
    assert first.path != second.path
    assert first.path.parent == tmp_path / "hal_r"


def test_the_newest_finished_run_is_found_whatever_its_recipe(tmp_path):
    for age, name in ((200, "pbc_tiny"), (100, "hal_r"), (0, "hal_t3001")):
        run = new_run(tmp_path, name)
        if age:  # the latest is not finished
            run.finished.touch()
            os.utime(run.finished, (1e9 - age, 1e9 - age))
    assert newest_run(tmp_path).path.parent.name == "hal_r"


def test_no_finished_run_is_an_error_that_says_what_to_do(tmp_path):
    with pytest.raises(RunError, match=r"No finished run in .*make train-hairy"):
        newest_run(tmp_path)


def test_classes_and_contract_come_from_the_run(tmp_path):
    run = RunDirectory(tmp_path)
    contract = InputContract(32, 48, crop=0.8)
    content = {"classes": ["b", "a"], "input": contract.to_dict()}
    run.contract_json.write_text(json.dumps(content))
    assert run.classes == ("b", "a")
    assert run.contract == contract


def test_a_missing_file_is_explained_by_the_state_of_the_run(tmp_path):
    run = RunDirectory(tmp_path / "run")
    with pytest.raises(RunError, match="is no directory"):
        run.require(run.model)
    run.path.mkdir()
    with pytest.raises(RunError, match="is no run directory"):
        run.require(run.model)
    run.recipe_json.write_text("{}")
    with pytest.raises(RunError, match=r"unfinished run .* has no model\.keras; go on with"):
        run.require(run.model)
    run.finished.touch()
    with pytest.raises(RunError, match=r"finished run .* the file was removed"):
        run.require(run.model)


def test_damaged_json_names_the_file(tmp_path):
    (tmp_path / "recipe.json").write_text("{")
    with pytest.raises(RunError, match=r"recipe\.json is not valid JSON"):
        read_json(tmp_path / "recipe.json")


def test_a_discarded_run_takes_only_empty_folders_with_it(tmp_path):
    kept, gone = new_run(tmp_path / "runs", "hal_r"), new_run(tmp_path / "runs", "hal_r")
    discard_run(gone)
    assert kept.path.is_dir()
    discard_run(kept)
    assert not (tmp_path / "runs").exists()
