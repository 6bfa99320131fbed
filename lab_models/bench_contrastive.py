"""Speed and memory of contrastive training: batches in parts, and heads on stored features."""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class LargeBatchSettings:
    """A batch beyond memory, and the plain batch that it is held against.

    Args:
        backbone: The encoder.
        pixels: Image size.
        batch_size: The large batch.
        micro_batch: Its parts, and the size of the plain batch.
        images: Images shown in each timed run.
        repeats: Timed runs of each; the median is given. Each kind runs in a process of its own,
            whose highest memory is read at the end.
    """

    backbone: str = "resnet18"
    pixels: int = 96
    batch_size: int = 256
    micro_batch: int = 16
    images: int = 256
    repeats: int = 3


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
    images: int = 320
    epochs: int = 20
    views: int = 3
    batch_size: int = 16
    repeats: int = 3


def bench_large_batch(settings: LargeBatchSettings | None = None) -> list[dict[str, Any]]:
    """Memory and time of a large batch in parts against a plain batch of the parts' size.

    Returns:
        Two rows with the columns of `lab_models.bench.run_bench`; ``megabytes`` is the highest
        memory of the whole process, TensorFlow included.
    """
    settings = settings or LargeBatchSettings()
    plain = _in_own_process(settings, settings.micro_batch, 0)
    large = _in_own_process(settings, settings.batch_size, settings.micro_batch)
    name = f"{settings.backbone}, SupCon step"
    plain_name = f"{name}, batch of {settings.micro_batch}"
    large_name = f"{name}, batch of {settings.batch_size} in parts of {settings.micro_batch}"
    rows = []
    for title, found, against in ((plain_name, plain, ""), (large_name, large, plain_name)):
        rows.append(
            {
                "name": title,
                "pixels": settings.pixels,
                "images_per_second": found["rate"],
                "ratio": found["rate"] / plain["rate"] if against else 1.0,
                "against": against,
                "runs": settings.repeats,
                "megabytes": found["megabytes"],
                "memory_ratio": found["megabytes"] / plain["megabytes"] if against else 1.0,
            }
        )
    return rows


def _in_own_process(
    settings: LargeBatchSettings, batch_size: int, micro_batch: int
) -> dict[str, float]:
    task = json.dumps([asdict(settings), batch_size, micro_batch])
    code = "import sys; from lab_models.bench_contrastive import measure; measure(sys.argv[1])"
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, "-c", code, task],
        env=environment,
        check=True,
        text=True,
        stdout=subprocess.PIPE,
    )
    return json.loads(done.stdout.splitlines()[-1])


def measure(task: str) -> None:
    """Times steps in this process and prints rate and highest memory as JSON.

    Args:
        task: JSON list of the settings, the batch size and the size of the parts.
    """
    import keras
    import tensorflow as tf

    from lab_models.contrastive.losses import contrastive_loss
    from lab_models.contrastive.projection_model import ProjectionModel

    values, batch_size, micro_batch = json.loads(task)
    settings = LargeBatchSettings(**values)
    model = ProjectionModel(_encoder(settings.backbone, settings.pixels), micro_batch=micro_batch)
    model.compile(keras.optimizers.Adam(1e-5), contrastive_loss("supcon_out"))
    images, labels = _images(settings.images, settings.pixels)
    batches = tf.data.Dataset.from_tensor_slices((images, labels)).batch(batch_size).prefetch(1)
    model.fit(batches, verbose=0)
    seconds = []
    for _ in range(settings.repeats):
        started = time.perf_counter()
        model.fit(batches, verbose=0)
        seconds.append(time.perf_counter() - started)
    # Kilobytes on Linux.
    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rate = settings.images / statistics.median(seconds)
    print(json.dumps({"rate": rate, "megabytes": highest}))


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
