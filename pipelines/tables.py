"""CSV files as laboratories have them: any of three delimiters, UTF-8, all values as text."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from pipelines.errors import ManifestError, name_some

DELIMITERS = (",", ";", "\t")


def read_text_table(
    path: Path, required: Sequence[str], optional: Sequence[str] = ()
) -> pd.DataFrame:
    """Reads a CSV file; every value stays the text it is ("NA" and "007" included).

    The delimiter (comma, semicolon as spreadsheets of many countries write, or tab) is the one
    that the header line holds most of. Blank lines are left out.

    Args:
        path: The file, UTF-8 with or without byte-order mark.
        required: Columns that must be there. They are found without regard to capitals and
            surrounding spaces and come under the name given here.
        optional: Columns that are found alike but may be missing.

    Returns:
        One row a line, all columns of text, missing values "".

    Raises:
        ManifestError: If the file is missing, empty, not UTF-8, ragged, or lacks a column.
    """
    header, *rows = _records(path)
    names = _named(header, (*optional, *required))
    lacking = [name for name in required if name not in names]
    if lacking:
        raise ManifestError(
            f"{path} lacks the column(s) {', '.join(lacking)}; its first line names "
            f"{name_some(names, 20)}. A first line with {','.join(required)} was expected."
        )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ManifestError(f"{path} has the column(s) {name_some(twice)} twice.")
    columns = zip(*rows) if rows else ((),) * len(names)
    return pd.DataFrame({name: list(values) for name, values in zip(names, columns)}, dtype=object)


def _records(path: Path) -> list[list[str]]:
    """The lines with their fields, blank lines left out, short lines filled with ""."""
    text = _text(path)
    first = text.lstrip().split("\n", 1)[0]
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=max(DELIMITERS, key=first.count), strict=True
    )
    records: list[list[str]] = []
    try:
        for fields in reader:
            if not any(field.strip() for field in fields):
                continue
            width = len(records[0]) if records else len(fields)
            if len(fields) > width:
                raise ManifestError(
                    f"Line {reader.line_num} of {path} has {len(fields)} fields, its first line "
                    f"has {width}; put quotation marks around values that hold a delimiter."
                )
            records.append(fields + [""] * (width - len(fields)))
    except csv.Error as error:
        raise ManifestError(
            f"Line {reader.line_num} of {path}: {error}. Is a quotation mark opened and not closed?"
        ) from None
    return records


def _text(path: Path) -> str:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise ManifestError(f"No such table: {path}.") from None
    except IsADirectoryError:
        raise ManifestError(f"{path} is a folder; a CSV file was expected.") from None
    except UnicodeDecodeError as error:
        raise ManifestError(
            f"{path} is not UTF-8 text (byte {error.start}); save the table as 'CSV UTF-8'."
        ) from None
    if not text.strip():
        raise ManifestError(f"{path} is empty; a table with a header line was expected.")
    if "\0" in text:
        raise ManifestError(f"{path} is no text file (it holds zero bytes).")
    return text


def _named(columns: Sequence[str], wanted: Sequence[str]) -> list[str]:
    known = {name.lower(): name for name in wanted}
    return [known.get(name.strip().lower(), name.strip()) for name in columns]
