"""Words of the form NAME=VALUE that commands take."""

from __future__ import annotations

from typing import Any

from tflite.runtime.errors import LabError

_WORDS = {"true": True, "false": False, "none": None}


def read_options(words: list[str], flag: str, example: str) -> dict[str, Any]:
    """Options by name; values are numbers, true, false, none or else text.

    Args:
        words: Each ``NAME=VALUE``.
        flag: What they were given with, for the message.
        example: One that is right, for the message.

    Raises:
        LabError: If a word is not of this form.
    """
    options: dict[str, Any] = {}
    for word in words:
        name, separator, value = word.partition("=")
        if not separator or not name:
            raise LabError(f"{flag} takes NAME=VALUE, such as {example}, got {word!r}.")
        options[name] = _value(value)
    return options


def _value(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return _WORDS.get(text.lower(), text)
