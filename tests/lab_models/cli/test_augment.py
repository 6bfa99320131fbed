from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lab_models.cli import augment
from tflite.runtime.errors import LabError


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    for name in ("monocyte", "lymphocyte"):
        for number in range(3):
            path = tmp_path / "data" / name / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = np.random.default_rng(number).integers(0, 256, (20, 20, 3), np.uint8)
            pixels[0, 0] = number + 10 * len(name)
            Image.fromarray(pixels).save(path)
    return tmp_path / "data"


def run(*words: object) -> None:
    parser = argparse.ArgumentParser()
    augment.add_parser(parser.add_subparsers())
    arguments = parser.parse_args(["augment-sheet", *map(str, words)])
    arguments.run(arguments)


@pytest.mark.parametrize(
    "what", [(), ("--recipe", "pbc_tiny"), ("--preset", "hal_projection")], ids=str
)
def test_a_sheet_is_written(folders, tmp_path, capsys, what):
    out = tmp_path / "new" / "sheet.png"
    run(folders, out, "--images", 4, "--versions", 2, "--pixels", 32, "--picture", 32, *what)
    assert "4 images, 2 versions each" in capsys.readouterr().out
    with Image.open(out) as sheet:
        assert sheet.width > 3 * 32


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--preset", "hal"), "No augmentation is called 'hal'"),
        (("--recipe", "nothing"), "nothing"),
        (("--versions", 0), "versions must be"),
        (("--images", 0), "at least one image"),
        (("--pixels", 4), "height"),
    ],
)
def test_mistakes_are_named_and_nothing_is_written(folders, tmp_path, words, message):
    with pytest.raises(LabError, match=message):
        run(folders, tmp_path / "sheet.png", *words)
    assert not (tmp_path / "sheet.png").exists()


def test_a_sheet_is_a_picture(folders, tmp_path):
    with pytest.raises(LabError, match=r"must end in \.png"):
        run(folders, tmp_path / "sheet.txt")


def test_an_unreadable_image_is_named(folders, tmp_path):
    for number in range(3):
        (folders / "monocyte" / f"{number}.png").write_bytes(b"nothing")
    with pytest.raises(LabError, match=r"monocyte.*is empty or no image"):
        run(folders, tmp_path / "sheet.png", "--preset", "none")
