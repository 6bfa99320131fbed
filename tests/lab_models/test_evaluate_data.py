"""Evaluation of a run's model on data on disk."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from lab_models.compare import compare_runs
from lab_models.evaluate import EvaluationSettings
from lab_models.evaluate_data import DataSettings, evaluate_run
from lab_models.label_map import LabelMap
from lab_models.report.projection import ProjectionSettings
from lab_models.runs import RunError, read_json, write_json
from tests.lab_models.fake_run import add_networks, make_fake_run
from tflite.runtime.errors import LabError

SETTINGS = EvaluationSettings(projection=ProjectionSettings(method="pca"), dpi=20)
CLASSES = ("segmented", "band", "lymphocyte")


def write_images(folder, labels=CLASSES, each=4, seed=0):
    generator = np.random.default_rng(seed)
    for label in labels:
        (folder / label).mkdir(parents=True)
        for n in range(each):
            pixels = generator.integers(0, 255, (40, 36, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / label / f"{label}_{n}.png")
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    made = make_fake_run(folder / "fake" / "now", CLASSES, per_class=4, images=folder / "images")
    add_networks(made)
    return made


def quiet(_):
    pass


def test_a_data_set_is_evaluated_into_a_folder_like_a_run(run, tmp_path):
    data = write_images(tmp_path / "new cells")
    (data / "band" / "broken.png").write_bytes(b"no image")
    said = []
    made, figures = evaluate_run(run, data, settings=SETTINGS, say=said.append)
    assert made.path == run.path / "evaluations" / "new_cells"
    assert figures["splits"]["new"]["images"] == 12
    assert figures["data"] == "images of new_cells"
    assert "The model was trained on none of the images." in said
    assert pd.read_csv(made.quarantine)["path"].tolist() == ["band/broken.png"]
    assert "broken.png" in made.report.read_text()
    features = np.load(made.features)["features"]
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, atol=1e-5)
    assert compare_runs([made, made]).images == 12
    assert not list(made.path.glob(".*"))


def test_scores_are_those_of_the_saved_model(run, tmp_path):
    import keras

    from tflite.runtime.preprocess import prepare_image

    data = write_images(tmp_path / "cells", each=1)
    made, _ = evaluate_run(run, data, settings=SETTINGS, say=quiet)
    table = pd.read_csv(made.predictions)
    images = np.stack([prepare_image(data / path, run.contract) for path in table["path"]])
    expected = keras.saving.load_model(run.model).predict_on_batch(images.astype(np.float32))
    own = table[[f"score:{name}" for name in CLASSES]]
    np.testing.assert_allclose(own, expected, atol=1e-5)


def test_labels_that_the_model_does_not_know_are_named(run, tmp_path):
    data = write_images(tmp_path / "unknown", ("band", "zebra"))
    with pytest.raises(LabError, match="does not know these labels of the data: 'zebra'"):
        evaluate_run(run, data, settings=SETTINGS, say=quiet)
    assert not (run.path / "evaluations" / "unknown").exists()


def test_foreign_labels_are_mapped(run, tmp_path):
    data = write_images(tmp_path / "foreign", ("NEU", "LY", "rubbish"))
    labels = LabelMap.parse(["NEU=segmented,band", "LY=lymphocyte", "rubbish="])
    made, figures = evaluate_run(run, data, DataSettings(labels=labels), SETTINGS, quiet)
    assert figures["class_names"] == ["NEU", "lymphocyte"]
    assert figures["splits"]["new"]["images"] == 8
    assert "Left out by the map of labels: 4 images." in made.report.read_text()


def test_images_that_were_trained_on_are_left_out(tmp_path):
    run = make_fake_run(tmp_path / "f" / "n", CLASSES, per_class=4, images=tmp_path / "images")
    add_networks(run)
    data = write_images(tmp_path / "mixed")
    manifest = pd.read_csv(run.manifest)
    known = manifest[manifest["split"] == "train"]["path"].iloc[0]
    (data / "band" / "copy.png").write_bytes((tmp_path / "images" / known).read_bytes())
    said = []
    _, figures = evaluate_run(run, data, settings=SETTINGS, say=said.append)
    assert figures["splits"]["new"]["images"] == 12
    assert "The model was trained on 1 of the images." in said
    keep = DataSettings(include_training=True)
    _, figures = evaluate_run(run, data, keep, SETTINGS, quiet)
    assert figures["splits"]["new"]["images"] == 13
    with pytest.raises(LabError, match=r"No image of .* is left"):
        evaluate_run(run, tmp_path / "images" / "test", settings=SETTINGS, say=quiet)


def test_one_split_of_a_table_is_evaluated(run, tmp_path):
    data = write_images(tmp_path / "cells")
    paths = sorted(p.relative_to(data).as_posix() for p in data.rglob("*.png"))
    table = pd.DataFrame({"path": paths, "label": [p.split("/")[0] for p in paths]})
    table["split"] = ["test", "train"] * 6
    table.to_csv(data / "cells.csv", index=False)
    chosen = DataSettings(split="test", name="half")
    made, figures = evaluate_run(run, data / "cells.csv", chosen, SETTINGS, quiet)
    assert made.path.name == "half"
    assert figures["splits"]["test"]["images"] == 6
    with pytest.raises(LabError, match="no images of the split 'validation'; it has: test, train"):
        evaluate_run(run, data / "cells.csv", DataSettings(split="validation"), SETTINGS, quiet)


def test_an_untold_origin_is_said(tmp_path):
    run = make_fake_run(tmp_path / "f" / "n", CLASSES, per_class=4)
    add_networks(run)
    said = []
    evaluate_run(run, write_images(tmp_path / "d", each=2), settings=SETTINGS, say=said.append)
    assert any("overlap is not known" in line for line in said)
    write_json(run.environment, {"data_root": str(tmp_path / "gone")})
    evaluate_run(run, tmp_path / "d", settings=SETTINGS, say=said.append)
    assert any("training images are gone" in line for line in said)


@pytest.mark.parametrize("name", ["model.keras", "encoder.keras"])
def test_a_missing_or_damaged_network_is_said(tmp_path, name):
    run = make_fake_run(tmp_path / "f" / "n", CLASSES, per_class=4)
    add_networks(run)
    data = write_images(tmp_path / "d", each=1)
    (run.path / name).write_bytes(b"damaged")
    with pytest.raises(RunError, match=f"{name} cannot be loaded"):
        evaluate_run(run, data, settings=SETTINGS, say=quiet)
    (run.path / name).unlink()
    with pytest.raises(RunError, match=f"has no {name}"):
        evaluate_run(run, data, settings=SETTINGS, say=quiet)


def test_a_network_of_another_run_is_refused(tmp_path):
    run = make_fake_run(tmp_path / "f" / "n", CLASSES, per_class=4)
    add_networks(run)
    contract = read_json(run.contract_json)
    run.contract_json.write_text(json.dumps({**contract, "classes": ["band", "lymphocyte"]}))
    with pytest.raises(RunError, match="not of one run"):
        evaluate_run(run, write_images(tmp_path / "d", ("band",), 1), settings=SETTINGS, say=quiet)


def test_labels_are_looked_up_in_the_table_of_names(run, tmp_path):
    data = write_images(tmp_path / "others", ("Lymphocytes", "hairy_cell"))
    said = []
    made, figures = evaluate_run(run, data, settings=SETTINGS, say=said.append)
    assert figures["splits"]["new"]["images"] == 8
    assert any("Lymphocytes to lymphocyte, hairy_cell to lymphocyte" in line for line in said)
    manifest = pd.read_csv(made.manifest)
    assert set(manifest["label"]) == {"lymphocyte"}
    assert set(manifest["label_given"]) == {"Lymphocytes", "hairy_cell"}
    assert "Labels mapped by the table of class names" in made.report.read_text()


def test_what_the_model_has_no_class_for_can_be_left_out(run, tmp_path):
    data = write_images(tmp_path / "others", ("Lymphocytes", "blast"))
    with pytest.raises(LabError, match=r"labels of the data: 'blast'.*all with --classes model"):
        evaluate_run(run, data, settings=SETTINGS, say=quiet)
    made, figures = evaluate_run(run, data, DataSettings(classes="model"), SETTINGS, quiet)
    assert figures["splits"]["new"]["images"] == 4
    assert "4 image(s) left out" in read_json(made.environment)["split_statement"]


def test_the_classes_of_a_study_can_be_asked_for(run, tmp_path):
    data = write_images(tmp_path / "others", ("LYT", "rubbish"))
    chosen = DataSettings(classes="bone_marrow", kind="folders")
    said = []
    _, figures = evaluate_run(run, data, chosen, SETTINGS, said.append)
    assert figures["splits"]["new"]["images"] == 4
    assert any("4 image(s) of 1 class(es) are left out" in line for line in said)
