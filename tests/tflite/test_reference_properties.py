"""Beside the device's tests, whose environment has no hypothesis."""

import hypothesis.strategies as st
from hypothesis import given

from tflite.runtime.references import ImageReference, file_of, parse_reference

NUMBERS = st.integers(0, 10**15)
FILES = st.text(st.characters(exclude_characters="#", exclude_categories=("Cs",)), min_size=1)
REFERENCES = st.builds(
    ImageReference,
    file=FILES,
    span=st.none() | st.tuples(NUMBERS, NUMBERS),
    item=st.none(),
    box=st.none() | st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS),
) | st.builds(
    ImageReference,
    file=FILES,
    item=st.tuples(st.from_regex(r"[a-z_0-9 .]+", fullmatch=True), NUMBERS),
    box=st.none() | st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS),
)


@given(REFERENCES)
def test_a_reference_reads_back_from_its_text(reference):
    assert parse_reference(str(reference)) == reference
    assert file_of(str(reference)) == reference.file


@given(st.text(min_size=1))
def test_every_text_is_a_reference_that_reads_back(text):
    assert str(parse_reference(text)) == text
