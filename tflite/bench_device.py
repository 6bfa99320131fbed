"""Speed, memory and size of a network in the runtimes an instrument could use, in one table.

Every variant of a network is in memory at once and they take turns, in short bursts, so that
whatever else the machine does hits all alike: ratios are to be trusted more than the times. What
needs a process of its own is measured in one (`tflite.fresh_process`).
"""

from __future__ import annotations

import csv
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tflite.benchmark import cpu_name, usable_cores
from tflite.device_runtimes import LITERT, ONNXRUNTIME, OPENVINO, Infer, prepare
from tflite.fresh_process import measure_fresh
from tflite.peers import peer_versions
from tflite.runtime.errors import LabError
from tflite.runtime.files import whole_file
from tflite.runtime.interpreter import TensorRunner, interpreter_version
from tflite.tables import markdown_table

if TYPE_CHECKING:
    import keras

FLOAT32, PLAIN_INT8, INT8 = "LiteRT float32", "LiteRT int8 plain", "LiteRT int8"
ONNX_INT8, OPENVINO_INT8 = "onnxruntime int8", "OpenVINO int8"


@dataclass(frozen=True)
class DeviceBenchSettings:
    """How variants are measured.

    Args:
        threads: Numbers of threads.
        runs: Measured inferences of each variant and number of threads.
        burst: Inferences of a variant in one turn. One more goes before, unmeasured: it finds the
            caches full of another variant, and threads of that one still spinning.
        pause: Seconds between turns, in which such threads go to sleep.
        seconds: Measure a network no longer than this, but never less than one turn each.
        calibration_images: Random images that calibrate int8, when a network has random weights.
        seed: Of these images.
        fresh: Whether load time, memory and processor time are measured in fresh processes.
        peers: Whether onnxruntime and OpenVINO are measured.

    Raises:
        LabError: If a number is out of range.
    """

    threads: tuple[int, ...] = (1, 2)
    runs: int = 50
    burst: int = 5
    pause: float = 0.01
    seconds: float = 60.0
    calibration_images: int = 4
    seed: int = 0
    fresh: bool = True
    peers: bool = True

    def __post_init__(self) -> None:
        least = min(self.runs, self.burst, self.calibration_images, *(self.threads or (0,)))
        if least < 1:
            raise LabError(
                f"runs, burst, calibration_images and threads must be at least 1, got {self}."
            )


@dataclass(frozen=True)
class Variant:
    """A network in one runtime.

    Args:
        name: Such as ``"LiteRT int8"``.
        runtime: See `tflite.device_runtimes.prepare`.
        content: The file.
    """

    name: str
    runtime: str
    content: bytes


@dataclass(frozen=True)
class DeviceRow:
    """What was measured of a variant with a number of threads.

    Args:
        model: The network.
        height: Rows of its images.
        width: Columns.
        variant: Runtime and precision.
        threads: Of the kernels.
        median_ms: Time of one inference, the image ready, in milliseconds.
        low_ms: 10th percentile.
        high_ms: 90th percentile.
        runs: Measured inferences.
        ratio: Speed against the network's first variant with as many threads, by the medians.
        cpu_ms: Median processor time of one inference, all threads together. Where other programs
            take the processor, it tells more than `median_ms`, which counts the waiting.
        cpu_ratio: As `ratio`, by `cpu_ms`.
        load_ms: See `tflite.fresh_process.FreshProcess`; None if not measured, as the next four.
        first_ms: See there.
        peak_mb: See there.
        network_mb: See there.
        cpu_seconds_per_1000: See there.
        file_bytes: Size of the file.
        runtime: Name and version.
        cpu: Name of the processor.
        cores: Logical processors that the process may use.
    """

    model: str
    height: int
    width: int
    variant: str
    threads: int
    median_ms: float
    low_ms: float
    high_ms: float
    runs: int
    ratio: float
    cpu_ms: float
    cpu_ratio: float
    load_ms: float | None
    first_ms: float | None
    peak_mb: float | None
    network_mb: float | None
    cpu_seconds_per_1000: float | None
    file_bytes: int
    runtime: str
    cpu: str
    cores: int


def make_variants(
    model: keras.Model, settings: DeviceBenchSettings | None = None
) -> tuple[Variant, ...]:
    """A classifier in every runtime, ending in logits, with a batch of 1.

    Args:
        model: Functional, softmax scores out.
        settings: None takes the defaults.

    Returns:
        float32 in LiteRT first; int8 as the converter leaves it, with our rewrites, and with
        ``settings.peers`` in onnxruntime and OpenVINO.

    Raises:
        LabError: If a conversion fails or a peer is missing.
    """
    from tflite.calibration import calibrate, float_file, quantize_file
    from tflite.convert import convert, fix_batch
    from tflite.logits import with_logits
    from tflite.onnx_export import OnnxSettings, to_onnx
    from tflite.peers import OPENVINO_SETTINGS, quantize_onnx
    from tflite.quantization_recipes import FLOAT32 as FLOAT32_RECIPE
    from tflite.rewrites import rewrite_graph

    settings = settings or DeviceBenchSettings()
    shape = (settings.calibration_images, *model.inputs[0].shape[1:])
    images = np.random.default_rng(settings.seed).integers(0, 256, shape, np.uint8)
    network = with_logits(model)
    plain = quantize_file(calibrate(float_file(fix_batch(network), images[0]), images))
    variants = [
        Variant(FLOAT32, LITERT, convert(model, FLOAT32_RECIPE, images)),
        Variant(PLAIN_INT8, LITERT, plain),
        Variant(INT8, LITERT, rewrite_graph(plain).content),
    ]
    if settings.peers:
        onnx = to_onnx(network, OnnxSettings(batch=1))
        variants += [
            Variant(ONNX_INT8, ONNXRUNTIME, quantize_onnx(onnx, images)),
            Variant(OPENVINO_INT8, OPENVINO, quantize_onnx(onnx, images, OPENVINO_SETTINGS)),
        ]
    return tuple(variants)


def file_variant(path: Path) -> tuple[Variant, tuple[int, int, int]]:
    """A bundle or plain ``.tflite`` file as a variant, and the shape of its images.

    Raises:
        LabError: If the file is none.
    """
    from tflite.audit import read_plain_model

    content = read_plain_model(path)
    shape = TensorRunner(content).input_shape[1:]
    if len(shape) != 3:
        raise LabError(f"{path} takes arrays of shape {shape}; images were expected.")
    return Variant(path.stem, LITERT, content), (shape[0], shape[1], shape[2])


def bench_variants(
    model: str,
    shape: tuple[int, int, int],
    variants: Sequence[Variant],
    settings: DeviceBenchSettings | None = None,
) -> tuple[DeviceRow, ...]:
    """Measures the variants of one network, in turns.

    Args:
        model: Name of the network.
        shape: Of its images.
        variants: The first is what the others' speed is given against.
        settings: None takes the defaults.

    Raises:
        LabError: If a variant cannot be loaded.
    """
    settings = settings or DeviceBenchSettings()
    image = np.random.default_rng(settings.seed).integers(0, 256, shape, np.uint8)
    runners = {
        (variant.name, threads): prepare(variant.runtime, variant.content, threads, image)
        for variant in variants
        for threads in settings.threads
    }
    times = take_turns(runners, settings)
    del runners
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for variant in variants:
            path = Path(folder) / f"{variant.name.replace(' ', '_')}.network"
            path.write_bytes(variant.content)
            for threads in settings.threads:
                base, own = times[variants[0].name, threads], times[variant.name, threads]
                rows.append(_row(model, shape, variant, threads, (base, own), path, settings))
    return tuple(rows)


def take_turns(
    runners: Mapping[tuple[str, int], Infer], settings: DeviceBenchSettings
) -> dict[tuple[str, int], np.ndarray]:
    """Measures runners in turns of a burst each.

    Args:
        runners: Any key to what runs one inference.
        settings: Numbers of runs.

    Returns:
        For each key an array ``(runs, 2)``: milliseconds by the clock, and of processor time.
    """
    for infer in runners.values():
        infer()
    times: dict[tuple[str, int], list[tuple[float, float]]] = {key: [] for key in runners}
    end = time.perf_counter() + settings.seconds
    for turn in range(-(-settings.runs // settings.burst)):
        if turn and time.perf_counter() > end:
            break
        for key, infer in runners.items():
            time.sleep(settings.pause)
            infer()
            times[key] += [_timed(infer) for _ in range(settings.burst)]
    return {key: np.array(values) for key, values in times.items()}


def _timed(infer: Infer) -> tuple[float, float]:
    used, start = time.process_time(), time.perf_counter()
    infer()
    end, used_end = time.perf_counter(), time.process_time()
    return (end - start) * 1000, (used_end - used) * 1000


def _row(
    model: str,
    shape: tuple[int, int, int],
    variant: Variant,
    threads: int,
    times: tuple[np.ndarray, np.ndarray],
    path: Path,
    settings: DeviceBenchSettings,
) -> DeviceRow:
    base, own = times
    low, median, high = (float(ms) for ms in np.percentile(own[:, 0], [10, 50, 90]))
    base_ms, base_cpu = (float(ms) for ms in np.median(base, axis=0))
    cpu = float(np.median(own[:, 1]))
    fresh = measure_fresh(variant.runtime, path, threads, shape) if settings.fresh else None
    return DeviceRow(
        model=model,
        height=shape[0],
        width=shape[1],
        variant=variant.name,
        threads=threads,
        median_ms=round(median, 4),
        low_ms=round(low, 4),
        high_ms=round(high, 4),
        runs=len(own),
        ratio=round(base_ms / median, 3),
        cpu_ms=round(cpu, 4),
        cpu_ratio=round(base_cpu / cpu, 3),
        load_ms=round(fresh.load_ms, 3) if fresh else None,
        first_ms=round(fresh.first_ms, 3) if fresh else None,
        peak_mb=_rounded(fresh.peak_mb) if fresh else None,
        network_mb=_rounded(fresh.network_mb) if fresh else None,
        cpu_seconds_per_1000=round(fresh.cpu_seconds_per_1000, 3) if fresh else None,
        file_bytes=len(variant.content),
        runtime=_version(variant.runtime),
        cpu=cpu_name(),
        cores=usable_cores(),
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def _version(runtime: str) -> str:
    if runtime == LITERT:
        return interpreter_version()
    return f"{runtime} {peer_versions().get(runtime.lower(), '')}".strip()


def write_device_rows(path: Path, rows: Sequence[DeviceRow]) -> None:
    """Writes the rows as CSV, columns as the fields of `DeviceRow`; empty where not measured."""
    with whole_file(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(DeviceRow)])
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)


_COLUMNS: tuple[tuple[str, Callable[[DeviceRow], str]], ...] = (
    ("model", lambda row: f"{row.model} {row.height}x{row.width}"),
    ("variant", lambda row: row.variant),
    ("threads", lambda row: str(row.threads)),
    ("median ms", lambda row: f"{row.median_ms:.2f}"),
    ("10-90 %", lambda row: f"{row.low_ms:.2f}-{row.high_ms:.2f}"),
    ("speed", lambda row: f"{row.ratio:.2f}"),
    ("cpu ms", lambda row: f"{row.cpu_ms:.2f}"),
    ("cpu speed", lambda row: f"{row.cpu_ratio:.2f}"),
    ("load ms", lambda row: _text(row.load_ms, ".1f")),
    ("first ms", lambda row: _text(row.first_ms, ".1f")),
    ("MB", lambda row: _text(row.peak_mb, ".0f")),
    ("of it network", lambda row: _text(row.network_mb, ".0f")),
    ("cpu s/1000", lambda row: _text(row.cpu_seconds_per_1000, ".2f")),
    ("kB", lambda row: f"{row.file_bytes / 1000:,.0f}"),
)


def _text(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def device_table(rows: Sequence[DeviceRow]) -> str:
    """The rows as a Markdown table that reads well in a terminal."""
    table = [[name for name, _ in _COLUMNS]]
    table += [[cell(row) for _, cell in _COLUMNS] for row in rows]
    runtimes = ", ".join(dict.fromkeys(row.runtime for row in rows))
    return (
        f"{rows[0].cpu}, {rows[0].cores} cores; {runtimes}. One image, decoding not included; "
        "speed is against each model's first variant with as many threads, by the clock and by "
        "processor time.\n\n"
        f"{markdown_table(table)}"
    )
