"""How each layer of a twin is quantised while it is trained, and where.

TFMOT's own 8-bit scheme knows neither products nor swish, hard swish, sigmoid gates or scaling,
quantises depthwise kernels with one scale for all channels, and starts every range at -6..6 and
lets it creep (0.999 a step), which a short fine-tuning never ends. So each layer here gets a
``QuantizeConfig`` of its own:

- **Kernels**: int8, symmetric, a scale per output channel, depthwise ones included, from the
  kernel's present extremes. Normalisation that follows is folded into the kernel at conversion; it
  multiplies whole channels, which moves the scale and not the integers.
- **Outputs**: int8, asymmetric, one scale a tensor, from the extremes seen in calibration, then
  followed through training by a moving average (Jacob et al. 2018, section 3.1). Only what the
  device stores is rounded: nothing between a convolution and the normalisation and ReLU that
  become part of it.
- **Fixed**: a sigmoid's and a softmax's output is 0..255/256, as the int8 kernels demand; pixels
  are 0..255 with a step of 1; the scaled image has the range that follows.
- **As they come**: padding, pooling by maximum, reshaping and dropout keep their input's range.

Layer normalisation and GELU stay in floating point on the device, so models that have them are
refused. Importing this module imports TensorFlow.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from tflite.runtime.errors import LabError
from tflite.tf_keras_layers import HardSwish, InverseSquareRoot, WithConstant
from tflite.tf_keras_weights import INPUT_FACTOR, INPUT_SCALING, layers_by_name
from tflite.tfmot import quantize_config, quantize_registry, quantize_scheme, quantizers

LEVELS = 127
UNIT = (0.0, 255 / 256)

_KERNELS = {
    "Conv2D": "kernel",
    "Dense": "kernel",
    "DepthwiseConv2D": "depthwise_kernel",
}
_KEEPS_RANGE = ("ZeroPadding2D", "MaxPooling2D", "Reshape", "Flatten", "Dropout", "InputLayer")
_OBSERVED = (
    "Add", "Subtract", "Multiply", "Maximum", "Concatenate", "Dot", "GlobalAveragePooling2D",
    "GlobalMaxPooling2D", "AveragePooling2D", "BatchNormalization", "ReLU", "Rescaling",
    HardSwish.__name__, InverseSquareRoot.__name__, WithConstant.__name__, *_KERNELS,
)  # fmt: skip


class ChannelKernelQuantizer(quantizers.Quantizer):
    """Rounds a kernel to int8, symmetric, a scale per output channel.

    Args:
        axes: Those over which a channel extends; the others tell channels apart.
    """

    def __init__(self, axes: tuple[int, ...]) -> None:
        self.axes = tuple(axes)

    def build(self, tensor_shape: Any, name: str, layer: Any) -> dict[str, Any]:
        """Needs no variables: the scale is that of the present kernel."""
        return {}

    def __call__(self, inputs: Any, training: Any, weights: Any, **kwargs: Any) -> tf.Tensor:
        """The rounded kernel; the gradient passes as if nothing had been done."""
        kernel = tf.convert_to_tensor(inputs)
        largest = tf.reduce_max(tf.abs(kernel), self.axes, keepdims=True)
        step = tf.maximum(largest, 1e-12) / LEVELS
        return kernel + tf.stop_gradient(tf.round(kernel / step) * step - kernel)

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {"axes": list(self.axes)}


class RangeQuantizer(quantizers.Quantizer):
    """Rounds a tensor to int8, asymmetric, in a range that follows what is seen in training.

    Args:
        low: First lower end; 0 is always inside the range.
        high: First upper end.
        decay: Share of the old range kept at each training step; 1 keeps the range as it is.
    """

    def __init__(self, low: float, high: float, decay: float) -> None:
        self.low, self.high, self.decay = float(low), float(high), float(decay)

    def build(self, tensor_shape: Any, name: str, layer: Any) -> dict[str, Any]:
        """Makes the two ends."""
        return {
            end: layer.add_weight(
                name=f"{name}_{end}",
                shape=(),
                initializer=tf_keras.initializers.Constant(value),
                trainable=False,
            )
            for end, value in (("low", self.low), ("high", self.high))
        }

    def __call__(self, inputs: Any, training: Any, weights: Any, **kwargs: Any) -> tf.Tensor:
        """The rounded tensor."""
        low, high = weights["low"], weights["high"]
        if training and self.decay < 1:
            seen_low = tf.minimum(tf.reduce_min(inputs), 0.0)
            # A range of no width has no step; a little above zero is as good as any.
            seen_high = tf.maximum(tf.reduce_max(inputs), seen_low + 1e-6)
            low = low.assign(self.decay * low + (1 - self.decay) * seen_low)
            high = high.assign(self.decay * high + (1 - self.decay) * seen_high)
        return tf.quantization.fake_quant_with_min_max_vars(inputs, low, high)

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {"low": self.low, "high": self.high, "decay": self.decay}


class LayerQuantizeConfig(quantize_config.QuantizeConfig):
    """What is rounded in and behind one layer.

    Args:
        kernel: Name of the layer's kernel attribute; empty for none.
        output: ``(low, high, decay)`` of `RangeQuantizer`; None leaves the output as it is.
    """

    def __init__(self, kernel: str = "", output: tuple[float, float, float] | None = None) -> None:
        self.kernel = kernel
        self.output = None if output is None else tuple(output)

    def get_weights_and_quantizers(self, layer: Any) -> list[Any]:
        """The kernel, if there is one."""
        if not self.kernel:
            return []
        kernel = getattr(layer, self.kernel)
        axes = range(2) if self.kernel == "depthwise_kernel" else range(len(kernel.shape) - 1)
        return [(kernel, ChannelKernelQuantizer(tuple(axes)))]

    def set_quantize_weights(self, layer: Any, quantize_weights: Any) -> None:
        """Puts the rounded kernel into the layer."""
        if self.kernel:
            setattr(layer, self.kernel, quantize_weights[0])

    def get_activations_and_quantizers(self, layer: Any) -> list[Any]:
        """None: activations are layers of their own."""
        return []

    def set_quantize_activations(self, layer: Any, quantize_activations: Any) -> None:
        """Nothing to set."""
        return  # TensorFlow's AutoGraph stumbles over a body that is a docstring only

    def get_output_quantizers(self, layer: Any) -> list[Any]:
        """That of the output, if it is rounded."""
        return [] if self.output is None else [RangeQuantizer(*self.output)]

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {"kernel": self.kernel, "output": self.output and list(self.output)}


class TwinScheme(quantize_scheme.QuantizeScheme):
    """Leaves the twin's layout as it is: it is laid out for the device already."""

    def get_layout_transformer(self) -> Any:
        """One that changes nothing."""
        return _KeepLayout()

    def get_quantize_registry(self) -> Any:
        """One that knows no layer: each is annotated with its own config."""
        return _NoDefaults()


class _KeepLayout:
    def apply(self, model: Any, layer_quantize_map: Any) -> tuple[Any, Any]:
        return model, layer_quantize_map


class _NoDefaults(quantize_registry.QuantizeRegistry):
    def supports(self, layer: Any) -> bool:
        return False

    def get_quantize_config(self, layer: Any) -> None:
        return None


CUSTOM_OBJECTS = {
    cls.__name__: cls for cls in (ChannelKernelQuantizer, RangeQuantizer, LayerQuantizeConfig)
}


def layer_configs(
    model: tf_keras.Model,
    ranges: Mapping[str, tuple[float, float]],
    decay: float,
) -> dict[str, LayerQuantizeConfig]:
    """The config of every layer of a twin that is rounded somewhere.

    Args:
        model: The twin's model.
        ranges: Extremes of each layer's output in calibration, by layer name.
        decay: Of the ranges, a step.

    Raises:
        LabError: If a layer computes what int8 cannot; names it.
    """
    return {
        layer.name: _layer_config(layer, ranges, decay)
        for layer in model.layers
        if type(layer).__name__ != "InputLayer"
    }


def _layer_config(layer: Any, ranges: Mapping[str, Any], decay: float) -> LayerQuantizeConfig:
    kind = type(layer).__name__
    if layer.name not in ranges:
        raise LabError(
            f"Layer {layer.name!r} is used more than once; its output cannot have one range. "
            "Use another quantisation recipe for this model."
        )
    low, high = ranges[layer.name]
    if layer.name in (INPUT_FACTOR, INPUT_SCALING):
        # One number a channel is exact in int8, and a kernel that is rounded would be trained.
        return LayerQuantizeConfig(output=(low, high, 1.0))
    kernel = _KERNELS.get(kind, "")
    if kind in _KEEPS_RANGE or _is_fused(layer):
        return LayerQuantizeConfig(kernel)
    activation = getattr(getattr(layer, "activation", None), "__name__", "linear")
    if kind == "Activation" and activation in ("sigmoid", "softmax"):
        return LayerQuantizeConfig(output=(*UNIT, 1.0))
    if kind == "Activation" and activation == "tanh":
        return LayerQuantizeConfig(output=(-1.0, LEVELS / (LEVELS + 1), 1.0))
    if kind not in _OBSERVED and not (kind == "Activation" and activation == "relu"):
        described = activation if kind == "Activation" else kind
        raise LabError(
            f"Layer {layer.name!r} ({described}) has no int8 kernel on the device, so training "
            "with quantisation simulated makes no sense for this model. Use float32 or "
            "dynamic_int8 for it."
        )
    return LayerQuantizeConfig(kernel, (low, high, decay))


def _is_fused(layer: Any) -> bool:
    """Whether the device computes this layer and its only successor in one operator."""
    successors = [node.outbound_layer for node in layer._outbound_nodes]
    if len(successors) != 1:
        return False
    kind, successor = type(layer).__name__, successors[0]
    if kind in ("Conv2D", "DepthwiseConv2D", "Dense"):
        if type(successor).__name__ == "BatchNormalization":
            return True
    elif kind not in ("Add", "BatchNormalization", "Subtract", "Multiply", WithConstant.__name__):
        return False
    return _is_relu(successor)


def _is_relu(layer: Any) -> bool:
    if isinstance(layer, tf_keras.layers.ReLU):
        return layer.max_value in (None, 6.0) and not layer.negative_slope and not layer.threshold
    return getattr(layer, "activation", None) is tf_keras.activations.relu and not _kernel_of(layer)


def _kernel_of(layer: Any) -> str:
    return _KERNELS.get(type(layer).__name__, "")


def observe_ranges(
    model: tf_keras.Model, images: np.ndarray, batch_size: int = 16
) -> dict[str, tuple[float, float]]:
    """The extremes of every layer's output over some images.

    Args:
        model: The twin's model, not quantised.
        images: uint8 or float32 ``(n, height, width, 3)``, pixel values 0..255.
        batch_size: Images computed at a time.

    Returns:
        Lower and upper end by layer name, 0 always inside.
    """
    layers = [layer for layer in model.layers if len(layer._inbound_nodes) == 1]
    every = tf_keras.Model(model.inputs, [layer.output for layer in layers])

    @tf.function(autograph=False)
    def extremes(batch: tf.Tensor) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        outputs = every(batch, training=False)
        return [tf.reduce_min(o) for o in outputs], [tf.reduce_max(o) for o in outputs]

    lows, highs = np.zeros(len(layers)), np.zeros(len(layers))
    for start in range(0, len(images), batch_size):
        low, high = extremes(tf.cast(images[start : start + batch_size], tf.float32))
        lows, highs = np.minimum(lows, low), np.maximum(highs, high)
    return {
        layer.name: (float(low), float(max(high, low + 1e-6)))
        for layer, low, high in zip(layers, lows, highs, strict=True)
    }


def range_variables(model: tf_keras.Model) -> dict[str, tuple[float, float]]:
    """The present ranges of a quantised model's outputs, by layer name."""
    found = {}
    for name, layer in layers_by_name(model).items():
        variables = getattr(layer, "_output_quantizer_vars", None)
        if variables:
            found[name] = (float(variables["low"]), float(variables["high"]))
    return found
