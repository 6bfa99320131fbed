from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.smear import write_smears
from tests.lab_models.sanity.tiny import SMEARS


@pytest.fixture(scope="session")
def smears(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("sanity") / "smears"
    write_smears(root, SMEARS, workers=1)
    return root
