from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from lab_models.report.device import device_section, parity_words

FLIP = {
    "model": "int8_full", "label": "hairy_cell", "before": "hairy_cell", "before_score": 0.61,
    "after": "lymphocyte", "after_score": 0.52,
}  # fmt: skip


def model(**changed):
    figures = {
        "accuracy": 0.95, "accuracy_low": 0.93, "accuracy_high": 0.96, "agreement": 1.0,
        "lost": 0, "gained": 0, "mcnemar": 1.0, "calibration_error": 0.1, "mean_difference": 0.0,
        "max_difference": 0.0, "flips": 0,
    }  # fmt: skip
    return {**figures, **changed}


@pytest.fixture
def parity():
    return {
        "images": 840,
        "faults": [],
        "models": {
            "keras": model(),
            "float32": model(),
            "int8_full": model(accuracy=0.9476, agreement=0.995, lost=3, gained=1, mcnemar=0.62),
        },
        "classes": {"hairy_cell": {"images": 4, "recall": None, "recall change int8_full": -0.25}},
        "cures": {
            "int8_full": {
                "cure": "none",
                "tried": [
                    {"cure": "none", "accuracy_loss": 0.0, "agreement": 0.995, "reached": True}
                ],
            }
        },
        "score_calibration": {
            "int8_full": {
                "temperature": 0.5, "calibration_error": 0.15, "calibrated_error": 0.02,
                "coverage": 0.9, "selective_accuracy": None,
            }
        },
        "flips": [{**FLIP, "path": "a.png"}, {**FLIP, "path": "gone.png"}],
    }  # fmt: skip


def content(parity, root=None):
    return SimpleNamespace(facts=SimpleNamespace(parity=parity, data_root=root))


def test_the_words_say_what_was_lost(parity):
    sentence = parity_words(parity)[0].replace("\xa0", " ")
    assert len(parity_words(parity)) == 1
    assert "94.8 % of 840" in sentence
    assert "(-0.24 points)" in sentence
    assert "lost 3 right answers and gained 1, no more than chance" in sentence
    parity["models"]["int8_full"]["mcnemar"] = 0.01
    assert "more than chance (McNemar, p = 0.01)" in parity_words(parity)[0]


def test_flipped_images_are_shown_with_scores_or_their_name(parity, tmp_path):
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(tmp_path / "a.png")
    page = device_section(content(parity, tmp_path)).replace("\xa0", " ")
    assert page.count("data:image/jpeg;base64") == 1
    assert page.count("no image") == 1
    assert "hairy cell, named hairy cell (61 %), now lymphocyte (52 %)" in page


def test_the_section_holds_scores_cures_and_faults(parity):
    parity["faults"] = ["int8_full: <too> bad"]
    page = device_section(content(parity))
    for words in ("Score calibration", "Cures tried", "&lt;too&gt; bad", "-25.0", "+0.00 points"):
        assert words in page


def test_a_run_without_an_export_has_no_such_section():
    assert device_section(content(None)) == ""


def test_no_flip_is_said(parity):
    parity["flips"] = []
    assert "None." in device_section(content(parity))
