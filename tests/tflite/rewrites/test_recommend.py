"""Which quantisation is recommended."""

from tests.tflite.rewrites.builder import Builder
from tflite.quantization_recipes import QUANTIZATION_RECIPES
from tflite.rewrites import recommended_quantization


def _float_graph(*names, shape=(1, 9, 9, 8)):
    builder = Builder()
    image = tensor = builder.tensor(shape, type_name="FLOAT32")
    for name in names:
        before, tensor = tensor, builder.tensor(shape, type_name="FLOAT32")
        builder.add(name, [before], tensor)
    return builder.build([image], [tensor])


def test_networks_of_convolutions_are_int8(float32_file):
    found = recommended_quantization(float32_file)
    assert found.recipe == "int8_full"
    assert found.recipe in QUANTIZATION_RECIPES
    assert not found.operators


def test_layer_normalisation_and_gelu_stay_float():
    found = recommended_quantization(_float_graph("GELU", "RSQRT", "GELU", "RELU"))
    assert found.recipe == "dynamic_int8"
    assert found.recipe in QUANTIZATION_RECIPES
    assert found.operators == {"GELU": 2, "RSQRT": 1}
    assert "GELU, layer normalisation: 3 operators" in found.reason


def test_what_stands_behind_the_pooling_decides_nothing():
    behind = _float_graph("RELU", "RSQRT", "SOFTMAX", shape=(1, 20))
    assert recommended_quantization(behind).recipe == "int8_full"
    assert recommended_quantization(_float_graph("SOFTMAX", "RELU")).recipe == "dynamic_int8"
