"""What a network costs a process that does nothing else: loading, the first inference, memory.

Run as ``python -m tflite.fresh_process`` with one JSON object on standard input; prints one.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from tflite.device_runtimes import prepare
from tflite.runtime.errors import LabError

_LEAST_SECONDS = 0.3


@dataclass(frozen=True)
class FreshProcess:
    """Measured in a process of its own.

    Args:
        load_ms: From the file's content to a network ready to run; the runtime is imported.
        first_ms: The first inference, which packs weights in some runtimes.
        peak_mb: Highest resident memory of the process, interpreter of Python included, 10^6
            bytes; None where the system does not tell.
        network_mb: How far that lies above the memory before the network was loaded.
        cpu_seconds_per_1000: Processor time, of all threads, of 1000 inferences: a stand-in for
            energy.
    """

    load_ms: float
    first_ms: float
    peak_mb: float | None
    network_mb: float | None
    cpu_seconds_per_1000: float


def measure_fresh(
    runtime: str, path: Path, threads: int, shape: tuple[int, int, int], runs: int = 20
) -> FreshProcess:
    """Measures in a fresh process.

    Args:
        runtime: See `tflite.device_runtimes.prepare`.
        path: The network's file.
        threads: Of the kernels.
        shape: Of the image, ``(height, width, 3)``.
        runs: Inferences of which processor time is taken, after the first.

    Raises:
        LabError: If the process fails; carries its last words.
    """
    task = {"runtime": runtime, "path": str(path), "threads": threads, "shape": shape, "runs": runs}
    done = subprocess.run(
        [sys.executable, "-m", "tflite.fresh_process"],
        input=json.dumps(task),
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent.parent,
    )
    if done.returncode:
        words = done.stderr.strip().splitlines()
        raise LabError(f"{runtime} failed with {path.name}: {words[-1] if words else 'no reason'}")
    return FreshProcess(**json.loads(done.stdout.splitlines()[-1]))


def measure_here(
    runtime: str, path: Path, threads: int, shape: tuple[int, int, int], runs: int
) -> FreshProcess:
    """Measures in this process, which should be fresh. Arguments as `measure_fresh`."""
    image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    content = path.read_bytes()
    _import(runtime)
    before = peak_memory()
    start = time.perf_counter()
    infer = prepare(runtime, content, threads, image)
    loaded = time.perf_counter()
    infer()
    first = time.perf_counter()
    count, used = 0, time.process_time()
    while count < runs or time.perf_counter() - first < _LEAST_SECONDS:
        infer()
        count += 1
    seconds = (time.process_time() - used) / count
    peak = peak_memory()
    return FreshProcess(
        load_ms=(loaded - start) * 1000,
        first_ms=(first - loaded) * 1000,
        peak_mb=peak,
        network_mb=None if peak is None or before is None else peak - before,
        cpu_seconds_per_1000=seconds * 1000,
    )


def _import(runtime: str) -> None:
    import importlib

    module = {"LiteRT": "ai_edge_litert.interpreter"}.get(runtime, runtime.lower())
    importlib.import_module(module)


def peak_memory() -> float | None:
    """Highest resident memory of this process so far, 10^6 bytes; None where it is not told."""
    # Not getrusage: what that gives begins with the memory of the process that started this one.
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        line = next(line for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        return None
    return int(line.split()[1]) * 1024 / 1e6


if __name__ == "__main__":
    task = json.load(sys.stdin)
    task["path"], task["shape"] = Path(task["path"]), tuple(task["shape"])
    print(json.dumps(asdict(measure_here(**task))))
