"""Keeps TensorFlow Lite's converter from talking."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator


@contextlib.contextmanager
def quiet_converter() -> Iterator[None]:
    """Swallows what the converter prints to standard output, and its warnings.

    It prints the signature of the saved model, a line a weight, and warns that it was given no
    statistics for inputs, which is what the representative images are for.
    """
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
