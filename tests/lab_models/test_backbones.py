from __future__ import annotations

import numpy as np
import pytest

from lab_models.backbones import (
    BackboneSpec,
    backbone_spec,
    build_backbone,
    list_backbones,
    register_backbone,
)
from tflite.runtime.errors import LabError

# The largest take many seconds to build and share all their code with a smaller one.
_LARGE = {"convnext_base", "convnext_large", "convnext_small", "resnet152", "resnet101", "vgg19"}
BACKBONES = [
    pytest.param(name, marks=pytest.mark.slow if name in _LARGE else ())
    for name in list_backbones()
]

# Without top, random weights: from the papers and keras.applications.
PARAMETERS = {
    "xception": 20_861_480,
    "efficientnet_b0": 4_049_571,
    "mobilenet_v3_small": 939_120,
    "resnet18": 11_186_112,
    "resnet34": 21_301_696,
    "resnet50": 23_587_712,
}


@pytest.fixture(scope="module")
def built():
    made = {}

    def build(name: str):
        if name not in made:
            size = max(32, backbone_spec(name).minimum_size)
            made[name] = build_backbone(name, backbone_spec(name).contract(size, size))
        return made[name]

    return build


@pytest.mark.parametrize("name", BACKBONES)
def test_gives_a_finite_feature_map_of_the_stated_size(built, name):
    model = built(name).model
    pixels = np.random.default_rng(0).integers(0, 256, (2, *model.input_shape[1:]))
    features = np.asarray(model(pixels.astype("float32"), training=False))
    assert features.shape[-1] == backbone_spec(name).features
    assert features.ndim == 4
    assert np.isfinite(features).all()


@pytest.mark.parametrize("name", BACKBONES)
def test_the_scaling_in_the_graph_is_the_one_in_the_contract(built, name):
    import keras

    model, spec = built(name).model, backbone_spec(name)
    pixels = np.random.default_rng(1).uniform(0, 255, (1, *model.input_shape[1:]))
    scaled = pixels.astype("float32")
    for layer in model.layers[1:]:
        if not isinstance(layer, (keras.layers.Rescaling, keras.layers.Normalization)):
            break
        scaled = np.asarray(layer(scaled))
    expected = (pixels - np.array(spec.mean)) / np.array(spec.standard_deviation)
    np.testing.assert_allclose(scaled, expected, atol=1e-4)
    assert ("rescale" in {layer.name for layer in model.layers}) is not spec.rescales_inside


@pytest.mark.parametrize("name", BACKBONES)
def test_backbone_layers_are_those_of_the_model_without_input_and_rescaling(built, name):
    backbone = built(name)
    names = [layer.name for layer in backbone.model.layers]
    assert set(backbone.layers) == set(names) - {"image", "rescale"}


@pytest.mark.parametrize(("name", "count"), PARAMETERS.items())
def test_has_the_published_number_of_parameters(built, name, count):
    assert built(name).model.count_params() == count


def test_unknown_name_suggests_the_nearest():
    with pytest.raises(LabError, match="Did you mean 'xception'"):
        backbone_spec("xcepton")


def test_a_name_cannot_be_registered_twice():
    spec = backbone_spec("resnet18")
    with pytest.raises(LabError, match="registered already"):
        register_backbone(BackboneSpec("resnet18", spec.builder, features=512))


def test_too_small_images_are_refused_with_both_sizes():
    with pytest.raises(LabError, match="at least 71 x 71 px, got 64 x 64"):
        backbone_spec("xception").contract(64, 64)


def test_missing_imagenet_weights_name_the_file_to_place(monkeypatch):
    import keras

    def offline(*arguments, **options):
        raise Exception("URL fetch failure: no network")

    monkeypatch.setattr(keras.applications, "MobileNetV3Small", offline)
    contract = backbone_spec("mobilenet_v3_small").contract(32, 32)
    with pytest.raises(LabError, match=r"place the file weights_mobilenet_v3_small.*no_top_v2\.h5"):
        build_backbone("mobilenet_v3_small", contract, "imagenet")


def test_own_architectures_say_that_there_are_no_imagenet_weights():
    contract = backbone_spec("resnet18").contract(32, 32)
    with pytest.raises(LabError, match="no ImageNet weights for resnet18"):
        build_backbone("resnet18", contract, "imagenet")


def test_weights_come_back_from_a_local_file(tmp_path, built):
    source = built("resnet10_half").model
    path = tmp_path / "some.weights.h5"
    source.save_weights(path)
    contract = backbone_spec("resnet10_half").contract(32, 32)
    loaded = build_backbone("resnet10_half", contract, str(path)).model
    for mine, theirs in zip(loaded.get_weights(), source.get_weights()):
        np.testing.assert_array_equal(mine, theirs)


def test_missing_or_foreign_weights_file_is_an_error(tmp_path, built):
    contract = backbone_spec("resnet10_half").contract(32, 32)
    with pytest.raises(LabError, match="No weights file at"):
        build_backbone("resnet10_half", contract, str(tmp_path / "none.weights.h5"))
    path = tmp_path / "other.weights.h5"
    built("resnet18").model.save_weights(path)
    with pytest.raises(LabError, match="do not fit resnet10_half"):
        build_backbone("resnet10_half", contract, str(path))


def test_weights_made_for_bgr_see_red_and_blue_exchanged(tmp_path):
    contract = backbone_spec("resnet50").contract(32, 32)
    plain = build_backbone("resnet50", contract).model
    path = tmp_path / backbone_spec("resnet50").imagenet_file
    plain.save_weights(tmp_path / "weights.weights.h5")
    (tmp_path / "weights.weights.h5").rename(path)
    with pytest.MonkeyPatch.context() as patch:
        # Keras 3 reads its own format by suffix; the published file is the older format.
        patch.setattr(
            type(plain),
            "load_weights",
            lambda self, name: self.set_weights(plain.get_weights()),
        )
        flipped = build_backbone("resnet50", contract, str(path)).model
    kernel, turned = (m.get_layer("conv1_conv").get_weights()[0] for m in (plain, flipped))
    np.testing.assert_array_equal(turned, kernel[:, :, ::-1, :])
