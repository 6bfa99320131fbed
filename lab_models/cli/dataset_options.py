"""Words of the form NAME=VALUE that commands take."""

from __future__ import annotations

import re
from typing import Any

from tflite.runtime.errors import LabError

_WORDS = {"true": True, "false": False, "none": None}
# Whole numbers without leading zeros, so that 007 stays the name it is, and of a length that a
# computer's own numbers have.
_WHOLE = re.compile(r"[+-]?(0|[1-9][0-9]{0,17})")
_DECIMAL = re.compile(r"[+-]?([0-9]{1,18}\.[0-9]{0,18}|\.[0-9]{1,18})")


def read_options(words: list[str], flag: str, example: str) -> dict[str, Any]:
    """Options by name; values are plain decimal numbers, true, false, none or else text.

    Args:
        words: Each ``NAME=VALUE``. What is no plain number stays text: ``1_0``, ``1e3``, ``nan``.
        flag: What they were given with, for the message.
        example: One that is right, for the message.

    Raises:
        LabError: If a word is not of this form, or a name is given twice.
    """
    options: dict[str, Any] = {}
    for word in words:
        name, separator, value = word.partition("=")
        if not separator or not name:
            raise LabError(f"{flag} takes NAME=VALUE, such as {example}, got {word!r}.")
        if name in options:
            raise LabError(f"{flag} {name} is given twice; say it once.")
        options[name] = _value(value)
    return options


def read_dataset_options(words: list[str], classes: str | None) -> dict[str, Any]:
    """What ``--option`` and ``--classes`` ask a data set's reader for.

    Args:
        words: Each ``NAME=VALUE``.
        classes: Classes to map onto, or None.

    Raises:
        LabError: As `read_options`, or if ``classes`` is given as an option.
    """
    options = read_options(words, "--option", "subset=tiny")
    if "classes" in options:
        raise LabError("--option classes=... is no option of a kind; use --classes NAMES.")
    return options if classes is None else {**options, "classes": classes}


def _value(text: str) -> Any:
    if _WHOLE.fullmatch(text):
        return int(text)
    if _DECIMAL.fullmatch(text):
        return float(text)
    return _WORDS.get(text.lower(), text)
