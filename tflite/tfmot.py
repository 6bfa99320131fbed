"""TensorFlow's model optimisation toolkit, imported so that Keras 3 stays in charge.

On import, TFMOT sets the environment variable that turns ``tf.keras`` into ``tf_keras`` for whoever
asks for it later, KerasCV for one, and for every process started from here. So ``tf.keras`` is
settled first, and the variable put back afterwards. Everything here that uses TFMOT imports it from
this module. Importing this module imports TensorFlow.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import tensorflow as tf

_SWITCH = "TF_USE_LEGACY_KERAS"


@contextlib.contextmanager
def _keras_3_in_charge() -> Iterator[None]:
    tf.keras.version()  # tf.keras is loaded at its first use, and then stays what it is
    before = os.environ.get(_SWITCH)
    try:
        yield
    finally:
        os.environ.pop(_SWITCH, None)
        if before is not None:
            os.environ[_SWITCH] = before


with _keras_3_in_charge():
    import tensorflow_model_optimization as tfmot
    from tensorflow_model_optimization.python.core.quantization.keras import (
        quantize,
        quantize_config,
        quantize_registry,
        quantize_scheme,
        quantizers,
    )

__all__ = [
    "quantize",
    "quantize_config",
    "quantize_registry",
    "quantize_scheme",
    "quantizers",
    "tfmot",
]
