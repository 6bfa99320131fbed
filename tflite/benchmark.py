"""Latency of exported files, measured side by side in one run."""

from __future__ import annotations

import csv
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from tflite.runtime.errors import LabError
from tflite.runtime.files import whole_file
from tflite.runtime.interpreter import TensorRunner, interpreter_version
from tflite.tables import markdown_table


@dataclass(frozen=True)
class BenchmarkSettings:
    """How latency is measured.

    Args:
        threads: Numbers of threads to measure with.
        warm_up: Inferences of each model before the first measured one; the first packs weights.
        runs: Measured inferences of each model and number of threads, at least 1.
        seconds: Stop after this time even if `runs` are not done, but never before 5 of them.
    """

    threads: tuple[int, ...] = (1, 2)
    warm_up: int = 5
    runs: int = 50
    seconds: float = 60.0

    def __post_init__(self) -> None:
        if self.runs < 1 or self.warm_up < 0 or not self.threads:
            raise LabError(
                f"A benchmark needs at least 1 run, no negative warm-up and one number of "
                f"threads, got {self}."
            )


@dataclass(frozen=True)
class Latency:
    """Time of one inference, without decoding.

    Args:
        model: Quantisation recipe.
        threads: Threads of the kernels.
        median_ms: Median, in milliseconds.
        low_ms: 10th percentile.
        high_ms: 90th percentile.
        runs: Measured inferences.
        warm_up: Inferences before.
        model_bytes: Size of the plain model.
        runtime: Interpreter and version.
        cpu: Name of the processor.
        cores: Logical processors that the process may use.
    """

    model: str
    threads: int
    median_ms: float
    low_ms: float
    high_ms: float
    runs: int
    warm_up: int
    model_bytes: int
    runtime: str
    cpu: str
    cores: int


_LEAST_RUNS = 5


def measure_latency(
    files: Mapping[str, bytes], image: np.ndarray, settings: BenchmarkSettings
) -> tuple[Latency, ...]:
    """Measures every file with every number of threads, in turns.

    The models take turns run by run, so that whatever else the machine does hits all of them
    alike; ratios are then to be trusted more than the times themselves.

    Args:
        files: Name to content of a plain ``.tflite`` file.
        image: uint8 ``(height, width, 3)``.
        settings: Threads and numbers of runs.
    """
    runners = {
        (name, threads): TensorRunner(content, threads)
        for name, content in files.items()
        for threads in settings.threads
    }
    for run in runners.values():
        for _ in range(settings.warm_up):
            run(image)
    times: dict[tuple[str, int], list[float]] = {key: [] for key in runners}
    end = time.perf_counter() + settings.seconds
    for number in range(settings.runs):
        if number >= _LEAST_RUNS and time.perf_counter() > end:
            break
        for key, run in runners.items():
            start = time.perf_counter()
            run(image)
            times[key].append((time.perf_counter() - start) * 1000)
    return tuple(
        _latency(name, threads, times[name, threads], files[name], settings)
        for name, threads in runners
    )


def _latency(
    name: str, threads: int, times: Sequence[float], content: bytes, settings: BenchmarkSettings
) -> Latency:
    low, median, high = np.percentile(times, [10, 50, 90])
    return Latency(
        model=name,
        threads=threads,
        median_ms=round(float(median), 4),
        low_ms=round(float(low), 4),
        high_ms=round(float(high), 4),
        runs=len(times),
        warm_up=settings.warm_up,
        model_bytes=len(content),
        runtime=interpreter_version(),
        cpu=cpu_name(),
        cores=usable_cores(),
    )


def cpu_name() -> str:
    """The processor's name as the system gives it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass  # not Linux
    return platform.processor() or platform.machine()


def usable_cores() -> int:
    """Logical processors that this process may use."""
    import os

    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def write_latency(path: Path, rows: Sequence[Latency]) -> None:
    """Writes the measurements as CSV, one row each, columns as the fields of `Latency`."""
    with whole_file(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Latency)])
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)


def latency_table(rows: Sequence[Latency]) -> str:
    """The measurements as a Markdown table; the speed-up is against the first model's."""
    base = {row.threads: row.median_ms for row in rows if row.model == rows[0].model}
    table = [["model", "threads", "median ms", "10-90 %", "runs", "kB", "speed-up"]]
    for row in rows:
        table.append(
            [
                row.model,
                str(row.threads),
                f"{row.median_ms:.2f}",
                f"{row.low_ms:.2f}-{row.high_ms:.2f}",
                str(row.runs),
                f"{row.model_bytes / 1000:.0f}",
                f"{base[row.threads] / row.median_ms:.2f}",
            ]
        )
    heading = f"Latency of one image on {rows[0].cpu}, {rows[0].runtime}, decoding not included."
    return f"{heading}\n\n{markdown_table(table)}"
