"""Numbers and findings in words."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from lab_models.metrics import Estimate, compute_metrics
from lab_models.report.words import (
    duration,
    fixed,
    interval,
    names,
    number,
    percent,
    split_statement,
    verdict,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.12345, "12.3 %"), (1.0, "100.0 %"), (0, "0.0 %"), (math.nan, "–"), (None, "–")],
)
def test_percent(value, text):
    assert percent(value) == text.replace(" ", "\u00a0")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1234567, "1 234 567"),
        (0.5, "0.5"),
        (0.12345, "0.123"),
        (1e-4, "0.0001"),
        (2.5e-7, "2.5e-07"),
        (3e7, "3e+07"),
        (0.0, "0"),
        (math.inf, "–"),
        (None, "–"),
        (True, "True"),
        ("text", "text"),
    ],
)
def test_number(value, text):
    assert number(value) == text.replace(" ", "\u00a0")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (45.4, "45 s"),
        (59.6, "1 min 0 s"),
        (425, "7 min 5 s"),
        (7980, "2 h 13 min"),
    ],
)
def test_duration(seconds, text):
    assert duration(seconds) == text


def test_intervals_and_lists():
    assert interval(Estimate(0.5, 0.25, 0.75)) == "25.0 to 75.0\u00a0%"
    assert interval(Estimate(0.5, math.nan, math.nan)) == "–"
    assert names(["hairy_cell"]) == "hairy cell"
    assert names(["a_b", "c", "d"]) == "a b, c and d"


def test_the_verdict_names_the_weakest_class_and_what_it_is_taken_for():
    truth = np.repeat([0, 1, 2], 100)
    answers = np.where(np.arange(300) % 10 < (truth == 1) * 2, 2, truth)
    scores = np.eye(4)[answers]
    words = verdict(compute_metrics(truth, scores, tuple("abcd")), "test images")
    assert words[0].startswith("Of 300 test images the model names 93.3")
    assert words[1].startswith("Weakest: b (80.0")
    assert "most often taken for c" in words[1]
    assert words[-1] == "Not in this data at all: d."


def test_the_verdict_of_few_and_of_perfect_images():
    few = verdict(compute_metrics(np.array([0, 1]), np.eye(2), ("a", "b")), "images")
    assert "No class has enough images for a verdict of its own." in few
    truth = np.repeat([0, 1], 50)
    perfect = verdict(compute_metrics(truth, np.eye(2)[truth], ("a", "b")), "images")
    assert "Every class with enough images is found without a miss." in perfect


def make_manifest(**columns):
    return pd.DataFrame({"split": ["train", "train", "test", "test"], **columns})


@pytest.mark.parametrize(
    ("manifest", "says"),
    [
        (make_manifest(slide=["1", "1", "2", "3"]), "No slide has images in more than one split"),
        (make_manifest(slide=["1", "2", "2", "3"]), "1 of 3 slides have images in more than one"),
        (make_manifest(slide=["1", "2", "", "3"]), "names neither slide nor patient"),
        (make_manifest(patient=["1", "1", "2", "2"], slide=["1", "2", "1", "2"]), "No patient has"),
        (make_manifest(), "names neither slide nor patient"),
        (None, "not known"),
    ],
)
def test_the_split_is_judged_from_the_manifest(manifest, says):
    assert says in split_statement(manifest, {})
    assert split_statement(manifest, {"split_statement": "As recorded."}) == "As recorded."


def test_fixed_digits_line_up():
    assert [fixed(v, 2) for v in (1.0, 0.5, math.nan, None)] == ["1.00", "0.50", "–", "–"]
