"""The backbones of ``keras.applications`` that the studies use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lab_models.backbones.registry import IMAGENET_MEAN, BackboneSpec, Builder, register_backbone

if TYPE_CHECKING:
    import keras

# What the EfficientNetV2-B and ConvNeXt architectures apply inside themselves: ImageNet's mean and
# standard deviation in RGB, in pixel values.
_TORCH_MEAN = (123.675, 116.28, 103.53)
_TORCH_STANDARD_DEVIATION = (58.395, 57.12, 57.375)


def _application(
    class_name: str, batch_norm_momentum: float | None = None, **options: Any
) -> Builder:
    """A builder that calls the class of that name in ``keras.applications``.

    Args:
        class_name: Name of the class.
        batch_norm_momentum: Of every batch normalisation; None keeps the architecture's own.
        options: For the class.
    """

    def build(image: keras.KerasTensor, weights: str | None) -> keras.Model:
        import keras

        make = getattr(keras.applications, class_name)
        # The model begins at our own input, so that the graph stays flat: one network for
        # saving, freezing by layer name, and converting.
        model = make(include_top=False, weights=weights, input_tensor=image, **options)
        if batch_norm_momentum is not None:
            for layer in model.layers:
                if isinstance(layer, keras.layers.BatchNormalization):
                    layer.momentum = batch_norm_momentum
        return model

    return build


register_backbone(
    BackboneSpec(
        "xception",
        _application("Xception"),
        features=2048,
        default_size=(299, 299),
        minimum_size=71,
        imagenet_file="xception_weights_tf_dim_ordering_tf_kernels_notop.h5",
    )
)
register_backbone(
    BackboneSpec(
        "efficientnet_b0",
        _application("EfficientNetB0"),
        features=1280,
        # Only the fixed division; a further normalisation is part of the loaded weights.
        mean=(0.0, 0.0, 0.0),
        standard_deviation=(255.0, 255.0, 255.0),
        rescales_inside=True,
        imagenet_file="efficientnetb0_notop.h5",
    )
)
register_backbone(
    BackboneSpec(
        "efficientnet_v2_b0",
        _application("EfficientNetV2B0"),
        features=1280,
        mean=_TORCH_MEAN,
        standard_deviation=_TORCH_STANDARD_DEVIATION,
        rescales_inside=True,
        imagenet_file="efficientnetv2-b0_notop.h5",
    )
)
for _size, _features in (("small", 576), ("large", 960)):
    register_backbone(
        BackboneSpec(
            f"mobilenet_v3_{_size}",
            # The published 0.999 forgets the initial statistics over thousands of steps, which
            # a lab's training does not have: validation would stay at chance for 40 epochs.
            _application(f"MobileNetV3{_size.title()}", batch_norm_momentum=0.99),
            features=_features,
            rescales_inside=True,
            imagenet_file=f"weights_mobilenet_v3_{_size}_224_1.0_float_no_top_v2.h5",
        )
    )
for _depth in (50, 101, 152):
    register_backbone(
        BackboneSpec(
            f"resnet{_depth}",
            _application(f"ResNet{_depth}"),
            features=2048,
            mean=IMAGENET_MEAN,
            standard_deviation=(1.0, 1.0, 1.0),
            imagenet_file=f"resnet{_depth}_weights_tf_dim_ordering_tf_kernels_notop.h5",
            bgr_weights=True,
            licence="MIT",
        )
    )
for _depth in (16, 19):
    register_backbone(
        BackboneSpec(
            f"vgg{_depth}",
            _application(f"VGG{_depth}"),
            features=512,
            mean=IMAGENET_MEAN,
            standard_deviation=(1.0, 1.0, 1.0),
            imagenet_file=f"vgg{_depth}_weights_tf_dim_ordering_tf_kernels_notop.h5",
            bgr_weights=True,
            licence="CC BY 4.0",
        )
    )
for _size, _features in (("tiny", 768), ("small", 768), ("base", 1024), ("large", 1536)):
    register_backbone(
        BackboneSpec(
            f"convnext_{_size}",
            _application(f"ConvNeXt{_size.title()}"),
            features=_features,
            mean=_TORCH_MEAN,
            standard_deviation=_TORCH_STANDARD_DEVIATION,
            rescales_inside=True,
            imagenet_file=f"convnext_{_size}_notop.h5",
        )
    )
