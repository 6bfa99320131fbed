import csv
from itertools import pairwise

import numpy as np
import pytest

from tflite.bench_device import (
    FLOAT32,
    INT8,
    DeviceBenchSettings,
    Variant,
    bench_variants,
    device_table,
    file_variant,
    make_variants,
    take_turns,
    write_device_rows,
)
from tflite.device_runtimes import LITERT
from tflite.fresh_process import measure_fresh, measure_here
from tflite.runtime.errors import LabError
from tflite.runtime.interpreter import TensorRunner

QUICK = DeviceBenchSettings(threads=(1,), runs=4, burst=2, pause=0, fresh=False, peers=False)


@pytest.fixture(scope="module")
def rows(float32_file, int8_file):
    variants = [Variant("float", LITERT, float32_file), Variant("int8", LITERT, int8_file)]
    return bench_variants("tiny", (16, 16, 3), variants, QUICK)


def test_each_variant_has_its_row_and_is_compared_with_the_first(rows, int8_file):
    assert [(row.variant, row.threads, row.runs) for row in rows] == [
        ("float", 1, 4),
        ("int8", 1, 4),
    ]
    assert rows[0].ratio == rows[0].cpu_ratio == 1
    assert rows[1].ratio == pytest.approx(rows[0].median_ms / rows[1].median_ms, rel=0.05)
    assert rows[1].file_bytes == len(int8_file)
    assert rows[0].load_ms is None
    for row in rows:
        assert 0 < row.low_ms <= row.median_ms <= row.high_ms
        assert row.cpu_ms > 0


def test_variants_take_turns_of_a_burst():
    order = []
    runners = {(name, 1): lambda name=name: order.append(name) for name in "ab"}
    times = take_turns(runners, DeviceBenchSettings(runs=4, burst=2, pause=0))
    # One each to begin with, then in every turn one unmeasured and the burst.
    assert "".join(order) == "ab" + ("aaa" + "bbb") * 2
    assert times["a", 1].shape == (4, 2)


def test_time_limits_the_turns():
    settings = DeviceBenchSettings(runs=1000, burst=2, pause=0, seconds=0)
    assert len(take_turns({("a", 1): lambda: None}, settings)["a", 1]) == 2


def test_the_csv_and_the_table_say_where_and_with_what(rows, tmp_path):
    write_device_rows(tmp_path / "bench" / "device.csv", rows)
    with (tmp_path / "bench" / "device.csv").open(newline="") as file:
        found = list(csv.DictReader(file))
    assert found[1]["variant"] == "int8"
    assert found[1]["runtime"].startswith("ai-edge-litert")
    assert found[1]["load_ms"] == ""
    assert float(found[1]["median_ms"]) == rows[1].median_ms
    text = device_table(rows)
    assert rows[0].cpu in text
    assert "tiny 16x16" in text


def test_a_model_becomes_float_and_int8_files(model):
    variants = make_variants(model, QUICK)
    assert [v.name for v in variants][::2] == [FLOAT32, INT8]
    types = [TensorRunner(v.content).input_quantization.dtype for v in variants]
    assert types == ["float32", "int8", "int8"]


def test_with_peers_there_are_five(model):
    assert len({v.name for v in make_variants(model, DeviceBenchSettings())}) == 5


def test_a_file_is_a_variant(int8_file, tmp_path):
    path = tmp_path / "mine.tflite"
    path.write_bytes(int8_file)
    variant, shape = file_variant(path)
    assert (variant.name, shape) == ("mine", (16, 16, 3))
    with pytest.raises(LabError, match="No such file"):
        file_variant(tmp_path / "other.tflite")


def test_a_fresh_process_tells_load_first_memory_and_processor_time(int8_file, tmp_path):
    path = tmp_path / "model.network"
    path.write_bytes(int8_file)
    found = measure_fresh(LITERT, path, 1, (16, 16, 3), runs=2)
    assert found.load_ms > 0
    assert found.first_ms > 0
    assert found.cpu_seconds_per_1000 > 0
    if found.peak_mb is not None:
        # A process of its own: without TensorFlow, which alone takes more than this.
        assert 0 <= found.network_mb < found.peak_mb < 300


def test_a_failing_process_is_reported(tmp_path):
    path = tmp_path / "model.network"
    path.write_bytes(b"nothing")
    with pytest.raises(LabError, match=r"LiteRT failed with model.network: .*Error"):
        measure_fresh(LITERT, path, 1, (16, 16, 3))


def test_it_measures_in_this_process_too(int8_file, tmp_path):
    path = tmp_path / "model.network"
    path.write_bytes(int8_file)
    assert measure_here(LITERT, path, 1, (16, 16, 3), runs=1).first_ms > 0


@pytest.mark.parametrize("fields", [{"runs": 0}, {"burst": 0}, {"threads": ()}, {"threads": (0,)}])
def test_settings_that_measure_nothing_are_refused(fields):
    with pytest.raises(LabError, match="at least 1"):
        DeviceBenchSettings(**fields)


def test_networks_are_named_with_their_size():
    from lab_models.bench_networks import DEVICE_NETWORKS, named_network

    model = named_network("resnet10_half:32x48")
    assert (model.input_shape, model.output_shape) == ((None, 32, 48, 3), (None, 20))
    for wrong in ("resnet18:480", "ResNet 18", ""):
        with pytest.raises(LabError, match="is named as"):
            named_network(wrong)
    with pytest.raises(LabError, match="resnet18"):
        named_network("resnet81")
    assert len(DEVICE_NETWORKS) == 7


def test_their_scores_depend_on_the_image():
    """Batch statistics are settled, so that signals neither vanish nor overflow."""
    from lab_models.bench_networks import named_network
    from tflite.logits import with_logits

    model = with_logits(named_network("resnet10_half:32x32"))
    colours = np.random.default_rng(1).uniform(0, 255, (4, 1, 1, 3)).astype(np.float32)
    logits = model.predict_on_batch(np.broadcast_to(colours, (4, 32, 32, 3)))
    assert np.isfinite(logits).all()
    assert all(np.abs(a - b).max() > 0.01 for a, b in pairwise(logits))


def test_the_command_measures_bundles_alone(int8_file, tmp_path, capsys):
    import argparse

    from lab_models.cli import bench_device as command

    path = tmp_path / "mine.tflite"
    path.write_bytes(int8_file)
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    words = ["bench-device", "--bundle", path, "--threads", 1, "--runs", 2, "--no-fresh"]
    words += ["--out", tmp_path / "device.csv"]
    assert command.run(parser.parse_args([str(word) for word in words])) == 0
    assert "mine 16x16" in capsys.readouterr().out
    assert (tmp_path / "device.csv").exists()
