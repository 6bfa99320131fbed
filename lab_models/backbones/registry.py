"""The registry of backbones and the one function that builds them."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab_models.suggest import unknown_name
from tflite.runtime.contract import InputContract
from tflite.runtime.errors import LabError

if TYPE_CHECKING:
    import keras

RGB = tuple[float, float, float]

# What `keras.applications` calls "caffe" mode, in RGB order (see `_rgb_first_kernel`).
IMAGENET_MEAN: RGB = (123.68, 116.779, 103.939)

_MODULES = ("lab_models.backbones.applications", "lab_models.backbones.resnet")
_REGISTRY: dict[str, BackboneSpec] = {}

Builder = Callable[["keras.KerasTensor", "str | None"], "keras.Model"]
"""Takes the scaled image tensor and ``"imagenet"`` or None; gives the network without its top."""


@dataclass(frozen=True)
class BackboneSpec:
    """What must be known of a backbone to feed it, build it and cite it.

    Args:
        name: The registry's name, lower case.
        builder: See `Builder`.
        features: Size of its pooled feature vector.
        default_size: Rows and columns that its pre-trained weights were made for.
        minimum_size: Fewest rows and columns it works with.
        mean: Per channel in RGB order, in pixel values, what is subtracted from the image.
        standard_deviation: Per channel, in pixel values, what it is then divided by.
        rescales_inside: Whether the architecture holds that arithmetic itself.
        imagenet_file: Name of the ImageNet weights file (without top) in Keras's cache folder;
            empty where there are none.
        bgr_weights: Whether those weights expect blue first.
        licence: Of the ImageNet weights.
    """

    name: str
    builder: Builder
    features: int
    default_size: tuple[int, int] = (224, 224)
    minimum_size: int = 32
    mean: RGB = (127.5, 127.5, 127.5)
    standard_deviation: RGB = (127.5, 127.5, 127.5)
    rescales_inside: bool = False
    imagenet_file: str = ""
    bgr_weights: bool = False
    licence: str = "Apache-2.0"

    def contract(
        self,
        height: int | None = None,
        width: int | None = None,
        crop: float = 1.0,
        colour: str = "rgb",
        interpolation: str = "bilinear",
    ) -> InputContract:
        """The input contract of this backbone at a size (its default size if none is given).

        Raises:
            LabError: If the size is below `minimum_size` or a value is out of range.
        """
        height, width = height or self.default_size[0], width or self.default_size[1]
        if min(height, width) < self.minimum_size:
            raise LabError(
                f"{self.name} needs images of at least {self.minimum_size} x "
                f"{self.minimum_size} px, got {height} x {width}."
            )
        return InputContract(
            height=height,
            width=width,
            crop=crop,
            colour=colour,
            interpolation=interpolation,
            mean=self.mean,
            standard_deviation=self.standard_deviation,
            rescales_inside=self.rescales_inside,
        )


@dataclass(frozen=True)
class Backbone:
    """A built backbone.

    Args:
        model: Functional, from pixel values ``(batch, height, width, 3)``, input scaling
            included, to the feature map ``(batch, h, w, features)``.
        layers: Names of the layers that belong to the architecture, input to output; these are
            what a phase freezes or trains.
    """

    model: keras.Model
    layers: tuple[str, ...]


def register_backbone(spec: BackboneSpec) -> BackboneSpec:
    """Adds a backbone to the registry.

    Raises:
        LabError: If the name is taken: a second architecture under one name would load the
            wrong weights in silence.
    """
    if spec.name in _REGISTRY:
        raise LabError(f"A backbone named {spec.name!r} is registered already; choose another.")
    _REGISTRY[spec.name] = spec
    return spec


def _registry() -> dict[str, BackboneSpec]:
    for module in _MODULES:
        importlib.import_module(module)
    return _REGISTRY


def list_backbones() -> tuple[str, ...]:
    """Names of all backbones, sorted."""
    return tuple(sorted(_registry()))


def backbone_spec(name: str) -> BackboneSpec:
    """The spec of a backbone.

    Raises:
        LabError: If there is none of that name; names the nearest.
    """
    registry = _registry()
    if name not in registry:
        raise LabError(unknown_name("backbone", name, registry))
    return registry[name]


def build_backbone(name: str, contract: InputContract, weights: str = "random") -> Backbone:
    """Builds a backbone with its input scaling.

    Args:
        name: A name of `list_backbones`.
        contract: From the same backbone's `BackboneSpec.contract`.
        weights: ``"random"``; ``"imagenet"`` (Keras downloads them once); or the path of a
            weights file (``.weights.h5``, or the ``.h5`` without top that Keras publishes).

    Raises:
        LabError: If the weights cannot be had or do not fit. Never falls back to others.
    """
    import keras

    spec = backbone_spec(name)
    image = keras.Input(contract.shape, name="image")
    scaled: Any = image
    if not spec.rescales_inside:
        scaled = _rescaling(contract)(image)
    try:
        model = spec.builder(scaled, "imagenet" if weights == "imagenet" else None)
    except Exception as error:
        if weights != "imagenet":
            raise
        raise LabError(_no_imagenet(spec, error)) from None
    from_keras_cache = weights == "imagenet"
    if weights not in ("random", "imagenet"):
        _load_weights(model, Path(weights), name)
        from_keras_cache = Path(weights).name == spec.imagenet_file
    if from_keras_cache and spec.bgr_weights:
        _rgb_first_kernel(model)
    layers = tuple(
        layer.name
        for layer in model.layers
        if not isinstance(layer, keras.layers.InputLayer) and layer.name != "rescale"
    )
    return Backbone(model, layers)


def _rescaling(contract: InputContract) -> keras.layers.Layer:
    import keras

    scale = [1 / s for s in contract.standard_deviation]
    offset = [-m / s for m, s in zip(contract.mean, contract.standard_deviation)]
    if len(set(scale)) == len(set(offset)) == 1:
        return keras.layers.Rescaling(scale[0], offset[0], name="rescale")
    return keras.layers.Rescaling(scale, offset, name="rescale")


def _rgb_first_kernel(model: keras.Model) -> None:
    """Turns a first convolution trained on BGR into one for RGB.

    Flipping the kernel once costs nothing at run time; flipping every image would put a strided
    slice into the device's graph.
    """
    first = next(layer for layer in model.layers if getattr(layer, "kernel", None) is not None)
    first.kernel.assign(first.kernel.numpy()[:, :, ::-1, :])


def _load_weights(model: keras.Model, path: Path, name: str) -> None:
    if not path.is_file():
        raise LabError(
            f"No weights file at {path}. Give the path of a weights file for {name}, "
            'or "random" to train from scratch.'
        )
    try:
        model.load_weights(str(path))
    except Exception as error:
        raise LabError(
            f"The weights in {path} do not fit {name} without its top "
            f"({model.count_params():,} parameters): {str(error).splitlines()[0]}"
        ) from None


def _no_imagenet(spec: BackboneSpec, error: Exception) -> str:
    if not spec.imagenet_file:
        return (
            f"There are no ImageNet weights for {spec.name}. "
            'Use weights "random" or the path of a weights file (WEIGHTS=... with make).'
        )
    return (
        f"The ImageNet weights of {spec.name} are not on this machine and could not be "
        f"downloaded ({str(error).splitlines()[0]}). Either place the file "
        f"{spec.imagenet_file} in ~/.keras/models and try again, or give its path as weights, "
        'or train from random weights with weights "random" (WEIGHTS=random with make).'
    )
