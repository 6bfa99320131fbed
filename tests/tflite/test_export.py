import dataclasses
import json

import numpy as np
import pytest

from tflite.benchmark import BenchmarkSettings
from tflite.compare import ParityError, compute_logits
from tflite.cures.activation_swap import SwappedNetwork
from tflite.cures.auto import Retraining
from tflite.export import ExportSettings, export_model
from tflite.representative import LabelledImages, RepresentativeSettings
from tflite.runtime.bundle import read_bundle
from tflite.runtime.classifier import Classifier
from tflite.runtime.contract import InputContract
from tflite.runtime.errors import LabError
from tflite.sidecar import Origin

SETTINGS = ExportSettings(
    representative=RepresentativeSettings(images=9),
    benchmark=BenchmarkSettings(threads=(1,), warm_up=1, runs=2),
)
FILES = [
    "latency.csv", "model_float32.h", "model_float32.json", "model_float32.labels.txt",
    "model_float32.tflite", "model_int8.h", "model_int8.json", "model_int8.labels.txt",
    "model_int8.tflite", "parity.csv", "parity.json", "parity.md",
]  # fmt: skip


@pytest.fixture(scope="module")
def exported(model, contract, labels, image_files, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "tflite"
    said = []
    export = export_model(
        model, contract, labels, image_files, image_files, folder, SETTINGS,
        Origin("hal_t3002", {"validation": {"accuracy": 1.0}}), said.append,
    )  # fmt: skip
    return export, said


def test_the_folder_holds_everything_and_nothing_else(exported):
    export, _ = exported
    assert sorted(p.name for p in export.folder.iterdir()) == FILES
    assert [p.name for p in export.folder.parent.iterdir()] == ["tflite"]
    assert [b.name for b in export.bundles] == ["model_float32.tflite", "model_int8.tflite"]


def test_each_step_is_told(exported):
    assert exported[1] == [
        "reading 9 representative images",
        "converting to float32",
        "converting to int8_full",
        "comparing on 24 validation images",
        "measuring latency",
    ]


def test_both_bundles_classify_as_the_model_does(exported, image_files, labels):
    export, _ = exported
    expected = [labels[i] for i in image_files.label_ids]
    for bundle in export.bundles:
        results = Classifier(bundle).classify_batch(image_files.paths)
        assert [result.label for result in results] == expected


def test_the_sidecar_records_calibration_parity_and_origin(exported, labels):
    export, _ = exported
    sidecar = read_bundle(export.folder / "model_int8.tflite").sidecar
    assert sidecar.recipe == "hal_t3002"
    assert sidecar.metrics == {"validation": {"accuracy": 1.0}}
    assert sidecar.calibration["per_class"] == dict.fromkeys(labels, 3)
    assert sidecar.calibration["split"] == "train"
    assert sidecar.parity["images"] == 24
    assert sidecar.parity["faults"] == []
    assert sidecar.parity["agreement"] == 1.0


def test_the_table_shows_parity_and_latency(exported):
    table = exported[0].table()
    assert "Parity on 24 validation images" in table
    assert "Latency of one image" in table


@pytest.fixture
def quick(model, contract, labels, image_files, tmp_path):
    """Exports without a benchmark; keywords replace parts."""

    def export(settings=None, **parts):
        given = {
            "model": model, "contract": contract, "labels": labels, "training": image_files,
            "validation": image_files, "folder": tmp_path / "tflite", **parts,
        }  # fmt: skip
        own = dataclasses.replace(SETTINGS, benchmark=None, quantization=("float32",))
        return export_model(**given, settings=settings or own)

    return export


def test_a_second_export_replaces_the_first(quick, tmp_path):
    (tmp_path / "tflite").mkdir()  # an empty folder is no obstacle
    first = quick()
    (first.folder / "stale.txt").write_text("")
    second = quick()
    assert second.latency == ()
    assert "stale.txt" not in {p.name for p in second.folder.iterdir()}
    assert [p.name for p in tmp_path.iterdir()] == ["tflite"]


def test_a_folder_of_other_things_is_left_alone(quick, tmp_path):
    (tmp_path / "tflite").mkdir()
    (tmp_path / "tflite" / "thesis.txt").write_text("years of work")
    with pytest.raises(LabError, match="no older export"):
        quick()
    assert (tmp_path / "tflite" / "thesis.txt").read_text() == "years of work"


def test_what_does_not_belong_together_is_refused(quick, labels, tmp_path):
    with pytest.raises(LabError, match=r"\(16, 16, 3\), its input contract says \(32, 16, 3\)"):
        quick(contract=InputContract(32, 16))
    with pytest.raises(LabError, match="gives 3 scores, but there are 2 labels"):
        quick(labels=labels[:2])
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_quantisation_is_refused_before_any_work():
    with pytest.raises(LabError, match="No quantisation recipe 'int9'"):
        ExportSettings(quantization=("int8_full", "int9"))


def test_a_network_that_int8_would_slow_down_is_exported_otherwise(labels, image_files, tmp_path):
    import keras
    from keras import layers

    inputs = keras.Input((16, 16, 3))
    x = layers.Conv2D(8, 3, activation="gelu")(layers.Rescaling(1 / 255)(inputs))
    outputs = layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling2D()(x))
    said = []
    export = export_model(
        keras.Model(inputs, outputs), InputContract(16, 16), labels, image_files, image_files,
        tmp_path / "tflite",
        dataclasses.replace(SETTINGS, benchmark=None, allow_mismatch=True), say=said.append,
    )  # fmt: skip
    assert [b.name for b in export.bundles] == ["model_float32.tflite", "model_dynamic_int8.tflite"]
    assert any("dynamic_int8 instead of int8_full: XNNPACK has no int8 code for" in s for s in said)


@pytest.mark.parametrize("cure", ["none", "auto"])
def test_the_keras_model_answers_the_validation_images_once(quick, monkeypatch, cure):
    asked = []

    def counted(model, files, images, contract):
        asked.append(model)
        return compute_logits(model, files, images, contract)

    monkeypatch.setattr("tflite.make_files.compute_logits", counted)
    settings = dataclasses.replace(
        SETTINGS, benchmark=None, quantization=("int8_full",), cure=cure, allow_mismatch=True
    )
    export = quick(settings)
    assert len([model for model in asked if model is not None]) == 1
    assert [v.name for v in export.parity.variants] == ["float32", "int8_full"]
    assert export.parity.reference.agreement == 1


def test_a_swapped_network_is_compared_with_the_original(quick, model):
    import keras
    from keras import layers

    def softened(layer):
        if isinstance(layer, layers.ReLU):
            return layers.Activation("swish", name=layer.name)
        return type(layer).from_config(layer.get_config())

    other = keras.models.clone_model(model, clone_function=softened)
    other.set_weights([0 * weight for weight in model.get_weights()])
    record = {"swapped_activations": 1, "best_epoch": 2}
    settings = dataclasses.replace(
        SETTINGS, benchmark=None, quantization=("int8_full",), cure="activation_swap",
        allow_mismatch=True,
    )  # fmt: skip
    # All but the first class is wrong in the network that was exported; its cure is right.
    retraining = Retraining(lambda: SwappedNetwork(model, record), lambda images: b"")
    export = quick(settings, model=other, retraining=retraining)
    assert export.parity.reference.accuracy == pytest.approx(1 / 3)
    assert export.parity.variant("int8_full").accuracy == 1
    sidecar = json.loads((export.folder / "model_int8.json").read_text())
    assert sidecar["calibration"]["cure"] == "activation_swap"
    assert sidecar["calibration"]["training"] == record
    assert sidecar["calibration"]["observer"] == "mse"
    parity = json.loads((export.folder / "parity.json").read_text())
    assert parity["cures"]["int8_full"]["training"] == record
    assert export.cures == {"int8_full": "activation_swap"}


def test_fewer_validation_images_than_classes_are_refused(quick):
    settings = dataclasses.replace(SETTINGS, quantization=("float32",), validation_images=2)
    with pytest.raises(LabError, match="each of the 3 classes is compared, got validation"):
        quick(settings)


def test_a_missing_image_leaves_nothing_behind(quick, image_files, tmp_path):
    paths = (*image_files.paths[:-1], tmp_path / "gone.png")
    with pytest.raises(LabError, match=r"gone\.png"):
        quick(validation=LabelledImages(paths, image_files.label_ids))
    assert list(tmp_path.iterdir()) == []


def wrong_scores(model, files, images, contract):
    right = np.eye(3, dtype=np.float32)[images.label_ids]
    right = 9 * right
    return {"keras": right, **{name: np.roll(right, 1, axis=1) for name in files}}


def test_a_mismatch_is_an_error_and_leaves_nothing_behind(quick, monkeypatch, tmp_path):
    monkeypatch.setattr("tflite.make_files.compute_logits", wrong_scores)
    with pytest.raises(ParityError, match=r"24 of 24 right answers were lost.*--allow-mismatch"):
        quick()
    assert list(tmp_path.iterdir()) == []


def test_a_mismatch_may_be_allowed_and_is_recorded(quick, monkeypatch):
    monkeypatch.setattr("tflite.make_files.compute_logits", wrong_scores)
    settings = dataclasses.replace(
        SETTINGS, benchmark=None, quantization=("float32",), allow_mismatch=True
    )
    export = quick(settings)
    assert len(export.faults) == 3
    sidecar = json.loads((export.folder / "model_float32.json").read_text())
    assert sidecar["parity"]["faults"] == list(export.faults)


def test_validation_can_be_limited_evenly(quick):
    settings = dataclasses.replace(
        SETTINGS, benchmark=None, quantization=("float32",), validation_images=6
    )
    parity = quick(settings).parity
    assert parity.images == 6
    assert set(parity.counts.values()) == {2}


def test_a_class_without_validation_images_is_shown_as_such(quick, image_files):
    two = image_files.take(np.flatnonzero(image_files.label_ids != 1))
    settings = dataclasses.replace(
        SETTINGS, benchmark=None, quantization=("float32",), validation_images=4
    )
    parity = quick(settings, validation=two).parity
    assert parity.counts == {"basophil": 2, "eosinophil": 0, "monocyte": 2}
    assert parity.reference.recall["eosinophil"] is None
