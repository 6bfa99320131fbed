"""ResNet18 and ResNet34 (He et al. 2016, table 1), which Keras lacks, and small kin of ResNet18.

Basic blocks of two 3x3 convolutions, projection shortcuts where the size changes, no biases. The
last batch normalisation of a block starts at zero (Goyal et al. 2017), so that a deep net starts
as a shallow one; that matters from scratch on few images.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab_models.backbones.registry import BackboneSpec, Builder, register_backbone

if TYPE_CHECKING:
    import keras


def _convolve(
    x: keras.KerasTensor, filters: int, kernel: int, stride: int, name: str, start: str = "ones"
) -> keras.KerasTensor:
    from keras import layers

    x = layers.Conv2D(
        filters,
        kernel,
        stride,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"{name}_conv",
    )(x)
    return layers.BatchNormalization(gamma_initializer=start, name=f"{name}_bn")(x)


def _basic_block(x: keras.KerasTensor, filters: int, stride: int, name: str) -> keras.KerasTensor:
    from keras import layers

    shortcut = x
    if stride != 1 or x.shape[-1] != filters:
        shortcut = _convolve(x, filters, 1, stride, f"{name}_shortcut")
    y = _convolve(x, filters, 3, stride, f"{name}_1")
    y = layers.Activation("relu", name=f"{name}_1_relu")(y)
    y = _convolve(y, filters, 3, 1, f"{name}_2", start="zeros")
    y = layers.Add(name=f"{name}_add")([shortcut, y])
    return layers.Activation("relu", name=f"{name}_relu")(y)


def _resnet(name: str, blocks: tuple[int, ...], width: int) -> Builder:
    def build(image: keras.KerasTensor, weights: str | None) -> keras.Model:
        import keras
        from keras import layers

        if weights is not None:
            raise ValueError(f"no published Keras weights for {name}")
        x = _convolve(image, width, 7, 2, "stem")
        x = layers.Activation("relu", name="stem_relu")(x)
        x = layers.MaxPooling2D(3, 2, padding="same", name="stem_pool")(x)
        for stage, repeats in enumerate(blocks):
            for block in range(repeats):
                stride = 2 if stage > 0 and block == 0 else 1
                x = _basic_block(x, width * 2**stage, stride, f"stage{stage + 1}_block{block + 1}")
        return keras.Model(keras.utils.get_source_inputs(image), x, name=name)

    return build


for _name, _blocks, _width in (
    ("resnet18", (2, 2, 2, 2), 64),
    ("resnet34", (3, 4, 6, 3), 64),
    # For demonstrations and small CPUs: half the channels, a quarter of the arithmetic.
    ("resnet18_half", (2, 2, 2, 2), 32),
    ("resnet10_half", (1, 1, 1, 1), 32),
):
    register_backbone(
        BackboneSpec(_name, _resnet(_name, _blocks, _width), features=8 * _width, licence="none")
    )
