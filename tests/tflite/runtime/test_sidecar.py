import dataclasses
import json

import pytest

from tflite.runtime.errors import BundleError
from tflite.runtime.sidecar import labels_text, read_sidecar, sha256

pytestmark = pytest.mark.device


def altered(sidecar, **changes):
    values = json.loads(sidecar.to_json())
    for name, value in changes.items():
        if value is ...:
            del values[name]
        else:
            values[name] = value
    return json.dumps(values)


def test_a_sidecar_survives_the_way_through_json(golden_bundle):
    sidecar = golden_bundle.sidecar
    assert read_sidecar(sidecar.to_json(), "it") == sidecar


def test_non_ascii_labels_survive(golden_bundle):
    sidecar = dataclasses.replace(
        golden_bundle.sidecar, labels=("größe µm", "b", "细胞"), rejection_thresholds={}
    )
    assert read_sidecar(sidecar.to_json(), "it") == sidecar


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format_version": 1}, "format version 1; this runtime reads 2. Export it anew"),
        ({"labels": ...}, r"missing or unknown fields: \['labels'\]"),
        ({"thresholds": {}}, r"missing or unknown fields: \['thresholds'\]"),
        ({"labels": ["a"]}, "at least two labels"),
        ({"labels": ["a", "a"]}, "all different"),
        ({"labels": ["a", "b\nc"]}, "one line of text"),
        ({"labels": 7}, "does not describe a model"),
        ({"input": {"height": 16}}, "missing or unknown here"),
        ({"input": []}, "does not describe a model"),
        ({"output_quantization": {"dtype": "uint8", "scale": 0}}, "scale must be above 0"),
        ({"output_quantization": {"dtype": "uint8", "scale": "1"}}, "does not describe a model"),
        ({"input_quantization": {"kind": 1}}, "does not describe a model"),
        ({"model_bytes": "many"}, "model_bytes must be a whole number, got 'many'"),
        ({"model_bytes": None}, "model_bytes must be a whole number, got None"),
        ({"model_bytes": True}, "model_bytes must be a whole number, got True"),
        ({"model_sha256": 1.5}, "model_sha256 must be a text, got 1.5"),
        ({"metrics": []}, "metrics must be an object"),
        ({"labels": [1, 2, 3]}, "Labels must be texts"),
        ({"temperature": 0}, "temperature is a number above 0, got 0"),
        ({"temperature": "1"}, "temperature is a number above 0, got '1'"),
        ({"temperature": float("nan")}, "temperature is a number above 0, got nan"),
        ({"rejection_thresholds": {"lymphocyte": 0.5}}, "missing or left over for: "),
        ({"rejection_thresholds": [0.5]}, "does not describe a model"),
    ],
)
def test_a_wrong_sidecar_names_the_fault(golden_bundle, changes, message):
    with pytest.raises(BundleError, match=message) as caught:
        read_sidecar(altered(golden_bundle.sidecar, **changes), "model.json")
    assert str(caught.value).startswith("model.json")


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan"), "0.5", None, True])
def test_a_rejection_threshold_is_a_score(golden_bundle, threshold):
    labels = golden_bundle.sidecar.labels
    changes = {"rejection_thresholds": {**dict.fromkeys(labels, 0.5), labels[1]: threshold}}
    with pytest.raises(BundleError, match=f"is a score 0..1, got .'{labels[1]}'"):
        read_sidecar(altered(golden_bundle.sidecar, **changes), "model.json")


def test_thresholds_stand_in_the_order_of_the_labels(golden_bundle):
    labels = golden_bundle.sidecar.labels
    backwards = {label: n / 10 for n, label in enumerate(reversed(labels))}
    sidecar = dataclasses.replace(golden_bundle.sidecar, rejection_thresholds=backwards)
    assert list(sidecar.rejection_thresholds.items()) == [
        (labels[0], 0.2), (labels[1], 0.1), (labels[2], 0.0),
    ]  # fmt: skip


def test_a_class_called_unknown_cannot_be_told_from_rejection(golden_bundle):
    labels = ("unknown", "b", "c")
    replaced = dataclasses.replace(golden_bundle.sidecar, labels=labels, rejection_thresholds={})
    assert replaced.rejection_thresholds == {"unknown": 0.0, "b": 0.0, "c": 0.0}
    with pytest.raises(BundleError, match="A class is called 'unknown'"):
        dataclasses.replace(
            golden_bundle.sidecar,
            labels=labels,
            rejection_thresholds={"unknown": 0, "b": 0.5, "c": 0},
        )


@pytest.mark.parametrize("text", ["", "[" * 100_000, "{", "not json", "[1, 2]", "null", "3"])
def test_what_is_no_json_object_says_so(text):
    with pytest.raises(BundleError, match="JSON"):
        read_sidecar(text, "model.json")


def test_the_labels_file_is_one_label_a_line():
    assert labels_text(("a b", "c")) == "a b\nc\n"


def test_sha256_is_the_standard_one():
    # FIPS 180-2, appendix B.1
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256(b"abc") == expected
