"""Rules of the house that can be read off the source."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted(
    path for room in ("lab_models", "pipelines", "tflite") for path in (ROOT / room).rglob("*.py")
)
HEAVY = {"tensorflow", "keras", "keras_cv", "tf_keras"}
MOST_LINES, MOST_FUNCTION_LINES = 400, 50


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _imports(tree: ast.AST) -> list[tuple[str, int]]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.append((node.module, node.lineno))
    return found


def _body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    body = function.body
    if ast.get_docstring(function) is not None:
        body = body[1:]
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_files_and_functions_can_be_read_at_a_glance(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MOST_LINES
    long = [
        f"{_name(path)}:{node.lineno} {node.name}"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and _body_lines(node) > MOST_FUNCTION_LINES
    ]
    assert long == []


def _room(module: str) -> str:
    return "tflite.runtime" if module.startswith("tflite.runtime") else module.split(".")[0]


@pytest.mark.parametrize(
    ("room", "forbidden"),
    [
        ("pipelines", {"lab_models", "tflite"}),
        ("tflite", {"lab_models", "pipelines"}),
        ("tflite/runtime", {"lab_models", "pipelines", "tflite", *HEAVY, "pandas", "sklearn"}),
    ],
)
def test_rooms_import_nobody_behind_them(room, forbidden):
    found = [
        f"{_name(path)}:{line} {module}"
        for path in SOURCES
        if _name(path).startswith(room + "/")
        and not (room == "tflite" and _name(path).startswith("tflite/runtime/"))
        for module, line in _imports(ast.parse(path.read_text(encoding="utf-8")))
        if _room(module) in forbidden - ({"tflite"} if room == "tflite" else set())
    ]
    assert found == []


def test_only_the_command_line_parses_and_nobody_imports_it():
    found = []
    for path in SOURCES:
        for module, line in _imports(ast.parse(path.read_text(encoding="utf-8"))):
            in_cli = _name(path).startswith("lab_models/cli/")
            is_command = in_cli or path.name in ("__main__.py",) or path.stem == "bench"
            if module == "argparse" and not is_command:
                found.append(f"{_name(path)}:{line} argparse")
            if module.startswith("lab_models.cli") and not in_cli:
                found.append(f"{_name(path)}:{line} {module}")
    assert found == []


def test_one_module_imports_keras_cv():
    users = {
        _name(path)
        for path in SOURCES
        for module, _ in _imports(ast.parse(path.read_text(encoding="utf-8")))
        if module.split(".")[0] == "keras_cv"
    }
    assert users == {"pipelines/keras_cv_layers.py"}


def test_importing_tflite_imports_nothing():
    text = (ROOT / "tflite" / "__init__.py").read_text(encoding="utf-8")
    assert _imports(ast.parse(text)) == []


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from lab_models.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        f"print(sorted(set(sys.modules) & {HEAVY | {'sklearn', 'matplotlib', 'pandas', 'cv2'}!r}),"
        " file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert "train" in done.stdout
    assert done.stderr.strip() == "[]"


def test_setup_lists_every_package():
    listed = set(
        re.findall(
            r'^\s+"((?:lab_models|pipelines|tflite)[\w.]*)",$',
            (ROOT / "setup.py").read_text(encoding="utf-8"),
            re.MULTILINE,
        )
    )
    packages = {
        _name(path.parent).replace("/", ".") for path in SOURCES if path.name == "__init__.py"
    }
    assert listed == packages


def test_every_verb_of_the_makefile_is_explained():
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE).group(1).split()
    explained = re.findall(r"^([a-z-]+):.*## \w", text, re.MULTILINE)
    assert sorted(phony) == sorted(explained)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [verb for verb in phony if f"make {verb}" not in readme] == []
