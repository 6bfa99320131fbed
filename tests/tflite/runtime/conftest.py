"""What the device tests share: the golden bundle, whole and altered. Imports no TensorFlow."""

import shutil
from pathlib import Path

import pytest

from tflite.runtime.bundle import Bundle, read_bundle
from tflite.runtime.classifier import Classifier

GOLDEN = Path(__file__).parents[2] / "data" / "tiny_bundle"


@pytest.fixture(scope="session")
def golden() -> Path:
    """The folder of the golden bundle; not to be written to."""
    return GOLDEN


@pytest.fixture(scope="session")
def golden_bundle(golden: Path) -> Bundle:
    return read_bundle(golden / "model_int8.tflite")


@pytest.fixture(scope="session")
def classifier(golden: Path) -> Classifier:
    return Classifier(golden / "model_int8.tflite")


@pytest.fixture
def bundle_copy(golden: Path, tmp_path: Path) -> Path:
    """A copy of the golden bundle with its files beside it, to be altered."""
    folder = tmp_path / "bundle"
    shutil.copytree(golden, folder)
    return folder / "model_int8.tflite"
