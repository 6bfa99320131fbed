"""Keeps TensorFlow Lite's converter from talking."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator

# What the quantiser's C++ code prints for every file.
_CHATTER = (b"fully_quantize:",)


@contextlib.contextmanager
def quiet_converter() -> Iterator[None]:
    """Swallows what the converter prints to standard output, its warnings, and its chatter.

    It prints the signature of the saved model, a line a weight, and warns that it was given no
    statistics for inputs, which is what the representative images are for. Other lines of its
    C++ code appear on standard error once it is done.
    """
    with (
        contextlib.redirect_stdout(io.StringIO()),
        warnings.catch_warnings(),
        _without_chatter(),
    ):
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def _without_chatter() -> Iterator[None]:
    """Holds back what C++ code writes to standard error, and lets through all but the chatter."""
    sys.stderr.flush()
    with tempfile.TemporaryFile() as held:
        real = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(real, 2)
            os.close(real)
            held.seek(0)
            for line in held:
                if not line.startswith(_CHATTER):
                    os.write(2, line)
