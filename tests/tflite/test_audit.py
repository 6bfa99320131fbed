import json

import numpy as np
import pytest

from tflite.audit import AuditSettings, audit_file, audit_model, find_partitions
from tflite.audit_findings import OpFacts, explain, graph_type
from tflite.flatbuffer import Graph
from tflite.op_costs import CostSettings, measure_costs, multiply_adds, single_op_model
from tflite.runtime.errors import LabError
from tflite.runtime.interpreter import load_interpreter

FAST = AuditSettings(CostSettings(runs=3, warm_up=1))


def quantized(build, size=12, interface="int8"):
    """A network of a few layers as an int8 file."""
    import keras
    import tensorflow as tf

    from tflite.quiet import quiet_converter

    keras.utils.set_random_seed(0)
    inputs = keras.Input(batch_shape=(1, size, size, 3))
    x = keras.layers.Conv2D(8, 3)(inputs)
    x = keras.layers.GlobalAveragePooling2D()(build(x, keras.layers))
    images = np.random.default_rng(0).uniform(0, 255, (4, 1, size, size, 3)).astype(np.float32)
    converter = tf.lite.TFLiteConverter.from_keras_model(
        keras.Model(inputs, keras.layers.Dense(3)(x))
    )
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([image] for image in images)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = getattr(tf, interface)
    converter.inference_output_type = tf.int8
    with quiet_converter():
        return bytes(converter.convert())


def relu_after_two_users(x, layers):
    """The sum is used before and after the ReLU, as in Xception, so it cannot be fused."""
    both = layers.Add()([x, layers.Conv2D(8, 1)(x)])
    return layers.Add()([both, layers.Conv2D(8, 1)(layers.ReLU()(both))])


@pytest.fixture(scope="module")
def clean():
    return quantized(lambda x, layers: layers.ReLU()(x))


@pytest.fixture(scope="module")
def with_relu():
    return quantized(relu_after_two_users)


@pytest.fixture(scope="module")
def with_hard_swish():
    return quantized(lambda x, layers: layers.Activation("hard_swish")(x), interface="uint8")


def refused(audit):
    return [op.kind for op in audit.refused]


def test_a_clean_graph_is_one_partition(clean):
    audit = audit_model(clean, settings=FAST)
    assert [op.name for op in audit.ops][-2:] == ["MEAN", "FULLY_CONNECTED"]
    assert refused(audit) == []
    assert audit.partitions == 1
    assert "one partition" in audit.findings[0].what


def test_a_relu_alone_cuts_the_graph_and_the_reason_is_named(with_relu):
    audit = audit_model(with_relu, settings=AuditSettings(FAST.costs, rewrites=False))
    assert refused(audit) == ["RELU"]
    assert audit.partitions == 2
    assert audit.ops[0].partition == 0
    assert audit.ops[-1].partition == 1
    (finding,) = [f for f in audit.findings if "1 x RELU" in f.what]
    assert "stands alone" in finding.what
    assert "tflite.rewrites" in finding.cure
    assert 0 < finding.share < 1


def test_a_hard_swish_and_the_step_from_uint8_are_named(with_hard_swish):
    audit = audit_model(with_hard_swish, settings=FAST)
    assert refused(audit) == ["QUANTIZE uint8 -> int8", "HARD_SWISH"]
    text = audit.text()
    assert "no int8 hard swish" in text
    assert "an int8 input" in text
    assert "is cut into pieces: 2 for XNNPACK, and 2 ops outside" in text


def test_what_rewriting_brings_is_tried(with_relu, clean, monkeypatch):
    import tflite.rewrites
    from tflite.rewrites import Change, RewriteResult

    changes = (Change("relu_to_quantize", "t", "RELU to QUANTIZE"),) * 2
    monkeypatch.setattr(tflite.rewrites, "rewrite_graph", lambda _: RewriteResult(clean, changes))
    audit = audit_model(with_relu, settings=FAST)
    assert audit.rewritten.partitions == 1
    assert audit.rewritten.outside == 0
    last = audit.findings[-1].what
    assert "would run in 1 partition with 0 ops outside" in last
    assert "RELU to QUANTIZE (2 times)" in last
    monkeypatch.setattr(tflite.rewrites, "rewrite_graph", lambda c: RewriteResult(c, ()))
    assert audit_model(with_relu, settings=FAST).rewritten is None


@pytest.mark.parametrize("name", ["with_relu", "with_hard_swish"])
def test_the_rewrites_of_this_project_leave_one_partition(name, request):
    rewritten = audit_model(request.getfixturevalue(name), settings=FAST).rewritten
    assert rewritten.partitions == 1
    assert rewritten.changes
    assert rewritten.outside == (name == "with_hard_swish")  # the uint8 input's QUANTIZE


def test_every_op_is_in_the_partition_that_its_neighbours_show(with_relu):
    graph = Graph.read(with_relu)
    names = [graph.op_name(op) for op in graph.operators]
    first, second = find_partitions(with_relu)
    # What the ReLU reads is computed before it, what reads it after it.
    relu = names.index("RELU")
    assert relu not in first | second
    assert len(first) + len(second) == len(names) - 1
    assert max(first) < relu < min(second)


def test_costs_are_given_for_every_op_and_shares_sum_to_one(with_relu):
    audit = audit_model(with_relu, settings=FAST)
    assert all(op.cost_ms >= 0 for op in audit.ops)
    assert sum(op.share for op in audit.ops) == pytest.approx(1)
    assert audit.sum_ms == pytest.approx(sum(op.cost_ms for op in audit.ops))
    assert audit.whole_ms > 0


def test_without_costs_nothing_is_timed(with_relu, monkeypatch):
    monkeypatch.setattr("tflite.audit.measure_costs", None)
    audit = audit_model(with_relu, settings=AuditSettings(costs=None, rewrites=False))
    assert audit.whole_ms is None
    assert audit.sum_ms is None
    assert "of the time" not in audit.text()


def test_an_op_cut_out_computes_what_it_does_in_the_graph(with_relu):
    graph = Graph.read(with_relu)
    whole = load_interpreter(with_relu, delegates=False, keep_tensors=True)
    image = np.random.default_rng(1).integers(-128, 128, (1, 12, 12, 3), np.int8)
    details = whole.get_input_details()[0]
    whole.set_tensor(details["index"], image.astype(details["dtype"]))
    whole.invoke()
    for operator in graph.operators:
        if graph.type_name(graph.input_tensors(operator)[0]) != "INT8":
            continue
        alone = load_interpreter(single_op_model(graph, operator), delegates=False)
        computed = [t for t in graph.input_tensors(operator) if t >= 0]
        computed = [t for t in dict.fromkeys(computed) if graph.constant(t) is None]
        for found, tensor in zip(alone.get_input_details(), computed, strict=True):
            alone.set_tensor(found["index"], whole.get_tensor(tensor))
        alone.invoke()
        result = alone.get_tensor(alone.get_output_details()[0]["index"])
        np.testing.assert_array_equal(result, whole.get_tensor(graph.output_tensors(operator)[0]))


def test_ops_take_turns(clean, monkeypatch):
    import tflite.op_costs as module

    order = []
    make = module._runner

    def noting(content, settings):
        run = make(content, settings)
        return run and (lambda: order.append(content))

    monkeypatch.setattr(module, "_runner", noting)
    measure_costs(clean, CostSettings(runs=2, warm_up=0))
    assert order[: len(order) // 2] == order[len(order) // 2 :]


def test_multiply_adds_follow_from_the_shapes(clean):
    graph = Graph.read(clean)
    work = {graph.op_name(op): multiply_adds(graph, op) for op in graph.operators}
    assert work["CONV_2D"] == 10 * 10 * 8 * 3 * 3 * 3
    assert work["FULLY_CONNECTED"] == 8 * 3
    assert work["MEAN"] is None


def test_a_float_file_says_so(float32_file):
    audit = audit_model(float32_file, settings=FAST)
    assert graph_type(audit.ops) == "float32"
    assert "float32 graph is one partition" in audit.findings[0].what


def fact(name, types=("int8", "int8", "int32"), partition=0, share=0.1, work=None):
    return OpFacts(0, name, "", types, types[:1], (), (), partition, 1.0, share, work)


def test_int16_layer_norm_and_unknown_ops_have_reasons():
    conv = fact("CONV_2D", ("int16", "int8", "int64"), None, 0.5, 10)
    found = explain([conv, fact("CONV_2D", work=5), fact("RSQRT", ("int8",), None)], 1)
    assert "100 times slower" in found[1].what
    assert "normalisation" in found[2].what
    found = explain([fact("CONV_2D", work=1), fact("NEW_OP", ("int8",), None)], 1)
    assert "no kernel for it" in found[1].what


def test_graph_types():
    conv = ("float32", "int8", "float32")
    assert graph_type([fact("CONV_2D", conv, work=1)]) == "dynamic int8"
    assert graph_type([fact("CONV_2D", conv, work=1), fact("CONV_2D", work=1)]) == "mixed"
    assert graph_type([fact("CONV_2D", work=1)]) == "int8"


def test_refusals_come_costliest_first():
    ops = [fact("CONV_2D", work=1), fact("RELU", ("int8",), None, 0.1)]
    found = explain([*ops, fact("HARD_SWISH", ("int8",), None, 0.3)], 3)
    assert [f.what.split(":")[0] for f in found[1:3]] == ["1 x HARD_SWISH", "1 x RELU"]


def test_a_file_is_read_plain_or_as_a_bundle(clean, tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(clean)
    assert audit_file(path, AuditSettings(None, rewrites=False)).file_bytes == len(clean)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no .tflite model"),
        (b"not a model at all", "no .tflite model"),
        (None, "No such file"),
    ],
)
def test_other_files_are_refused(content, message, tmp_path):
    path = tmp_path / "model.tflite"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(LabError, match=message):
        audit_file(path)


def test_truncated_files_and_folders_are_refused(clean, tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(clean[: len(clean) // 2])
    with pytest.raises(LabError):
        audit_file(path)
    with pytest.raises(LabError, match="cannot be read"):
        audit_file(tmp_path)


def test_the_command_prints_and_writes(with_relu, tmp_path, capsys):
    import argparse

    from lab_models.cli import audit as command

    model, out = tmp_path / "model.tflite", tmp_path / "audit.json"
    model.write_bytes(with_relu)
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    words = ["audit", str(model), "--runs", "3", "--json", str(out)]
    assert command.run(parser.parse_args(words)) == 0
    assert "1 x RELU" in capsys.readouterr().out
    found = json.loads(out.read_text())
    assert found["partitions"] == 2
    assert found["ops"][0]["name"] == "CONV_2D"


@pytest.mark.parametrize("fields", [{"runs": 0}, {"warm_up": -1}])
def test_settings_that_measure_nothing_are_refused(fields):
    with pytest.raises(LabError, match="At least 1 run"):
        CostSettings(**fields)
