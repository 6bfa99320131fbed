"""Speed of what users wait for, measured: augmentation, reading, synthesis, training, evaluation.

Absolute times on a shared machine mean little; every row that makes a claim is a ratio of two
things measured in turn in the same run, as medians.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lab_models.bench_contrastive import (
    FrozenPhaseSettings,
    LargeBatchSettings,
    bench_frozen_phase,
    bench_large_batch,
)
from lab_models.environment import describe_environment
from pipelines.bench_inspection import InspectionBenchSettings, bench_inspection
from pipelines.bench_shards import StoredImagesSettings, bench_stored_images
from tflite.runtime.files import whole_file


@dataclass(frozen=True)
class BenchSettings:
    """What `run_bench` measures.

    Args:
        backbones: Networks whose training step and evaluation are timed, with the image size in
            pixels.
        batch_size: Images a step.
        repeats: Timed runs of each row; the median is given.
        steps: Batches in each run.
        smears: Images drawn to time the synthesis.
        smear_size: Their size in pixels.
        large_batch: A contrastive batch beyond memory.
        frozen_phase: A phase on a frozen encoder.
        stored_images: Images in a folder and in shards.
        inspection: Measuring images, and the search for near duplicates.
    """

    backbones: tuple[tuple[str, int], ...] = (
        ("resnet10_half", 96),
        ("resnet18", 96),
        ("mobilenet_v3_small", 96),
    )
    batch_size: int = 32
    repeats: int = 5
    steps: int = 4
    smears: int = 1200
    smear_size: int = 96
    large_batch: LargeBatchSettings = field(default_factory=LargeBatchSettings)
    frozen_phase: FrozenPhaseSettings = field(default_factory=FrozenPhaseSettings)
    stored_images: StoredImagesSettings = field(default_factory=StoredImagesSettings)
    inspection: InspectionBenchSettings = field(default_factory=InspectionBenchSettings)


def run_bench(settings: BenchSettings, say: Callable[[str], None] = print) -> pd.DataFrame:
    """Measures every row.

    Args:
        settings: See `BenchSettings`.
        say: Takes each row as a line once it is measured.

    Returns:
        Columns ``name, pixels, images_per_second, ratio, against, runs``; ``ratio`` is this row's
        rate over that of the row named in ``against``, 1 where there is none. Where memory was
        measured also ``megabytes`` and ``memory_ratio``, of images that are read also
        ``megabytes_per_second``.
    """
    from pipelines.bench import bench_augmentation

    rows: list[dict[str, Any]] = []
    measures: list[Callable[[], list[dict[str, Any]]]] = [
        bench_augmentation,
        lambda: bench_stored_images(settings.stored_images),
        lambda: bench_inspection(settings.inspection),
        lambda: _bench_smears(settings),
        *(
            lambda name=name, pixels=pixels: _bench_network(name, pixels, settings)
            for name, pixels in settings.backbones
        ),
        lambda: bench_large_batch(settings.large_batch),
        lambda: bench_frozen_phase(settings.frozen_phase),
    ]
    for measure in measures:
        measured = measure()
        say(_lines(measured))
        rows += measured
    return pd.DataFrame(rows)


def write_bench(table: pd.DataFrame, folder: Path) -> Path:
    """Writes the rows as a CSV named by processor and date; gives its path."""
    environment = describe_environment()
    processor = "".join(c if c.isalnum() else "-" for c in environment["processor"])
    stamp = time.strftime("%Y-%m-%d_%H-%M-%S")
    path = folder / f"bench_{processor}_{environment['cores']}cores_{stamp}.csv"
    versions = {
        f"{name}_version": environment["packages"][name] for name in ("tensorflow", "keras")
    }
    with whole_file(path) as temporary:
        table.assign(**versions, commit=environment["git_commit"]).to_csv(temporary, index=False)
    return path


def _lines(rows: Sequence[dict[str, Any]]) -> str:
    return "\n".join(
        f"{row['name']:64} {row['pixels']:>4} px {row['images_per_second']:>10.1f} images/s"
        + (f" {row['megabytes']:>8.0f} MB" if "megabytes" in row else "")
        + (f" {row['megabytes_per_second']:>8.1f} MB/s" if "megabytes_per_second" in row else "")
        + (f" {row['ratio']:>6.2f} x" if row["against"] else "")
        for row in rows
    )


def _rate(action: Callable[[], int], repeats: int) -> float:
    """Median images a second of an action that gives the number of images it worked through."""
    action()
    rates = []
    for _ in range(repeats):
        started = time.perf_counter()
        images = action()
        rates.append(images / (time.perf_counter() - started))
    return statistics.median(rates)


def _row(name: str, pixels: int, rate: float, runs: int) -> dict[str, Any]:
    return {
        "name": name,
        "pixels": pixels,
        "images_per_second": rate,
        "ratio": 1.0,
        "against": "",
        "runs": runs,
    }


def _bench_smears(settings: BenchSettings) -> list[dict[str, Any]]:
    from pipelines.smear import SmearSettings, write_smears

    rates = []
    for seed in range(3):
        with tempfile.TemporaryDirectory() as folder:
            smears = SmearSettings(images=settings.smears, size=settings.smear_size, seed=seed)
            started = time.perf_counter()
            write_smears(Path(folder) / "smears", smears)
            written = sum(
                1 for f in (Path(folder) / "smears").rglob("*") if f.suffix in (".jpg", ".bmp")
            )
            rates.append(written / (time.perf_counter() - started))
    rate = statistics.median(rates)
    return [_row("synthetic smears, drawn and written", settings.smear_size, rate, 3)]


def _bench_network(name: str, pixels: int, settings: BenchSettings) -> list[dict[str, Any]]:
    import keras

    from lab_models.backbones import backbone_spec
    from lab_models.classifier import build_classifier

    contract = backbone_spec(name).contract(pixels, pixels)
    model = build_classifier(name, contract, [str(i) for i in range(20)]).model
    model.compile(keras.optimizers.Adam(), "categorical_crossentropy", jit_compile=False)
    count = settings.batch_size * settings.steps
    random = np.random.default_rng(0)
    images = random.uniform(0, 255, (count, pixels, pixels, 3)).astype("float32")
    labels = np.eye(20, dtype="float32")[random.integers(0, 20, count)]

    def train() -> int:
        model.fit(images, labels, batch_size=settings.batch_size, verbose=0)
        return count

    def evaluate() -> int:
        model.predict(images, batch_size=settings.batch_size, verbose=0)
        return count

    return [
        _row(f"{name}, {what}", pixels, _rate(action, settings.repeats), settings.repeats)
        for what, action in (("training step", train), ("evaluation", evaluate))
    ]
