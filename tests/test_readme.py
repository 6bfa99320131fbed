"""What the README says exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["README.md", "docs/contrastive.md"])
def test_its_python_runs(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, name, "exec"), {})


def test_its_commands_exist(capsys):
    from lab_models.cli import main

    named = set(re.findall(r"(?:^|[/`])lab-models ([a-z-]+)", TEXT, re.MULTILINE))
    with pytest.raises(SystemExit):
        main(["--help"])
    offered = set(re.findall(r"^    ([a-z-]+)\b", capsys.readouterr().out, re.MULTILINE))
    assert named
    assert named <= offered


def test_its_links_lead_somewhere():
    links = re.findall(r"\]\(([^)#]+)\)", TEXT)
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_its_recipe_table_names_every_recipe():
    from lab_models.recipes import list_recipes

    assert [name for name in list_recipes() if f"`{name}`" not in TEXT] == []
