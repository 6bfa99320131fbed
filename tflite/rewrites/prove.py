"""How far a rewritten file's answers lie from those of the file it was made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from tflite.runtime.errors import LabError
from tflite.runtime.interpreter import load_interpreter


@dataclass(frozen=True)
class Proof:
    """Largest differences of one output element, in its integer steps (quanta).

    Args:
        reference: With the reference kernels on both sides: what the rewrite itself changes.
        delegated: With XNNPACK on both sides: what users see. A file that XNNPACK took in parts
            ran reference kernels elsewhere, and those differ from XNNPACK's by a quantum at times.
        images: Number of inputs compared.
        delegates_before: Parts that XNNPACK takes of the file as it was.
        delegates_after: And of the rewritten file; one is right.
        other_operators_after: Operators that XNNPACK leaves, in the rewritten file.
    """

    reference: float
    delegated: float
    images: int
    delegates_before: int
    delegates_after: int
    other_operators_after: int


def prove_rewrite(
    before: bytes,
    after: bytes,
    images: np.ndarray | None = None,
    random_images: int = 8,
    seed: int = 0,
) -> Proof:
    """Runs both files on random inputs and on given ones.

    Args:
        before: The file as the converter wrote it.
        after: The rewritten file.
        images: uint8 ``(n, ...)`` of the input's shape without its batch; for an int8 input they
            are stored as ``pixel - 128``.
        random_images: So many inputs are drawn besides, evenly over all integers.
        seed: Of the draw.

    Raises:
        LabError: If the two files' inputs or outputs differ in shape, type or quantisation, or
            there is nothing to compare.
    """
    _check_interfaces(before, after)
    shape = load_interpreter(before).get_input_details()[0]["shape"][1:]
    drawn = np.random.default_rng(seed).integers(0, 256, (random_images, *shape)).astype(np.uint8)
    inputs = drawn if images is None else np.concatenate([drawn, images.astype(np.uint8)])
    if len(inputs) == 0:
        raise LabError("Nothing to compare: give images, or let random_images be above 0.")
    parts, left = delegate_parts(after)
    return Proof(
        reference=_largest_difference(before, after, inputs, delegates=False),
        delegated=_largest_difference(before, after, inputs, delegates=True),
        images=len(inputs),
        delegates_before=delegate_parts(before)[0],
        delegates_after=parts,
        other_operators_after=left,
    )


def _largest_difference(before: bytes, after: bytes, inputs: np.ndarray, delegates: bool) -> float:
    pairs = zip(
        _outputs(before, inputs, delegates), _outputs(after, inputs, delegates), strict=True
    )
    return max(float(np.abs(a - b).max()) for a, b in pairs)


def delegate_parts(content: bytes) -> tuple[int, int]:
    """In how many parts XNNPACK takes a file, and how many operators it leaves.

    Args:
        content: A ``.tflite`` file.
    """
    taken, whole = load_interpreter(content), load_interpreter(content, delegates=False)
    # Operators that a delegate took stay in the list, behind which the delegate's nodes come.
    all_operators = len(whole._get_ops_details())
    parts = [d for d in taken._get_ops_details()[all_operators:] if d["op_name"] == "DELEGATE"]
    inside = taken_operators(taken, all_operators)
    return len(parts), all_operators - inside


def taken_operators(interpreter: Any, count: int) -> int:
    """How many of the first `count` operators a delegate computes.

    An operator is left to the interpreter if a tensor it writes is an input of a delegate's node
    or of another operator that is left, or an output of the graph that no delegate writes.
    """
    details = interpreter._get_ops_details()
    operators, delegates = details[:count], details[count:]
    if not delegates:
        return 0
    written = {int(t) for d in delegates for t in d["outputs"]}
    needed = {int(t) for d in delegates for t in d["inputs"]}
    needed |= {int(d["index"]) for d in interpreter.get_output_details()} - written
    left = 0
    for operator in reversed(operators):
        if needed & ({int(t) for t in operator["outputs"]} - written):
            needed |= {int(t) for t in operator["inputs"]}
            left += 1
    return count - left


def _check_interfaces(before: bytes, after: bytes) -> None:
    found = []
    for content in (before, after):
        interpreter = load_interpreter(content)
        details = (*interpreter.get_input_details(), *interpreter.get_output_details())
        found.append([(tuple(d["shape"]), d["dtype"], d["quantization"]) for d in details])
    if found[0] != found[1]:
        raise LabError(
            f"The files must have the same inputs and outputs; they have {found[0]} and {found[1]}."
        )


def _outputs(content: bytes, inputs: np.ndarray, delegates: bool) -> Iterator[np.ndarray]:
    interpreter = load_interpreter(content, delegates=delegates)
    image = interpreter.get_input_details()[0]
    output = interpreter.get_output_details()[0]
    # In steps of the output; a float output has none and is compared as it is.
    for values in inputs:
        stored = values.astype(image["dtype"])
        if image["dtype"] == np.int8:
            stored = (values ^ np.uint8(0x80)).view(np.int8)
        interpreter.set_tensor(image["index"], stored[None])
        interpreter.invoke()
        yield interpreter.get_tensor(output["index"]).astype(np.float64)
