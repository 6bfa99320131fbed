"""The device room imports the standard library, numpy, Pillow and the interpreter, nothing else."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import tflite
import tflite.runtime

pytestmark = pytest.mark.device

RUNTIME = Path(tflite.runtime.__file__).parent
MODULES = sorted(RUNTIME.rglob("*.py"))
ALLOWED = {"numpy", "PIL", "ai_edge_litert", "tflite"}
BLOCKED = (
    "tensorflow", "keras", "tf_keras", "keras_cv", "pandas", "scipy", "sklearn", "matplotlib",
    "cv2", "rich", "lab_models", "pipelines", "hypothesis",
)  # fmt: skip


def imports(path):
    """Every import of a file, wherever it stands: line number and full module name."""
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path), feature_version=(3, 9))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, "." * node.level + (node.module or "")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_a_module_imports_only_what_the_device_has(path):
    standard = getattr(sys, "stdlib_module_names", None)
    if standard is None:
        pytest.skip("Python 3.9 cannot list its standard library")
    wrong = [
        f"{path}:{line}: imports {name}"
        for line, name in imports(path)
        if name.split(".")[0] not in ALLOWED | standard
        or (name.split(".")[0] == "tflite" and not name.startswith("tflite.runtime"))
    ]
    assert wrong == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_annotations_are_not_evaluated(path):
    """Python 3.9 reads newer annotations only when it does not evaluate them."""
    text = path.read_text(encoding="utf-8")
    code = [node for node in ast.parse(text).body if not isinstance(node, ast.Expr)]
    if code:
        assert "from __future__ import annotations" in text


def test_the_guard_sees_forbidden_imports(tmp_path):
    path = tmp_path / "bad.py"
    path.write_text("import os\n\ndef f():\n    from keras.layers import Dense\n    import cv2\n")
    assert list(imports(path)) == [(1, "os"), (4, "keras.layers"), (5, "cv2")]


def test_the_top_package_imports_nothing():
    assert list(imports(Path(tflite.__file__))) == []


def test_it_classifies_where_the_rest_cannot_be_imported(golden):
    program = f"""
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {BLOCKED!r}:
            raise ImportError(name + " is blocked")

sys.meta_path.insert(0, Refuse())
import importlib, pkgutil
import tflite.runtime
for module in pkgutil.iter_modules(tflite.runtime.__path__):
    importlib.import_module("tflite.runtime." + module.name)
from tflite.runtime.classifier import Classifier
classifier = Classifier({str(golden / "model_int8.tflite")!r})
print(classifier.classify({str(golden / "lymphocyte.png")!r}).label)
print([name for name in sys.modules if name.split(".")[0] in {BLOCKED!r}])
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=RUNTIME.parents[1]
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["lymphocyte", "[]"]
