"""Each rewrite keeps what it claims, on graphs that hold its pattern and nothing else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tflite.rewrites.builder import Builder, every_int8, names, run
from tflite.flatbuffer import Graph
from tflite.rewrites import REWRITES, prove_rewrite, rewrite_graph

SHAPE = (1, 16, 16, 1)
RELU, RELU6 = 1, 3
scales = st.floats(0.002, 0.3)
zero_points = st.integers(-128, 127)


def _one(name, scale, zero_point, out_scale, out_zero_point):
    builder = Builder()
    image = builder.tensor(SHAPE, scale, zero_point)
    output = builder.tensor(SHAPE, out_scale, out_zero_point)
    builder.add(name, [image], output)
    return builder.build([image], [output])


def _check_result(content, result):
    """What holds of every rewrite; gives the rewritten content."""
    assert result.changes
    assert {change.rewrite for change in result.changes} <= set(REWRITES)
    assert rewrite_graph(content) == result
    assert rewrite_graph(result.content).changes == ()
    return result.content


@given(scales, zero_points, scales)
def test_a_stand_alone_relu_is_a_quantize_byte_for_byte(scale, zero_point, out_scale):
    content = _one("RELU", scale, zero_point, out_scale, -128)
    after = _check_result(content, rewrite_graph(content))
    assert names(after) == ["QUANTIZE"]
    assert np.array_equal(run(content, every_int8(SHAPE)), run(after, every_int8(SHAPE)))


@given(scales, zero_points, st.floats(0.002, 6 / 255))
def test_a_relu6_that_saturation_clips_is_a_quantize(scale, zero_point, out_scale):
    content = _one("RELU6", scale, zero_point, out_scale, -128)
    after = _check_result(content, rewrite_graph(content))
    assert np.array_equal(run(content, every_int8(SHAPE)), run(after, every_int8(SHAPE)))


@pytest.mark.parametrize(
    ("name", "scale", "zero_point"), [("RELU", 0.05, -127), ("RELU6", 6.1 / 255, -128)]
)
def test_what_saturation_does_not_clip_stays(name, scale, zero_point):
    content = _one(name, 0.05, 3, scale, zero_point)
    assert rewrite_graph(content).content is content


def test_a_relu_goes_into_the_addition_that_nobody_else_reads():
    builder = Builder()
    image = builder.tensor(SHAPE, 0.05, 3)
    middle = builder.tensor(SHAPE, 0.1, -10)
    output = builder.tensor(SHAPE, 0.05, -128)
    builder.add("ADD", [image, image], middle, "AddOptions")
    builder.add("RELU", [middle], output)
    content = builder.build([image], [output])
    after = _check_result(content, rewrite_graph(content))
    assert names(after) == ["ADD"]
    values = every_int8(SHAPE)
    before = run(content, values)
    assert np.abs(before - run(after, values)).max() <= 1
    assert before.max() > 0


def _hard_swish_graph(low, high, behind_convolution):
    scale = (high - low) / 255
    zero_point = round(-128 - low / scale)
    exact = [_hard_swish(x) for x in np.linspace(low, high, 2000)]
    out_scale = (max(exact) - min(exact)) / 255
    out_zero_point = round(-128 - min(exact) / out_scale)
    builder = Builder()
    image = builder.tensor(SHAPE, scale, zero_point)
    output = builder.tensor(SHAPE, out_scale, out_zero_point)
    before = image
    if behind_convolution:
        before = builder.tensor(SHAPE, scale, zero_point)
        # The identity: 127 of a scale of 1/127.
        kernel = builder.constant(np.full((1, 1, 1, 1), 127, np.int8), 1 / 127)
        bias = builder.constant(np.zeros(1, np.int32), scale / 127)
        fields = {"strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1}
        builder.add("CONV_2D", [image, kernel, bias], before, "Conv2DOptions", 3, **fields)
    builder.add("HARD_SWISH", [before], output, "HardSwishOptions", 1)
    return builder.build([image], [output])


def _hard_swish(x):
    return x * min(max(x + 3, 0), 6) / 6


@pytest.mark.parametrize("behind_convolution", [True, False])
@pytest.mark.parametrize(
    ("low", "high"), [(-8, 10), (-3, 3), (-1, 1), (-0.4, 5), (-20, 2), (-2, 0.5), (0, 30)]
)
def test_a_hard_swish_is_as_near_to_the_function_as_stated(low, high, behind_convolution):
    content = _hard_swish_graph(low, high, behind_convolution)
    after = _check_result(content, rewrite_graph(content))
    first = "CONV_2D" if behind_convolution else "MUL"
    assert names(after) == [first, "ADD", "MUL"]
    graph, values = Graph.read(content), every_int8(SHAPE)
    taken, given = graph.quantization(graph.inputs[0]), graph.quantization(graph.outputs[0])
    x = (values.astype(float) - taken.zero_point) * taken.scale
    exact = np.vectorize(_hard_swish)(x) / given.scale + given.zero_point
    exact = np.clip(exact, -128, 127)
    bound = 1 if 255 * given.scale >= 3 else 0.5 + 1.5 / (255 * given.scale)
    for delegates in (False, True):
        assert np.abs(run(after, values, delegates) - exact).max() <= bound + 0.01
    assert prove_rewrite(content, after).delegates_after == 1


@pytest.mark.parametrize(("activation", "out_scale"), [(0, 0.02), (RELU, 0.01), (RELU6, 1 / 255)])
def test_a_constant_factor_goes_into_the_convolution(activation, out_scale):
    builder = Builder()
    image = builder.tensor((1, 8, 8, 4), 0.05, 3)
    middle_zero = -128 if activation else 2
    middle = builder.tensor((1, 8, 8, 6), 6 / 255, middle_zero)
    output = builder.tensor((1, 8, 8, 6), out_scale if activation else 1 / 255, middle_zero)
    factor = builder.constant(np.array(127, np.int8), 1 / 6 / 255, -128)
    builder.convolution(image, middle, (6, 3, 3, 4), activation=activation)
    builder.add("MUL", [middle, factor], output, "MulOptions")
    content = builder.build([image], [output])
    after = _check_result(content, rewrite_graph(content))
    assert names(after) == ["CONV_2D"]
    graphs = [Graph.read(c) for c in (content, after)]
    old, new = (g.quantization(g.outputs[0]) for g in graphs)
    values = every_int8((1, 8, 8, 4))
    real = [(run(c, values) - q.zero_point) * q.scale for c, q in ((content, old), (after, new))]
    assert np.abs(real[0] - real[1]).max() <= max(old.scale, new.scale) * 1.01
    assert np.ptp(real[0]) > 10 * old.scale


def test_a_kernel_that_two_layers_share_is_scaled_for_one_only():
    builder = Builder()
    image = builder.tensor((1, 8, 8, 4), 0.05, 3)
    middle, other, scaled, output = (
        builder.tensor((1, 8, 8, 6), s, 2) for s in (0.05, 0.05, 0.01, 0.06)
    )
    builder.convolution(image, middle, (6, 3, 3, 4))
    first = builder.graph.operators[-1]
    builder.convolution(image, other, (6, 3, 3, 4))
    builder.graph.operators[-1].inputs = first.inputs
    factor = builder.constant(np.array([127], np.int8), 0.2 / 127)
    builder.add("MUL", [middle, factor], scaled, "MulOptions")
    builder.add("ADD", [scaled, other], output, "AddOptions")
    content = builder.build([image], [output])
    after = _check_result(content, rewrite_graph(content))
    values = every_int8((1, 8, 8, 4))
    assert np.abs(run(content, values) - run(after, values)).max() <= 1


def _scaled_input_graph(padding, stride):
    builder = Builder()
    image = builder.tensor((1, 12, 12, 3), 1.0, -128)
    multiplied = builder.tensor((1, 12, 12, 3), 3 / 255, -43)
    shifted = builder.tensor((1, 12, 12, 3), 2 / 255, -1)
    size = {("SAME", 1): 12, ("SAME", 2): 6, ("VALID", 1): 10, ("VALID", 2): 5}[padding, stride]
    output = builder.tensor((1, size, size, 6), 0.03, 4)
    factor = builder.constant(np.array(127, np.int8), 1 / 127.5 / 255, -128)
    shift = builder.constant(np.array(-128, np.int8), 1 / 255, 127)
    builder.add("MUL", [image, factor], multiplied, "MulOptions")
    builder.add("ADD", [multiplied, shift], shifted, "AddOptions")
    builder.convolution(shifted, output, (6, 3, 3, 3), padding, stride)
    return builder.build([image], [output])


def _exact_convolution(content, pixels, padding, stride):
    """In float64, in steps of the output; the border is filled with zeros after scaling."""
    graph = Graph.read(content)
    _, kernel, bias = graph.input_tensors(graph.operators[-1])
    kernel, bias = graph.real_constant(kernel), graph.real_constant(bias)
    scaled = pixels[0] / 127.5 - 1
    if padding == "SAME":
        # A stride of 2 pads behind only.
        scaled = np.pad(scaled, ((0 if stride == 2 else 1, 1),) * 2 + ((0, 0),))
    windows = np.lib.stride_tricks.sliding_window_view(scaled, (3, 3), (0, 1))
    exact = np.einsum("yxckl,oklc->yxo", windows[::stride, ::stride], kernel) + bias
    found = graph.quantization(graph.outputs[0])
    return np.clip(exact / found.scale + found.zero_point, -128, 127)


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("stride", [1, 2])
def test_input_scaling_in_the_convolution_is_nearer_to_the_exact_result(padding, stride):
    content = _scaled_input_graph(padding, stride)
    after = _check_result(content, rewrite_graph(content))
    pairs = ["RESHAPE"] if stride == 2 else []
    assert names(after) == (["ADD"] if padding == "SAME" else []) + pairs + ["CONV_2D"]
    pixels = np.random.default_rng(0).integers(0, 256, (1, 12, 12, 3))
    exact = _exact_convolution(content, pixels, padding, stride)
    errors = [np.abs(run(c, pixels - 128)[0] - exact) for c in (content, after)]
    assert errors[1].max() <= 0.75  # 0.5 of rounding, the rest from half a pixel at the border
    assert errors[1].mean() < errors[0].mean()
    assert np.ptp(exact) > 20


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize(
    ("kernel", "width"), [(2, 12), (3, 12), (4, 10), (5, 12), (6, 14), (7, 12)]
)
def test_columns_in_pairs_change_no_bit(padding, kernel, width):
    builder = Builder()
    image = builder.tensor((1, 9, width, 3), 1 / 128, 5)
    size = [-(-9 // 2), width // 2]
    if padding == "VALID":
        size = [(9 - kernel) // 2 + 1, (width - kernel) // 2 + 1]
    output = builder.tensor((1, *size, 7), 0.02, 3)
    builder.convolution(image, output, (7, kernel, kernel, 3), padding, 2)
    content = builder.build([image], [output])
    after = _check_result(content, rewrite_graph(content))
    assert names(after) == ["RESHAPE", "CONV_2D"]
    proof = prove_rewrite(content, after)
    assert (proof.reference, proof.delegated, proof.delegates_after) == (0, 0, 1)
    assert np.ptp(run(content, every_int8((1, 9, width, 3)))) > 20


@pytest.mark.parametrize(("width", "channels", "stride"), [(11, 3, 2), (12, 5, 2), (12, 3, 1)])
def test_columns_that_do_not_pair_stay(width, channels, stride):
    builder = Builder()
    image = builder.tensor((1, 9, width, channels), 1 / 128, 5)
    size = (-(-9 // stride), -(-width // stride))
    output = builder.tensor((1, *size, 4), 0.02, 3)
    builder.convolution(image, output, (4, 3, 3, channels), "SAME", stride)
    content = builder.build([image], [output])
    assert rewrite_graph(content).content is content


@pytest.mark.parametrize("name", ["ADD", "SUB", "MUL"])
def test_a_constant_laid_out_by_rows_changes_no_bit(name):
    builder = Builder()
    image, output = builder.tensor((1, 8, 10, 3), 0.5, 3), builder.tensor((1, 8, 10, 3), 0.6, -3)
    values = builder.constant(np.array([-100, 3, 90], np.int8), 0.1)
    builder.add(name, [image, values], output, f"{name.title()}Options")
    content = builder.build([image], [output])
    after = _check_result(content, rewrite_graph(content))
    proof = prove_rewrite(content, after)
    assert (proof.reference, proof.delegated) == (0, 0)


def test_a_quantize_that_changes_nothing_goes():
    builder = Builder()
    image, same, output = (builder.tensor(SHAPE, s, 3) for s in (0.5, 0.5, 0.7))
    builder.add("QUANTIZE", [image], same, "QuantizeOptions")
    builder.add("ADD", [same, same], output, "AddOptions")
    content = builder.build([image], [output])
    after = _check_result(content, rewrite_graph(content))
    assert names(after) == ["ADD"]
    assert prove_rewrite(content, after).reference == 0


def test_a_quantize_goes_into_the_addition_before_it():
    builder = Builder()
    image, total, output = (builder.tensor(SHAPE, s, 3) for s in (0.5, 1.01, 0.7))
    builder.add("ADD", [image, image], total, "AddOptions")
    builder.add("QUANTIZE", [total], output, "QuantizeOptions")
    content = builder.build([image], [output])
    after = _check_result(content, rewrite_graph(content))
    assert names(after) == ["ADD"]
    assert prove_rewrite(content, after).reference <= 1


def test_a_quantize_that_clips_at_zero_stays_behind_what_does_not():
    builder = Builder()
    image, positive = builder.tensor(SHAPE, 0.5, 3), builder.tensor(SHAPE, 0.5, -128)
    output = builder.tensor(SHAPE, 0.7, 3)
    builder.add("ADD", [image, image], positive, "AddOptions")
    builder.add("QUANTIZE", [positive], output, "QuantizeOptions")
    content = builder.build([image], [output])
    assert rewrite_graph(content).changes == ()


def test_dequantize_and_quantize_become_one():
    builder = Builder()
    image, output = builder.tensor(SHAPE, 0.5, 3), builder.tensor(SHAPE, 0.7, -5)
    between = builder.tensor(SHAPE, type_name="FLOAT32")
    builder.add("DEQUANTIZE", [image], between, "DequantizeOptions")
    builder.add("QUANTIZE", [between], output, "QuantizeOptions")
    content = builder.build([image], [output])
    after = _check_result(content, rewrite_graph(content))
    assert names(after) == ["QUANTIZE"]
    assert prove_rewrite(content, after).reference <= 1


@pytest.mark.parametrize("grouped", [True, False])
@pytest.mark.parametrize("stored", ["float32", "int8"])
def test_a_large_depthwise_convolution_is_the_sum_of_three(grouped, stored):
    generator, shape = np.random.default_rng(0), (1, 9, 11, 8)
    builder = Builder()
    image, output = (builder.tensor(shape, type_name="FLOAT32") for _ in range(2))
    kernel_shape = (8, 7, 7, 1) if grouped else (1, 7, 7, 8)
    weights = generator.integers(-100, 100, kernel_shape).astype(stored)
    kernel = builder.constant(weights, np.full(8, 0.01), axis=0 if grouped else 3)
    bias = builder.constant(generator.normal(size=8).astype(np.float32))
    fields = {"strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1}
    if grouped:
        builder.add("CONV_2D", [image, kernel, bias], output, "Conv2DOptions", 3, **fields)
    else:
        fields["depthMultiplier"] = 1
        options = "DepthwiseConv2DOptions"
        builder.add("DEPTHWISE_CONV_2D", [image, kernel, bias], output, options, 3, **fields)
    content = builder.build([image], [output])
    after = _check_result(content, rewrite_graph(content))
    assert names(after) == ["DEPTHWISE_CONV_2D"] * 3 + ["ADD"] * 2
    values = generator.normal(size=shape).astype(np.float32)
    real = weights.astype(np.float32) * (0.01 if stored == "int8" else 1)
    real = real[..., 0].transpose(1, 2, 0) if grouped else real[0]
    padded = np.pad(values[0], ((3, 3), (3, 3), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (7, 7), (0, 1))
    exact = np.einsum("yxckl,klc->yxc", windows, real) + Graph.read(content).constant(bias)
    assert np.allclose(run(after, values, delegates=True)[0], exact, rtol=1e-4, atol=1e-3)


def test_a_file_without_patterns_comes_back_as_it_is(float32_file):
    result = rewrite_graph(float32_file)
    assert result.content is float32_file
    assert result.changes == ()
