"""Networks to measure speed with: random weights, but activations as a trained network has them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from tflite.runtime.errors import LabError

if TYPE_CHECKING:
    import keras

# What the device benchmark measures unless told: the networks of the studies and their kin.
DEVICE_NETWORKS = (
    "resnet18:480x300",
    "resnet34:224x224",
    "resnet50:224x224",
    "xception:256x256",
    "efficientnet_b0:224x224",
    "mobilenet_v3_small:224x224",
    "mobilenet_v3_large:224x224",
)
CLASSES = 20


def named_network(text: str, seed: int = 0) -> keras.Model:
    """A classifier of 20 classes by name and size.

    Speed does not depend on the weights, but int8 does on activations that are not all zero: the
    statistics of batch normalisation are those of random patches, its scales and offsets random.

    Args:
        text: ``"resnet18:480x300"`` (height x width), or a backbone's name for its default size.
        seed: Of all that is random.

    Raises:
        LabError: If the text is of another form, or the backbone unknown.
    """
    import keras

    from lab_models.backbones import backbone_spec
    from lab_models.classifier import build_classifier

    match = re.fullmatch(r"([a-z0-9_]+)(?::(\d+)x(\d+))?", text)
    if match is None:
        raise LabError(f"A network is named as resnet18 or resnet18:480x300, got {text!r}.")
    name, height, width = match[1], int(match[2] or 0), int(match[3] or 0)
    contract = backbone_spec(name).contract(height or None, width or None)
    keras.utils.set_random_seed(seed)
    model = build_classifier(name, contract, [f"class_{i}" for i in range(CLASSES)]).model
    _settle_batch_norm(model, seed)
    return model


def _settle_batch_norm(model: keras.Model, seed: int, images: int = 4) -> None:
    import keras

    generator = np.random.default_rng(seed)
    layers = [x for x in model.layers if isinstance(x, keras.layers.BatchNormalization)]
    momentum = [layer.momentum for layer in layers]
    for layer in layers:
        if layer.scale:
            layer.gamma.assign(generator.uniform(0.5, 1.5, layer.gamma.shape))
        if layer.center:
            layer.beta.assign(generator.normal(0, 0.3, layer.beta.shape))
        layer.momentum = 0.0
    model([_patches(generator, images, *model.inputs[0].shape[1:3])], training=True)
    for layer, value in zip(layers, momentum, strict=True):
        layer.momentum = value


def _patches(generator: np.random.Generator, images: int, height: int, width: int) -> np.ndarray:
    """Float32 images of 8 x 8 patches of random colours: pure noise looks all the same to a net."""
    colours = generator.uniform(0, 255, (images, 8, 8, 3)).astype(np.float32)
    return colours[:, (np.arange(height) * 8 // height)[:, None], np.arange(width) * 8 // width]
