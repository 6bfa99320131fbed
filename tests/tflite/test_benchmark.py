import csv

import pytest

from tflite.benchmark import (
    BenchmarkSettings,
    cpu_name,
    latency_table,
    measure_latency,
    usable_cores,
    write_latency,
)
from tflite.runtime.errors import LabError


@pytest.fixture(scope="module")
def rows(float32_file, int8_file, pixels):
    files = {"float32": float32_file, "int8_full": int8_file}
    return measure_latency(files, pixels[0], BenchmarkSettings(warm_up=1, runs=6))


def test_every_model_is_measured_with_every_number_of_threads(rows, int8_file):
    assert [(row.model, row.threads) for row in rows] == [
        ("float32", 1), ("float32", 2), ("int8_full", 1), ("int8_full", 2),
    ]  # fmt: skip
    for row in rows:
        assert 0 < row.low_ms <= row.median_ms <= row.high_ms
        assert (row.runs, row.warm_up, row.cores) == (6, 1, usable_cores())
        assert row.runtime.startswith("ai-edge-litert 2")
        assert row.cpu == cpu_name() != ""
    assert rows[2].model_bytes == len(int8_file)


def test_the_models_take_turns(float32_file, int8_file, pixels, monkeypatch):
    order = []

    class Runner:
        def __init__(self, content, threads):
            self.name = (len(content), threads)

        def __call__(self, image):
            order.append(self.name)

    monkeypatch.setattr("tflite.benchmark.TensorRunner", Runner)
    files = {"float32": float32_file, "int8_full": int8_file}
    measure_latency(files, pixels[0], BenchmarkSettings(threads=(1,), warm_up=2, runs=3))
    a, b = (len(float32_file), 1), (len(int8_file), 1)
    assert order == [a, a, b, b] + [a, b] * 3


def test_time_limits_the_runs_but_not_below_five(float32_file, pixels):
    settings = BenchmarkSettings(threads=(1,), runs=1000, seconds=0)
    (row,) = measure_latency({"float32": float32_file}, pixels[0], settings)
    assert row.runs == 5


def test_the_csv_names_machine_and_runtime(rows, tmp_path):
    write_latency(tmp_path / "latency.csv", rows)
    with (tmp_path / "latency.csv").open(newline="") as file:
        found = list(csv.DictReader(file))
    assert len(found) == 4
    assert found[0]["cpu"] == cpu_name()
    assert float(found[3]["median_ms"]) == rows[3].median_ms


def test_the_table_gives_the_speed_up_at_equal_threads(rows):
    lines = latency_table(rows).splitlines()
    assert "decoding not included" in lines[0]
    assert lines[4].rstrip(" |").endswith("1.00")
    assert lines[5].rstrip(" |").endswith("1.00")
    expected = rows[1].median_ms / rows[3].median_ms
    assert lines[7].rstrip(" |").endswith(f"{expected:.2f}")


@pytest.mark.parametrize("fields", [{"runs": 0}, {"warm_up": -1}, {"threads": ()}])
def test_settings_that_measure_nothing_are_refused(fields):
    with pytest.raises(LabError, match="at least 1 run"):
        BenchmarkSettings(**fields)
