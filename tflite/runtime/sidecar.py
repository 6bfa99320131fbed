"""The sidecar: everything a device has to know about a ``.tflite`` file, as one JSON document."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Dict, Mapping, Tuple

from tflite.runtime.contract import InputContract
from tflite.runtime.errors import BundleError, LabError
from tflite.runtime.quantize import TensorQuantization

# 2: the model ends in logits; temperature and rejection thresholds make scores and answers.
FORMAT_VERSION = 2
UNKNOWN = "unknown"
_JSON_KINDS: Dict[str, Any] = {
    "str": str,
    "int": int,
    "Mapping[str, Any]": Mapping,
    "Mapping[str, float]": Mapping,
}
_NAMES: Dict[Any, str] = {str: "a text", int: "a whole number", Mapping: "an object"}


def sha256(content: bytes) -> str:
    """The SHA-256 of some bytes, 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def labels_text(labels: Tuple[str, ...]) -> str:
    """The labels file: one label a line, UTF-8, in the order of the model's scores."""
    return "".join(f"{label}\n" for label in labels)


@dataclass(frozen=True)
class Sidecar:
    """What stands in the JSON inside and beside a ``.tflite`` file.

    Args:
        input: Size, colour, crop and scaling of the images the model takes.
        input_quantization: Of the model's input tensor; real values are pixel values 0..255.
        output_quantization: Of the model's output tensor; real values are logits.
        labels: Class names in the order of the logits.
        model_sha256: SHA-256 of the plain model: the first `model_bytes` bytes of the
            ``.tflite`` file, before the appended zip (which holds this very document and so
            cannot be part of it).
        model_bytes: Length of that plain model.
        labels_sha256: SHA-256 of the labels file (see `labels_text`).
        quantization_recipe: Name of the quantisation recipe, such as ``int8_full``.
        recipe: Name of the training recipe, or ``""``.
        versions: Package name to version, of the software that converted.
        git_commit: Commit of the code that converted, or ``""`` where it is not known.
        created: Time of the export, ISO 8601 with offset.
        temperature: Logits are divided by it before the softmax, above 0 (see
            `tflite.runtime.scores.softmax`).
        rejection_thresholds: Class to the score, 0..1, below which an answer of that class is
            `UNKNOWN`; 0 never rejects. All classes in their order, or empty for all 0.
        score_calibration: How temperature and thresholds were found, and what they do.
        calibration: How the ranges of activations were found: number of images, per class.
        metrics: Figures of the trained model, by name.
        parity: Figures of this file against the Keras model, by name.
        intended_use: What the model is for and what it is not for, in words.
        format_version: Of this document.
    """

    input: InputContract
    input_quantization: TensorQuantization
    output_quantization: TensorQuantization
    labels: Tuple[str, ...]
    model_sha256: str
    model_bytes: int
    labels_sha256: str
    quantization_recipe: str
    recipe: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    git_commit: str = ""
    created: str = ""
    temperature: float = 1.0
    rejection_thresholds: Mapping[str, float] = field(default_factory=dict)
    score_calibration: Mapping[str, Any] = field(default_factory=dict)
    calibration: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    parity: Mapping[str, Any] = field(default_factory=dict)
    intended_use: str = ""
    format_version: int = FORMAT_VERSION

    def __post_init__(self) -> None:
        self._check_types()
        if len(self.labels) < 2 or len(set(self.labels)) != len(self.labels):
            raise BundleError(
                f"A sidecar needs at least two labels, all different, got {list(self.labels)}."
            )
        if any(not label.strip() or "\n" in label or "\r" in label for label in self.labels):
            raise BundleError(
                f"A label is one line of text and not empty, got {list(self.labels)}."
            )
        if not (_is_number(self.temperature) and self.temperature > 0):
            raise BundleError(f"A temperature is a number above 0, got {self.temperature!r}.")
        thresholds = checked_thresholds(self.rejection_thresholds, self.labels)
        object.__setattr__(self, "rejection_thresholds", thresholds)

    def _check_types(self) -> None:
        for found in fields(self):
            kind = _JSON_KINDS.get(str(found.type))  # annotations are texts in this module
            value = getattr(self, found.name)
            if kind and (not isinstance(value, kind) or isinstance(value, bool)):
                raise BundleError(f"{found.name} must be {_NAMES[kind]}, got {value!r}.")
        if not all(isinstance(label, str) for label in self.labels):
            raise BundleError(f"Labels must be texts, got {list(self.labels)}.")

    def to_json(self) -> str:
        """The JSON document, fields in a fixed order, indented."""
        values = asdict(self)
        values["input"] = self.input.to_dict()
        values = {"format_version": values.pop("format_version"), **values}
        return json.dumps(values, indent=2, ensure_ascii=False) + "\n"


def checked_thresholds(
    thresholds: Mapping[str, float], labels: Tuple[str, ...]
) -> Dict[str, float]:
    """Rejection thresholds for exactly the labels, in their order.

    Args:
        thresholds: Class to score, 0..1; empty stands for 0 everywhere.
        labels: The classes.

    Raises:
        BundleError: If a class is missing or unknown, a threshold is no number in 0..1, or one
            is above 0 although a class is itself called `UNKNOWN`.
    """
    found = dict(thresholds) or dict.fromkeys(labels, 0.0)
    wrong = sorted(set(found).symmetric_difference(labels))
    if wrong:
        raise BundleError(f"Rejection thresholds are missing or left over for: {wrong}.")
    bad = {k: v for k, v in found.items() if not (_is_number(v) and 0 <= v <= 1)}
    if bad:
        raise BundleError(f"A rejection threshold is a score 0..1, got {bad}.")
    if UNKNOWN in labels and any(found.values()):
        raise BundleError(
            f"A class is called {UNKNOWN!r}, so rejected images could not be told from it; "
            "set all rejection thresholds to 0 or rename the class."
        )
    return {label: float(found[label]) for label in labels}


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def read_sidecar(text: str, name: str) -> Sidecar:
    """The sidecar that a JSON document describes.

    Args:
        text: The JSON document.
        name: Where it comes from, for messages.

    Raises:
        BundleError: If it is no JSON, of another format version, or a field is missing, unknown
            or out of range.
    """
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{name} is not valid JSON: {error}. Export it anew.") from None
    if not isinstance(values, dict):
        raise BundleError(f"{name} must hold a JSON object, got {type(values).__name__}.")
    version = values.get("format_version")
    if version != FORMAT_VERSION:
        raise BundleError(
            f"{name} has format version {version!r}; this runtime reads {FORMAT_VERSION}. Export "
            "it anew with: lab-models export RUN, or install the lab-models version that wrote it."
        )
    wrong = sorted({f.name for f in fields(Sidecar)}.symmetric_difference(values))
    if wrong:
        raise BundleError(f"{name} has missing or unknown fields: {wrong}. Export it anew.")
    return _from_values(values, name)


def _from_values(values: Dict[str, Any], name: str) -> Sidecar:
    try:
        converted = {
            "input": InputContract.from_dict(values["input"]),
            "input_quantization": TensorQuantization(**values["input_quantization"]),
            "output_quantization": TensorQuantization(**values["output_quantization"]),
            "labels": tuple(values["labels"]),
        }
        return Sidecar(**{**values, **converted})
    except (LabError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise BundleError(f"{name} does not describe a model: {error}") from None
