"""The proof compares like with like."""

import numpy as np
import pytest

from tests.tflite.rewrites.builder import Builder
from tflite.rewrites.prove import delegate_parts, prove_rewrite
from tflite.runtime.errors import LabError

SHAPE = (1, 4, 4, 2)


def _graph(*names, scale=0.5):
    builder = Builder()
    image = tensor = builder.tensor(SHAPE, scale, -128)
    for name in names:
        before, tensor = tensor, builder.tensor(SHAPE, scale, -128)
        inputs = [before, before] if name == "ADD" else [before]
        builder.add(name, inputs, tensor, {"ADD": "AddOptions"}.get(name))
    return builder.build([image], [tensor])


def test_parts_and_what_is_left():
    assert delegate_parts(_graph("ADD")) == (1, 0)
    assert delegate_parts(_graph("RELU")) == (0, 1)
    assert delegate_parts(_graph("ADD", "RELU")) == (1, 1)
    assert delegate_parts(_graph("ADD", "RELU", "ADD")) == (2, 1)


def test_the_largest_difference_is_found():
    proof = prove_rewrite(_graph("RELU"), _graph("ADD"), random_images=4)
    assert proof.images == 4
    assert 100 < proof.reference == proof.delegated <= 128
    assert (proof.delegates_before, proof.delegates_after) == (0, 1)


def test_given_images_count_too():
    images = np.zeros((2, *SHAPE[1:]), np.uint8)
    proof = prove_rewrite(_graph("RELU"), _graph("ADD"), images, random_images=0)
    assert (proof.images, proof.reference) == (2, 0)


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(LabError, match="same inputs"):
        prove_rewrite(_graph("RELU"), _graph("RELU", scale=0.6))
    with pytest.raises(LabError, match="Nothing to compare"):
        prove_rewrite(_graph("RELU"), _graph("RELU"), random_images=0)
