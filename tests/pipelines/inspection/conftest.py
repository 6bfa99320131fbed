from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.datasets import open_dataset
from pipelines.inspection.inspector import Inspection, inspect_dataset
from tests.pipelines.inspection.planted import draw_cells, plant_all


@pytest.fixture(scope="session")
def inspected(tmp_path_factory) -> tuple[Path, list[tuple[str, str]], Inspection]:
    """A small folder with forty faults, what they are, and what was found."""
    root = tmp_path_factory.mktemp("planted")
    planted = plant_all(root, draw_cells(130, 7), 7)
    return root, planted, inspect_dataset(open_dataset(root), workers=1)
