import numpy as np
import pytest

from tflite.device_runtimes import LITERT, ONNXRUNTIME, OPENVINO, prepare
from tflite.onnx_export import OnnxError, OnnxSettings, to_onnx
from tflite.peers import OPENVINO_SETTINGS, PeerSettings, peer_versions, quantize_onnx
from tflite.runtime.errors import LabError


@pytest.fixture(scope="module")
def onnx_file(model):
    return to_onnx(model, OnnxSettings(batch=1))


@pytest.fixture(scope="module")
def int8_onnx(onnx_file, pixels):
    return quantize_onnx(onnx_file, pixels)


def operations(content):
    import onnx

    return [node.op_type for node in onnx.load_from_string(content).graph.node]


def test_kernels_are_int8_with_a_scale_a_channel(int8_onnx):
    import onnx
    from onnx import TensorProto

    stored = onnx.load_from_string(int8_onnx).graph.initializer
    (kernel,) = [x for x in stored if len(x.dims) == 4]
    assert kernel.data_type == TensorProto.INT8
    scales = [x for x in stored if list(x.dims) == [8] and x.data_type == TensorProto.FLOAT]
    assert scales


@pytest.mark.parametrize("runtime", [ONNXRUNTIME, OPENVINO])
def test_each_peer_answers_nearly_as_the_float_network(runtime, int8_onnx, model, pixels):
    if runtime == OPENVINO:
        pytest.importorskip("openvino")
    for image in pixels[:3]:
        scores = prepare(runtime, int8_onnx, 1, image)()
        expected = model.predict_on_batch(image[None].astype(np.float32))[0]
        assert scores.shape == (3,)
        np.testing.assert_allclose(scores, expected, atol=0.1)


def test_the_device_runtime_answers_as_its_runner(int8_file, pixels):
    from tflite.runtime.interpreter import TensorRunner
    from tflite.runtime.quantize import dequantize

    runner = TensorRunner(int8_file)
    stored = prepare(LITERT, int8_file, 1, pixels[0])()
    found = dequantize(stored, runner.output_quantization)
    np.testing.assert_array_equal(found, runner(pixels[0]))


def test_operators_can_be_chosen(onnx_file, pixels, int8_onnx):
    convolutions = operations(quantize_onnx(onnx_file, pixels, OPENVINO_SETTINGS))
    assert convolutions.count("QuantizeLinear") < operations(int8_onnx).count("QuantizeLinear")


def test_versions_are_known():
    assert peer_versions()["onnxruntime"].startswith("1.")


@pytest.mark.parametrize("images", [np.zeros((0, 16, 16, 3), np.uint8), np.zeros((1, 16, 16, 3))])
def test_other_images_are_refused(images, onnx_file):
    with pytest.raises(OnnxError, match="must be uint8"):
        quantize_onnx(onnx_file, images)


def test_a_damaged_file_is_refused_by_all(onnx_file, pixels):
    damaged = onnx_file[: len(onnx_file) // 2]
    with pytest.raises(OnnxError, match="cannot quantise"):
        quantize_onnx(damaged, pixels)
    with pytest.raises(LabError):
        prepare(ONNXRUNTIME, damaged, 1, pixels[0])
    pytest.importorskip("openvino")
    with pytest.raises(OnnxError, match="cannot take"):
        prepare(OPENVINO, damaged, 1, pixels[0])


def test_a_missing_peer_names_the_extra(onnx_file, pixels, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(OnnxError, match=r"lab-models\[dev\]"):
        prepare(OPENVINO, onnx_file, 1, pixels[0])


def test_unknown_names_are_refused(onnx_file, int8_file, pixels):
    with pytest.raises(LabError, match="No runtime"):
        prepare("TensorRT", onnx_file, 1, pixels[0])
    with pytest.raises(OnnxError, match="activations must be"):
        PeerSettings("int4")
    with pytest.raises(LabError, match="got an image"):
        prepare(LITERT, int8_file, 1, pixels[0][1:])
