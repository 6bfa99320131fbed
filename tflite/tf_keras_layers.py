"""The few layers that our networks use and ``tf_keras`` lacks or computes differently.

Importing this module imports TensorFlow; `tflite.tf_keras_twin` does so where it is needed.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tf_keras

PACKAGE = "lab_models"


@tf_keras.utils.register_keras_serializable(package=PACKAGE)
class HardSwish(tf_keras.layers.Layer):
    """``x * relu6(x + 3) / 6`` (Howard et al. 2019, section 5.2), any shape, float32.

    Written in the order that the converter recognises as its HARD_SWISH operator.
    """

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Applies it, element by element."""
        return inputs * tf.nn.relu6(inputs + 3.0) * (1.0 / 6.0)


@tf_keras.utils.register_keras_serializable(package=PACKAGE)
class WithConstant(tf_keras.layers.Layer):
    """One arithmetic operation with a number, element by element.

    Args:
        operation: ``add``, ``multiply`` or ``maximum``.
        constant: The number.
    """

    def __init__(self, operation: str, constant: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.operation, self.constant = operation, constant

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Applies it; the shape stays."""
        return getattr(tf, self.operation)(inputs, tf.constant(self.constant, inputs.dtype))

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {
            **super().get_config(),
            "operation": self.operation,
            "constant": self.constant,
        }


@tf_keras.utils.register_keras_serializable(package=PACKAGE)
class InverseSquareRoot(tf_keras.layers.Layer):
    """``1 / sqrt(x)``, element by element, of positive numbers."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Applies it; the shape stays."""
        return tf.math.rsqrt(inputs)


@tf_keras.utils.register_keras_serializable(package=PACKAGE)
class ChannelScale(tf_keras.layers.Layer):
    """A trained factor for each channel, ConvNeXt's layer scale (Touvron et al. 2021, eq. 4)."""

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the factors, ``(channels,)``."""
        self.gamma = self.add_weight(name="gamma", shape=(input_shape[-1],), initializer="ones")
        super().build(input_shape)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Multiplies; the shape stays."""
        return inputs * self.gamma
