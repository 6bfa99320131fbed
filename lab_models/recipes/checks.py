"""The small checks that recipes are made of; each yields one sentence a fault."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from tflite.runtime.errors import LabError


class RecipeError(LabError):
    """A recipe has bad or unknown fields.

    Args:
        faults: One sentence a fault, each beginning with the field's dotted name.
    """

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = list(faults)
        count = len(self.faults)
        head = "The recipe has a bad field" if count == 1 else f"The recipe has {count} bad fields"
        super().__init__(f"{head}:\n" + "\n".join(f"  - {fault}" for fault in self.faults))


def in_range(
    name: str, value: Any, low: float, high: float = math.inf, *, open_low: bool = False
) -> Iterator[str]:
    """A fault unless `value` is a finite number in ``[low, high]`` (or ``(low, high]``)."""
    bad_type = isinstance(value, bool) or not isinstance(value, (int, float))
    if bad_type or not math.isfinite(value) or value > high or value < low:
        ok = False
    else:
        ok = not (open_low and value == low)
    if not ok:
        low_text = f"above {low:g}" if open_low else f"at least {low:g}"
        high_text = "" if high == math.inf else f" and at most {high:g}"
        yield f"{name} must be a number {low_text}{high_text}, got {value!r}"


def whole_number(name: str, value: Any, low: int) -> Iterator[str]:
    """A fault unless `value` is an int of at least `low`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < low:
        yield f"{name} must be a whole number of at least {low}, got {value!r}"


def one_of(name: str, value: Any, allowed: Sequence[str]) -> Iterator[str]:
    """A fault unless `value` is one of the words allowed."""
    if value not in allowed:
        yield f"{name} must be one of {', '.join(allowed)}; got {value!r}"


def raise_if_any(faults: Iterator[str]) -> None:
    """Raises a `RecipeError` that names all the faults, if there are any."""
    found = list(faults)
    if found:
        raise RecipeError(found)
