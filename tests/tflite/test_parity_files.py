import csv
import json
from pathlib import Path

import numpy as np
import pytest

from tflite.compare import REFERENCE, compare_scores
from tflite.parity_files import parity_table, write_parity
from tflite.representative import LabelledImages

CLASSES = ("a", "b")
SCORES = {
    REFERENCE: np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]], np.float32),
    "int8_full": np.array([[0.8, 0.2], [0.6, 0.4], [0.2, 0.8]], np.float32),
}
IMAGES = LabelledImages((Path("x.png"), Path("y, z.png"), Path("w.png")), np.array([0, 1, 1]))


@pytest.fixture
def parity():
    return compare_scores(SCORES, IMAGES, CLASSES)


def test_the_csv_has_a_row_an_image(parity, tmp_path):
    write_parity(tmp_path, parity, SCORES, IMAGES, CLASSES)
    with (tmp_path / "parity.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == ["x.png", "y, z.png", "w.png"]
    second = rows[1]
    assert (second["label"], second["predicted:keras"], second["predicted:int8_full"]) == (
        "b", "b", "a",
    )  # fmt: skip
    assert float(second["score:int8_full"]) == pytest.approx(0.6)
    assert float(second["max_difference:int8_full"]) == pytest.approx(0.2)
    assert float(rows[2]["max_difference:int8_full"]) == 0


def test_the_json_holds_everything(parity, tmp_path):
    write_parity(tmp_path, parity, SCORES, IMAGES, CLASSES, ["int8_full: too bad"])
    found = json.loads((tmp_path / "parity.json").read_text())
    assert list(found) == ["images", "faults", "models", "classes", "flips"]
    assert (found["images"], found["faults"]) == (3, ["int8_full: too bad"])
    assert found["models"]["keras"]["accuracy"] == 1.0
    assert (found["models"]["int8_full"]["correct"], found["models"]["int8_full"]["flips"]) == (
        2,
        1,
    )
    assert found["classes"]["b"] == {
        "images": 2,
        "recall": 1.0,
        "recall change int8_full": -0.5,
        "precision": 1.0,
        "precision change int8_full": 0.0,
    }
    (flip,) = found["flips"]
    assert (flip["model"], flip["path"], flip["after"]) == ("int8_full", "y, z.png", "a")


def test_the_table_is_markdown_with_every_class(parity, tmp_path):
    write_parity(tmp_path, parity, SCORES, IMAGES, CLASSES)
    text = (tmp_path / "parity.md").read_text()
    assert text == parity_table(parity)
    lines = text.splitlines()
    assert any(line.startswith("| int8_full | ") and " 0.6667 |" in line for line in lines)
    assert any(line.startswith("| b ") and " -0.500 |" in line for line in lines)
    widths = [len(line) for line in lines if line.startswith("|")]
    assert len(set(widths)) == 2  # two tables, each with aligned columns
