import json

import numpy as np
import pytest

from tflite.onnx_export import (
    OnnxError,
    OnnxSettings,
    compare_onnx,
    export_onnx,
    onnx_session,
    random_images,
    to_onnx,
)
from tflite.runtime.contract import InputContract


@pytest.fixture(scope="module")
def exported(model, contract, labels):
    return export_onnx(model, contract, labels)


def test_it_answers_as_keras_does_for_any_number_of_images(exported, model, pixels):
    content, comparison = exported
    assert comparison.largest_difference <= 1e-5
    assert comparison.agreement == 1
    assert comparison.file_bytes == len(content)
    session = onnx_session(content)
    for count in (1, 5):
        images = pixels[:count].astype(np.float32)
        (scores,) = session.run(["scores"], {"pixels": images})
        assert (scores.dtype, scores.shape) == (np.float32, (count, 3))
        np.testing.assert_allclose(scores, model.predict_on_batch(images), atol=1e-5)


def test_its_interface_has_names_and_a_free_batch(exported):
    session = onnx_session(exported[0])
    (found,), (scores,) = session.get_inputs(), session.get_outputs()
    assert (found.name, found.type, found.shape) == (
        "pixels",
        "tensor(float)",
        ["batch", 16, 16, 3],
    )
    assert (scores.name, scores.shape) == ("scores", ["batch", 3])


def test_labels_and_contract_are_inside(exported, contract, labels):
    metadata = onnx_session(exported[0]).get_modelmeta().custom_metadata_map
    assert tuple(json.loads(metadata["labels"])) == labels
    assert InputContract.from_dict(json.loads(metadata["input_contract"])) == contract


def test_a_batch_can_be_fixed(model):
    settings = OnnxSettings(batch=2, images=3)
    content = to_onnx(model, settings)
    assert onnx_session(content).get_inputs()[0].shape == [2, 16, 16, 3]
    assert compare_onnx(model, content, settings).images == 4


def test_a_network_trained_in_half_precision_is_written_in_float32(contract, labels):
    import keras
    from keras import layers

    inputs = keras.Input((16, 16, 3))
    x = layers.Conv2D(4, 3, dtype="mixed_bfloat16")(layers.Rescaling(1 / 255)(inputs))
    x = layers.GlobalAveragePooling2D(dtype="float32")(x)
    half = keras.Model(inputs, layers.Dense(3, activation="softmax")(x))
    assert export_onnx(half, contract, labels)[1].largest_difference <= 1e-5


def test_another_network_is_noticed(model, exported):
    import keras

    other = keras.models.clone_model(model)
    with pytest.raises(OnnxError, match="not the Keras model"):
        compare_onnx(other, exported[0])


def _build(name, size, classes=("a", "b", "c")):
    from lab_models.backbones import backbone_spec
    from lab_models.classifier import build_classifier

    spec = backbone_spec(name)
    contract = spec.contract(max(size, spec.minimum_size), max(size + 16, spec.minimum_size))
    return build_classifier(name, contract, classes).model, contract, classes


def test_a_small_hard_swish_network_keeps_no_transposes_inside():
    """tf2onnx's optimiser gave up on x + 3 and left two transposes around each convolution."""
    import onnx

    built = _build("mobilenet_v3_small", 32)
    content, comparison = export_onnx(*built)
    assert comparison.largest_difference <= 1e-4
    operations = [node.op_type for node in onnx.load_from_string(content).graph.node]
    assert operations.count("Transpose") <= 1
    assert operations.count("Conv") > 50


def _backbones():
    from lab_models.backbones import list_backbones

    return list_backbones()


@pytest.mark.slow
@pytest.mark.parametrize("name", _backbones())
def test_every_backbone_of_the_registry(name):
    assert export_onnx(*_build(name, 64))[1].agreement == 1


def test_gelu_and_grouped_convolutions_can_be_written(contract, labels):
    import keras
    from keras import layers

    inputs = keras.Input((16, 16, 3))
    x = layers.Conv2D(4, 3, strides=2, activation="gelu")(layers.Rescaling(1 / 255)(inputs))
    x = layers.Conv2D(8, 3, groups=4)(layers.DepthwiseConv2D(3, activation="gelu")(x))
    x = layers.GlobalAveragePooling2D()(x)
    net = keras.Model(inputs, layers.Dense(3, activation="softmax")(x))
    assert export_onnx(net, contract, labels)[1].largest_difference <= 1e-5


def test_parts_of_two_runs_are_refused(model, contract, labels):
    with pytest.raises(OnnxError, match="not of the same run"):
        export_onnx(model, InputContract(32, 16), labels)
    with pytest.raises(OnnxError, match="not of the same run"):
        export_onnx(model, contract, (*labels, "blast"))


def test_a_model_of_another_form_is_refused(model):
    import keras

    with pytest.raises(OnnxError, match="functional Keras model was expected, got str"):
        to_onnx("model.keras")
    with pytest.raises(OnnxError, match="takes one"):
        to_onnx(keras.Model(model.input, model.layers[2].output))
    free = keras.Input((None, None, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(free)
    with pytest.raises(OnnxError, match="image size must be fixed"):
        to_onnx(keras.Model(free, pooled))


def test_a_damaged_file_is_refused(exported):
    with pytest.raises(OnnxError, match="onnxruntime cannot load"):
        onnx_session(exported[0][: len(exported[0]) // 2])


@pytest.mark.parametrize("fields", [{"opset": 12}, {"opset": 19}, {"images": 0}, {"batch": 0}])
def test_settings_out_of_range_are_refused(fields):
    with pytest.raises(OnnxError, match="must be"):
        OnnxSettings(**fields)


def test_black_and_white_are_among_the_random_images():
    images = random_images((4, 5, 3), OnnxSettings(images=3))
    assert images.shape == (3, 4, 5, 3)
    assert images[0].max() == 0
    assert images[1].min() == 255
    assert 0 < images[2].mean() < 255
