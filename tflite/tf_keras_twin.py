"""The ``tf_keras`` twin of a Keras 3 model: what TensorFlow's model optimisation toolkit needs.

The toolkit takes ``tf_keras`` models only. The twin computes the same, layer by layer, but is laid
out as a device computes it, so that every quantity that is stored has a layer of its own:

- input scaling, however many layers it has, is a product and a sum with one number each, which
  `tflite.rewrites` folds into the first convolution, or, where channels differ, one frozen 1x1
  depthwise convolution; int8 represents both exactly;
- an activation inside a convolution or dense layer stands after it, swish is a sigmoid and a
  product;
- a separable convolution is its depthwise and its pointwise half;
- nested models lie flat.

Weights go there and come back by name (`Twin.weights_of`), whatever wrappers TFMOT put around the
layers meanwhile.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tflite.keras_weights import give_weights
from tflite.runtime.errors import LabError
from tflite.tf_keras_weights import (
    INPUT_FACTOR,
    INPUT_SCALING,
    layers_by_name,
    set_input_scaling,
    weight_of,
)

if TYPE_CHECKING:
    import keras
    import tf_keras

PIXELS = "pixels"

# Same class name, same meaning, in both libraries, once activations have been taken out.
_SAME = (
    "Conv2D", "DepthwiseConv2D", "Dense", "BatchNormalization", "LayerNormalization",
    "ZeroPadding2D", "MaxPooling2D", "AveragePooling2D", "GlobalAveragePooling2D",
    "GlobalMaxPooling2D", "Reshape", "Flatten", "Dropout", "Add", "Subtract", "Multiply", "Maximum",
    "Concatenate", "Dot", "ReLU",
)  # fmt: skip
# Not so: tf_keras's hard sigmoid is another function, and it has no hard swish.
_ACTIVATIONS = ("relu", "sigmoid", "tanh", "softmax", "gelu", "elu", "selu", "softplus")
_RENAMED = {("DepthwiseConv2D", "kernel"): "depthwise_kernel"}
_DROPPED = ("dtype", "trainable", "activation")
_DROPPED_ENDINGS = ("_initializer", "_regularizer", "_constraint")


@dataclass(frozen=True)
class WeightLink:
    """Where a weight of the Keras 3 model lives in the twin.

    Args:
        position: In the Keras 3 model's ``weights``.
        layer: Name of the twin's layer.
        name: Of the weight in that layer, such as ``kernel``.
    """

    position: int
    layer: str
    name: str


@dataclass(frozen=True)
class Twin:
    """A ``tf_keras`` model equal to a Keras 3 model.

    Args:
        model: Functional, pixel values float32 ``(batch, height, width, 3)`` in 0..255 to what
            the original gives.
        original: The Keras 3 model it was built from; never changed.
        links: Where each weight went. Weights of the input scaling have none: they are not
            trained.
        scale: Per channel, what pixel values are multiplied by first.
        offset: Per channel, what is added then.
    """

    model: tf_keras.Model
    original: keras.Model
    links: tuple[WeightLink, ...]
    scale: tuple[float, ...]
    offset: tuple[float, ...]

    def weights_of(self, trained: tf_keras.Model | None = None) -> list[np.ndarray]:
        """The weights of a trained twin, in the order of the original's ``get_weights()``.

        Args:
            trained: The twin's model, or what TFMOT made of it, its layers' names kept or
                prefixed by a wrapper; None takes the twin's own.

        Raises:
            LabError: If `trained` lacks a layer of the twin.
        """
        values = [np.asarray(value) for value in self.original.get_weights()]
        layers = layers_by_name(trained or self.model)
        for link in self.links:
            if link.layer not in layers:
                raise LabError(
                    f"The trained model has no layer {link.layer!r}; it is not made of this twin."
                )
            values[link.position] = weight_of(layers[link.layer], link.name).numpy()
        return values

    def to_keras(self, trained: tf_keras.Model | None = None) -> keras.Model:
        """A copy of the original with the weights of a trained twin (see `weights_of`)."""
        import keras

        copy = keras.models.clone_model(self.original)
        give_weights(copy, self.weights_of(trained))
        return copy


def build_twin(model: keras.Model) -> Twin:
    """Builds the twin, with the same weights.

    Args:
        model: Functional Keras 3 model with one input, pixel values ``(batch, height, width, 3)``,
            and one output; nested functional and sequential models included.

    Raises:
        LabError: If a layer has no counterpart; names it.
    """
    import tf_keras

    if len(getattr(model, "inputs", None) or ()) != 1 or len(model.outputs) != 1:
        raise LabError("A twin is made of a functional model with one input and one output.")
    image = tf_keras.Input(model.inputs[0].shape[1:], name=PIXELS)
    builder = _Builder(model, image)
    output = builder.run(model, builder.image, "")
    twin = tf_keras.Model(image, builder.materialise(output), name=f"{model.name}_twin")
    builder.copy_weights()
    return Twin(
        twin,
        model,
        tuple(builder.links),
        tuple(float(s) for s in builder.image_scale),
        tuple(float(o) for o in builder.image_offset),
    )


@dataclass(frozen=True)
class _ScaledImage:
    """The image with scaling still to be applied: consecutive scalings become one."""

    scale: np.ndarray
    offset: np.ndarray

    def then(self, scale: Any, offset: Any) -> _ScaledImage:
        scale, offset = (np.reshape(np.asarray(v, np.float64), -1) for v in (scale, offset))
        return _ScaledImage(self.scale * scale, self.offset * scale + offset)


class _Builder:
    """Walks a Keras 3 graph and applies the twin of each operation."""

    def __init__(self, model: keras.Model, pixels: Any) -> None:
        channels = int(model.inputs[0].shape[-1])
        self.pixels = pixels
        self.image = _ScaledImage(np.ones(channels), np.zeros(channels))
        self.image_scale, self.image_offset = self.image.scale, self.image.offset
        self.links: list[WeightLink] = []
        self._positions = {id(weight): n for n, weight in enumerate(model.weights)}
        self._copies: list[tuple[Any, str, Any]] = []
        self._made: dict[Any, Callable[..., Any]] = {}
        self._scaled: dict[tuple[float, ...], Any] = {}

    def run(self, model: Any, inputs: Any, prefix: str) -> Any:
        """The output of a model or nested model applied to twin tensors."""

        def call(operation: Any, *arguments: Any, **_: Any) -> Any:
            if id(operation) not in self._made:
                self._made[id(operation)] = self._make(operation, prefix)
            return self._made[id(operation)](*arguments)

        functional = getattr(model, "_functional", None) or model
        if not hasattr(functional, "_run_through_graph"):
            raise LabError(
                f"{model.name!r} ({type(model).__name__}) is no functional model; a twin cannot "
                "be built of it."
            )
        return functional._run_through_graph(inputs, operation_fn=lambda o: o, call_fn=call)

    def _make(self, operation: Any, prefix: str) -> Callable[..., Any]:
        import keras

        kind, name = type(operation).__name__, prefix + operation.name
        if isinstance(operation, keras.Model):
            return lambda x: self.run(operation, x, f"{name}.")
        if kind == "Rescaling":
            return self._scaling(operation, name, operation.scale, operation.offset)
        if kind == "Normalization":
            return self._scaling(operation, name, *_as_scaling(operation))
        apply = _activated(self._plain(operation, kind, name), operation, name)
        return lambda *a: apply(*[self._real(x) for x in a])

    def _real(self, value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return [self._real(x) for x in value]
        return self.materialise(value)

    def materialise(self, value: Any) -> Any:
        """The tensor of `value`; applies the image's scaling where that is still to be done."""
        if not isinstance(value, _ScaledImage):
            return value
        key = (*value.scale, *value.offset)
        if key not in self._scaled:
            if (value.scale == 1).all() and (value.offset == 0).all():
                return self.pixels
            if self._scaled:
                raise LabError("A network that scales its image in two ways has no twin.")
            self._scaled[key] = _scale_image(self.pixels, value.scale, value.offset)
            self.image_scale, self.image_offset = value.scale, value.offset
        return self._scaled[key]

    def _scaling(self, operation: Any, name: str, scale: Any, offset: Any) -> Callable[..., Any]:
        import tf_keras

        layer = tf_keras.layers.Rescaling(scale, offset, name=name)
        return lambda x: x.then(scale, offset) if isinstance(x, _ScaledImage) else layer(x)

    def _plain(self, operation: Any, kind: str, name: str) -> Callable[..., Any]:
        """The operation without an activation inside."""
        import keras
        import tf_keras

        from tflite import tf_keras_layers as ours

        if kind == "SeparableConv2D":
            return self._separable(operation, name)
        if kind == "LayerScale":
            return self._linked(operation, kind, ours.ChannelScale(name=name))
        if kind == "Rsqrt":
            return ours.InverseSquareRoot(name=name)
        if kind in ("Add", "Multiply", "Maximum") and not isinstance(operation, keras.Layer):
            return _arithmetic(kind, name)
        if kind in ("Activation", "Softmax"):
            return lambda x: x
        if kind not in _SAME or not isinstance(operation, keras.Layer):
            raise LabError(
                f"Layer {operation.name!r} of type {type(operation).__module__}.{kind} has no "
                "counterpart in tf_keras that is known here; the model cannot be trained further "
                "with TFMOT. Use another quantisation recipe for it."
            )
        return self._linked(operation, kind, _same_layer(getattr(tf_keras.layers, kind), operation))

    def _separable(self, operation: Any, name: str) -> Callable[..., Any]:
        import tf_keras

        config = operation.get_config()
        spatial = {
            k: config[k]
            for k in ("kernel_size", "strides", "padding", "dilation_rate", "depth_multiplier")
        }
        depthwise = tf_keras.layers.DepthwiseConv2D(
            **spatial, use_bias=False, name=f"{name}.depthwise"
        )
        pointwise = tf_keras.layers.Conv2D(
            config["filters"], 1, use_bias=config["use_bias"], name=f"{name}.pointwise"
        )
        self._copies.append((operation.depthwise_kernel, "depthwise_kernel", depthwise))
        self._copies.append((operation.pointwise_kernel, "kernel", pointwise))
        if config["use_bias"]:
            self._copies.append((operation.bias, "bias", pointwise))
        return lambda x: pointwise(depthwise(x))

    def _linked(self, operation: Any, kind: str, layer: Any) -> Any:
        for weight in operation.weights:
            # Keras numbers the one weight of a LayerScale anew in every layer.
            name = "gamma" if kind == "LayerScale" else weight.name
            self._copies.append((weight, _RENAMED.get((kind, name), name), layer))
        return layer

    def copy_weights(self) -> None:
        """Copies every weight, and notes where it went."""
        for weight, name, layer in self._copies:
            weight_of(layer, name).assign(weight.numpy())
            self.links.append(WeightLink(self._positions[id(weight)], layer.name, name))


def _scale_image(pixels: Any, scale: np.ndarray, offset: np.ndarray) -> Any:
    """The scaled image; the last of the layers that scale it is named `INPUT_SCALING`."""
    import tf_keras

    from tflite.tf_keras_layers import WithConstant

    if len(set(scale)) > 1 or len(set(offset)) > 1:
        layer = tf_keras.layers.DepthwiseConv2D(1, name=INPUT_SCALING, trainable=False)
        scaled = layer(pixels)
        set_input_scaling(layer, scale, offset)
        return scaled
    if not offset[0]:
        return WithConstant("multiply", float(scale[0]), name=INPUT_SCALING)(pixels)
    scaled = WithConstant("multiply", float(scale[0]), name=INPUT_FACTOR)(pixels)
    return WithConstant("add", float(offset[0]), name=INPUT_SCALING)(scaled)


def _same_layer(cls: Any, operation: Any) -> Any:
    known = set(inspect.signature(cls.__init__).parameters)
    config = {
        key: value
        for key, value in operation.get_config().items()
        if key in known | {"name"}
        and key not in _DROPPED
        and not key.endswith(_DROPPED_ENDINGS)
        and not key.startswith("renorm")
    }
    return cls(**config)


def _as_scaling(operation: Any) -> tuple[np.ndarray, np.ndarray]:
    """Scale and offset of a Normalization layer: ``(x - mean) / max(deviation, 1e-7)``."""
    import keras

    mean, variance = (
        np.asarray(keras.ops.convert_to_numpy(v), np.float64)
        for v in (operation.mean, operation.variance)
    )
    deviation = np.maximum(np.sqrt(variance), keras.config.epsilon())
    if operation.invert:
        return deviation, mean
    return 1 / deviation, -mean / deviation


def _arithmetic(kind: str, name: str) -> Callable[..., Any]:
    """An operation of ``keras.ops`` with two arguments, of which one may be a number."""
    import tf_keras

    from tflite.tf_keras_layers import WithConstant

    made: list[Any] = []  # once, however often a nested model is called

    def apply(first: Any, second: Any) -> Any:
        if isinstance(first, (int, float)):
            first, second = second, first
        if isinstance(second, (int, float)):
            made[:] = made or [WithConstant(kind.lower(), float(second), name=name)]
            return made[0](first)
        made[:] = made or [getattr(tf_keras.layers, kind)(name=name)]
        return made[0]([first, second])

    return apply


def _activated(apply: Callable[..., Any], operation: Any, name: str) -> Callable[..., Any]:
    """Puts the operation's activation, if it has one, after it as layers of their own."""
    function = getattr(operation, "activation", None)
    kind = "softmax" if type(operation).__name__ == "Softmax" else getattr(function, "__name__", "")
    if function is None and kind != "softmax":
        return apply
    alone = type(operation).__name__ in ("Activation", "Softmax")
    activation = _activation(kind, name if alone else f"{name}.{kind}", operation)
    return lambda *arguments: activation(apply(*arguments))


def _activation(kind: str, name: str, operation: Any) -> Callable[[Any], Any]:
    import tf_keras
    from tf_keras import layers

    from tflite.tf_keras_layers import HardSwish, WithConstant

    if kind == "linear":
        return lambda x: x
    if kind in ("silu", "swish"):
        sigmoid = layers.Activation("sigmoid", name=f"{name}.sigmoid")
        product = layers.Multiply(name=name)
        return lambda x: product([x, sigmoid(x)])
    if kind == "hard_silu":
        return HardSwish(name=name)
    if kind == "hard_sigmoid":
        shift, clip = WithConstant("add", 3.0, name=f"{name}.shift"), layers.ReLU(6.0, name=name)
        scale = WithConstant("multiply", 1 / 6, name=f"{name}.scale")
        return lambda x: scale(clip(shift(x)))
    if kind == "relu6":
        return layers.ReLU(6.0, name=name)
    if kind not in _ACTIVATIONS:
        raise LabError(
            f"The activation {kind!r} of layer {operation.name!r} has no counterpart in tf_keras "
            "that is known here. Use another quantisation recipe for this model."
        )
    return layers.Activation(getattr(tf_keras.activations, kind), name=name)
