from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab_models.cli.dataset_options import read_dataset_options, read_options
from tflite.runtime.errors import LabError


def value_of(text):
    return read_options([f"name={text}"], "--option", "subset=tiny")["name"]


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0), ("-1", -1), ("+3", 3), ("0.6", 0.6), (".5", 0.5), ("-2.", -2.0), ("007.5", 7.5)],
)
def test_plain_decimal_numbers_are_numbers(text, value):
    assert value_of(text) == value
    assert type(value_of(text)) is type(value)


@pytest.mark.parametrize(
    "text",
    ["1_0", "1_0.5", "nan", "NaN", "inf", "-Infinity", "1e3", "1e-3", "0x10", "007", "\u0663", " 1",
     "1 ", "1\n", "1.2.3", ".", "-", "", "9" * 5000, "S1", "a=b"],
)  # fmt: skip
def test_everything_else_stays_the_text_it_is(text):
    assert value_of(text) == text


@pytest.mark.parametrize(("text", "value"), [("true", True), ("False", False), ("NONE", None)])
def test_words_that_mean_something(text, value):
    assert value_of(text) is value


@given(st.text(max_size=12))
def test_a_number_is_finite_and_says_what_was_written(text):
    value = value_of(text)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        assert math.isfinite(value)
        assert set(text) <= set("+-.0123456789")
        assert value == float(text)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["subset"], "takes NAME=VALUE, such as subset=tiny, got 'subset'"),
        (["=1"], "takes NAME=VALUE"),
        (["a=1", "a=2"], "--option a is given twice"),
        (["classes=hal"], "use --classes NAMES"),
    ],
)
def test_words_of_another_form_are_refused(words, message):
    with pytest.raises(LabError, match=message):
        read_dataset_options(words, None)


def test_classes_come_along():
    assert read_dataset_options(["a=1"], "hal") == {"a": 1, "classes": "hal"}
    assert read_dataset_options([], None) == {}
