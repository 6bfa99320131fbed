"""CSV files as laboratories have them: any of three delimiters, UTF-8, all values as text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from pipelines.errors import ManifestError

DELIMITERS = (",", ";", "\t")


def read_text_table(path: Path, required: Sequence[str]) -> pd.DataFrame:
    """Reads a CSV file; every value stays the text it is ("NA" and "007" included).

    The delimiter (comma, semicolon as spreadsheets of many countries write, or tab) is the one
    that the header line holds most of. Blank lines are left out.

    Args:
        path: The file, UTF-8 with or without byte-order mark.
        required: Columns that must be there. They are found without regard to capitals and
            surrounding spaces and come under the name given here.

    Returns:
        One row a line, all columns of text, missing values "".

    Raises:
        ManifestError: If the file is missing, empty, not UTF-8, ragged, or lacks a column.
    """
    header = _header(path)
    delimiter = max(DELIMITERS, key=header.count)
    try:
        table = pd.read_csv(
            path,
            sep=delimiter,
            dtype=str,
            keep_default_na=False,
            encoding="utf-8-sig",
            index_col=False,
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError, pd.errors.ParserWarning) as error:
        raise ManifestError(f"{path} is no proper table: {str(error).strip()}") from None
    table = table.fillna("")
    table.columns = _named(list(table.columns), required)
    lacking = [name for name in required if name not in table.columns]
    if lacking:
        raise ManifestError(
            f"{path} lacks the column(s) {', '.join(lacking)}; its first line names "
            f"{', '.join(map(repr, table.columns))}. A first line with "
            f"{','.join(required)} was expected."
        )
    return table


def _header(path: Path) -> str:
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            text = lines.read()
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
    return text.lstrip().split("\n", 1)[0]


def _named(columns: Sequence[str], required: Sequence[str]) -> list[str]:
    known = {name.lower(): name for name in required}
    return [known.get(str(name).strip().lower(), str(name).strip()) for name in columns]
