"""``--set FIELD=VALUE``: changes to a recipe on the command line."""

from __future__ import annotations

import json
from typing import Any

from tflite.runtime.errors import LabError


def parse_assignment(text: str) -> tuple[str, Any]:
    """Name and value of one ``FIELD=VALUE``; the value is JSON where it can be, else text.

    Raises:
        LabError: If there is no name or no equals sign.
    """
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise LabError(f"--set takes FIELD=VALUE, e.g. batch_size=16; got {text!r}.")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value
