"""JSON of any form as names and texts, so that a report can show whatever a recipe holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lab_models.report.words import NOTHING, number


def flatten(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested JSON as dotted names and plain values."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from flatten(inner, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(value, list) and any(isinstance(v, (dict, list)) for v in value):
        for place, inner in enumerate(value):
            yield from flatten(inner, f"{prefix}.{place}")
    elif not isinstance(value, dict):
        yield prefix, value


def value_text(value: Any) -> str:
    """One plain JSON value, or a list of them, as text."""
    if isinstance(value, list):
        return ", ".join(number(v) for v in value) or NOTHING
    return number(value)
