"""A tiny data set and one run on it, shared by the tests of whole commands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lab_models.runs import RunDirectory

COLOURS = {"green": (40, 200, 60), "purple": (120, 40, 160), "grey": (128, 128, 128)}

# The smallest training that goes through everything: two phases, CutMix, averaging.
TINY = {
    "input.height": 32,
    "input.width": 32,
    "data.subset": "",
    "data.split.by": "auto",
    "batch_size": 8,
    "phases": [
        {"name": "head", "trainable": "frozen", "epochs": 1},
        {"name": "all", "trainable": "full", "epochs": 2, "average_weights": 0.5},
    ],
}


def draw_classes(folder: Path, images: int = 16) -> Path:
    """Writes one folder a class with noisy pictures of one colour each."""
    random = np.random.default_rng(0)
    for name, colour in COLOURS.items():
        (folder / name).mkdir(parents=True)
        for i in range(images):
            noise = random.integers(-40, 40, (40, 40, 3))
            picture = np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)
            Image.fromarray(picture).save(folder / name / f"{i:02d}.png")
    return folder


def train_words(data: Path, runs: Path) -> list[str]:
    """The command line of the tiny training."""
    import json

    words = ["train", "--recipe", "pbc_small", "--scale", "demo", "--data", str(data)]
    words += ["--out", str(runs), "--seed", "5"]
    for name, value in TINY.items():
        words += ["--set", f"{name}={json.dumps(value)}"]
    return words


@pytest.fixture(scope="session")
def colour_folders(tmp_path_factory) -> Path:
    return draw_classes(tmp_path_factory.mktemp("data") / "colours")


@pytest.fixture(scope="session")
def finished_run(colour_folders, tmp_path_factory) -> RunDirectory:
    from lab_models.cli import main

    runs = tmp_path_factory.mktemp("runs")
    assert main(train_words(colour_folders, runs)) == 0
    (path,) = (runs / "pbc_small").iterdir()
    return RunDirectory(path)
