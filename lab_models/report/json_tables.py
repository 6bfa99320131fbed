"""JSON of any form as tables, so that a report can show files whose makers change them."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

from lab_models.report import html
from lab_models.report.words import NOTHING, number
from pipelines.labels import display_name

MOST_IN_LINE = 12
MOST_ROWS = 40


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


def json_tables(title: str, value: Any) -> Iterator[str]:
    """Tables for JSON of any form: lists of records, tables of records, tables of values."""
    if isinstance(value, list) and value and all(isinstance(v, dict) for v in value):
        value = {str(n + 1): v for n, v in enumerate(value)}
    if not isinstance(value, dict):
        return
    heading = f"<h3>{escape(display_name(title).capitalize())}</h3>" if title else ""
    plain_values = {k: v for k, v in value.items() if _is_plain(v)}
    records = {k: v for k, v in value.items() if isinstance(v, dict)}
    if records and all(all(map(_is_plain, v.values())) for v in records.values()):
        columns = list(dict.fromkeys(key for record in records.values() for key in record))
        rows = [(display_name(k), *(number(v.get(c)) for c in columns)) for k, v in records.items()]
        yield heading + html.table(("", *map(display_name, columns)), rows[:MOST_ROWS])
        if len(rows) > MOST_ROWS:
            yield html.paragraph(f"{len(rows) - MOST_ROWS} further rows are not shown.", "note")
        records, heading = {}, ""
    if plain_values:
        rows = [(display_name(k), value_text(v)) for k, v in plain_values.items()]
        yield heading + html.table(("", ""), rows, "words")
        heading = ""
    yield heading if records else ""
    for key, inner in value.items():
        if key in records or (isinstance(inner, list) and not _is_plain(inner)):
            yield from json_tables(key, inner)


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(not isinstance(v, (dict, list)) for v in value) and len(value) <= MOST_IN_LINE
    return not isinstance(value, dict)


def value_text(value: Any) -> str:
    """One plain JSON value, or a list of them, as text."""
    if isinstance(value, list):
        return ", ".join(number(v) for v in value) or NOTHING
    return number(value)
