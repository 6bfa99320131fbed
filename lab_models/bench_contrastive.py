"""Speed and memory of contrastive training: batches in parts, and heads on stored features."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tflite.runtime.errors import LabError


@dataclass(frozen=True)
class LargeBatchSettings:
    """A batch beyond memory, and the plain batch that it is held against.

    Args:
        backbone: The encoder.
        pixels: Image size.
        batch_size: The large batch.
        micro_batch: Its parts, and the size of the plain batch.
        images: Images shown in each timed run.
        repeats: Timed runs of each, in turn; the median is given.
    """

    backbone: str = "resnet18"
    pixels: int = 96
    batch_size: int = 256
    micro_batch: int = 16
    images: int = 256
    repeats: int = 5


@dataclass(frozen=True)
class FrozenPhaseSettings:
    """A classifier on a frozen encoder, with and without stored features.

    Args:
        backbone: The encoder.
        pixels: Image size.
        images: Training images.
        epochs: Length of the phase; 20 in study hairy.
        views: Stored views of each image.
        batch_size: Images a step; 16 in study hairy.
        repeats: Runs of each, in turn; the median is given.
    """

    backbone: str = "resnet18"
    pixels: int = 96
    images: int = 960
    epochs: int = 20
    views: int = 3
    batch_size: int = 16
    repeats: int = 3


def bench_large_batch(settings: LargeBatchSettings | None = None) -> list[dict[str, Any]]:
    """Memory and time of a large batch in parts against a plain batch of the parts' size.

    Times are taken in turn in this process, memory in a process for each.

    Returns:
        Two rows with the columns of `lab_models.bench.run_bench`; ``megabytes`` is the highest
        memory of the whole process, TensorFlow included.
    """
    settings = settings or LargeBatchSettings()
    kinds = ((settings.micro_batch, 0), (settings.batch_size, settings.micro_batch))
    rates = _rates(settings, kinds)
    megabytes = [_highest_memory(settings, *kind) for kind in kinds]
    name = f"{settings.backbone}, SupCon step"
    plain = f"{name}, batch of {settings.micro_batch}"
    large = f"{name}, batch of {settings.batch_size} in parts of {settings.micro_batch}"
    return [
        {
            "name": title,
            "pixels": settings.pixels,
            "images_per_second": rate,
            "ratio": rate / rates[0],
            "against": against,
            "runs": settings.repeats,
            "megabytes": memory,
            "memory_ratio": memory / megabytes[0],
        }
        for title, against, rate, memory in zip((plain, large), ("", plain), rates, megabytes)
    ]


def _rates(settings: LargeBatchSettings, kinds: tuple[tuple[int, int], ...]) -> list[float]:
    """Images a second of each kind, medians of runs in turn."""
    fits = [_fit_once(settings, *kind) for kind in kinds]
    seconds: list[list[float]] = [[] for _ in kinds]
    for _ in range(settings.repeats):
        for fit, taken in zip(fits, seconds):
            started = time.perf_counter()
            fit()
            taken.append(time.perf_counter() - started)
    return [settings.images / statistics.median(taken) for taken in seconds]


def _fit_once(settings: LargeBatchSettings, batch_size: int, micro_batch: int) -> Callable[[], Any]:
    """Trains on the images once, to build everything, and gives what does so again."""
    import keras
    import tensorflow as tf

    from lab_models.contrastive.losses import contrastive_loss
    from lab_models.contrastive.projection_model import ProjectionModel

    encoder = _encoder(settings.backbone, settings.pixels)
    model = ProjectionModel(encoder, micro_batch=micro_batch)
    model.compile(keras.optimizers.Adam(1e-5), contrastive_loss("supcon_out"))
    images = _images(settings.images, settings.pixels)
    batches = tf.data.Dataset.from_tensor_slices(images).batch(batch_size).prefetch(1)

    def fit() -> None:
        model.fit(batches, verbose=0, shuffle=False)

    fit()
    return fit


def _highest_memory(settings: LargeBatchSettings, batch_size: int, micro_batch: int) -> float:
    task = json.dumps([asdict(settings), batch_size, micro_batch])
    code = "import sys; from lab_models.bench_contrastive import measure; measure(sys.argv[1])"
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-c", code, task]
    done = subprocess.run(command, env=environment, check=True, text=True, stdout=subprocess.PIPE)
    return float(done.stdout.splitlines()[-1])


def measure(task: str) -> None:
    """Trains on the images twice in this process and prints its highest memory in megabytes.

    Args:
        task: JSON list of the settings, the batch size and the size of the parts.
    """
    values, batch_size, micro_batch = json.loads(task)
    _fit_once(LargeBatchSettings(**values), batch_size, micro_batch)()
    print(highest_memory())


def highest_memory() -> float:
    """The most memory that this process has held at a time, in megabytes.

    Raises:
        LabError: Where the system does not tell it in /proc, as Linux does.
    """
    # Not getrusage: what that gives begins with the memory of the process that started this one.
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024
    except (OSError, StopIteration) as error:
        raise LabError(f"This system does not tell a process its highest memory: {error}") from None


def bench_frozen_phase(settings: FrozenPhaseSettings | None = None) -> list[dict[str, Any]]:
    """A whole classifier phase on a frozen encoder: encoder in every epoch, or stored features.

    Returns:
        Two rows with the columns of `lab_models.bench.run_bench`.
    """
    settings = settings or FrozenPhaseSettings()
    seconds: dict[int, list[float]] = {0: [], settings.views: []}
    with tempfile.TemporaryDirectory() as folder:
        manifest = _written_images(settings, Path(folder))
        for repeat in range(settings.repeats):
            for views in seconds:
                run = Path(folder) / f"run_{repeat}_{views}"
                seconds[views].append(_train_classifier(settings, manifest, views, run))
    plain, stored = (statistics.median(s) for s in seconds.values())
    shown = settings.images * settings.epochs
    name = f"{settings.backbone} frozen, classifier {settings.epochs} epochs"
    rows = []
    for title, time_taken, against in (
        (f"{name}, encoder in each", plain, ""),
        (f"{name}, {settings.views} stored views", stored, f"{name}, encoder in each"),
    ):
        rows.append(
            {
                "name": title,
                "pixels": settings.pixels,
                "images_per_second": shown / time_taken,
                "ratio": plain / time_taken,
                "against": against,
                "runs": settings.repeats,
            }
        )
    return rows


def _train_classifier(
    settings: FrozenPhaseSettings, manifest: Any, views: int, folder: Path
) -> float:
    import keras

    from lab_models.networks import build_networks
    from lab_models.phase_data import PhaseData
    from lab_models.phases import run_phases
    from lab_models.recipes import Input, Phase, Recipe
    from lab_models.runs import RunDirectory
    from pipelines.augment_settings import hal_transfer
    from pipelines.image_cache import ImageCache

    recipe = Recipe(
        "bench",
        settings.backbone,
        (Phase("classifier", "frozen", settings.epochs, cached_views=views),),
        input=Input(settings.pixels, settings.pixels),
        augment=hal_transfer(),
        weights="random",
        batch_size=settings.batch_size,
    )
    keras.utils.set_random_seed(0)
    contract = _contract(settings.backbone, settings.pixels)
    networks = build_networks(recipe, contract, manifest.classes)
    cache = ImageCache(manifest, contract, 1024).fill()
    run = RunDirectory(folder)
    data = PhaseData(recipe, manifest, cache, networks, run, lambda line: None)
    started = time.perf_counter()
    run_phases(networks, recipe, data, run)
    return time.perf_counter() - started


def _written_images(settings: FrozenPhaseSettings, folder: Path) -> Any:
    from PIL import Image

    from pipelines.datasets import open_dataset
    from pipelines.split import SplitSettings, split_manifest

    images, labels = _images(settings.images, settings.pixels)
    for number, (image, label) in enumerate(zip(images, labels)):
        path = folder / "images" / f"class_{label}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    return split_manifest(open_dataset(folder / "images"), SplitSettings(validation=0.0))


def _contract(backbone: str, pixels: int) -> Any:
    from lab_models.backbones import backbone_spec

    return backbone_spec(backbone).contract(pixels, pixels)


def _encoder(backbone: str, pixels: int) -> Any:
    from lab_models.classifier import build_classifier

    return build_classifier(backbone, _contract(backbone, pixels), ("a", "b")).encoder


def _images(count: int, pixels: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (count, pixels, pixels, 3)).astype("uint8")
    return images, random.integers(0, 8, count)
