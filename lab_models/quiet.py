"""Imports TensorFlow without its start-up notes."""

from __future__ import annotations

import os
import sys
import tempfile


def import_tensorflow_quietly() -> None:
    """Imports TensorFlow and finds its devices, keeping what it prints meanwhile to itself.

    Its C++ parts write a dozen lines about graphics cards and rounding to the terminal before
    any Python setting reaches them, and our own lines drown. For command lines; libraries and
    notebooks import TensorFlow as ever. Should the import fail, everything it printed is shown.
    """
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), 2)
        try:
            import tensorflow as tf

            tf.config.list_logical_devices()
        except BaseException:
            kept.seek(0)
            os.write(terminal, kept.read())
            raise
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
