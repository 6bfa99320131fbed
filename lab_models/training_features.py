"""Features of the cells that a network was trained on, computed once and kept in the run."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lab_models.runs import RunDirectory, RunError, read_json
from tflite.runtime.errors import LabError
from tflite.runtime.files import whole_file

if TYPE_CHECKING:
    import keras

    from pipelines.image_cache import ImageCache
    from pipelines.manifest import Manifest

SPLIT = "train"
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class TrainingFeatures:
    """Pooled features of training images.

    Args:
        index: int64 ``(n,)``, row numbers of the run's manifest.
        features: float16 ``(n, d)``, each row of length 1. Half precision moves a cosine
            distance by about 1e-5 and halves the file: 76,612 x 2,048 values take 314 MB.
    """

    index: np.ndarray
    features: np.ndarray

    def __len__(self) -> int:
        return len(self.index)


def features_digest(run: RunDirectory) -> str:
    """SHA-256 of everything that the features follow from: encoder, input contract, manifest.

    Raises:
        RunError: If one of the files is missing.
    """
    digest = hashlib.sha256()
    for path in (run.encoder, run.contract_json, run.manifest):
        with run.require(path).open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def save_training_features(
    run: RunDirectory,
    *,
    encoder: keras.Model | None = None,
    manifest: Manifest | None = None,
    cache: ImageCache | None = None,
    batch_size: int = 32,
    progress: Progress | None = None,
) -> TrainingFeatures:
    """Computes the features of a run's training images and writes ``training_features.npz``.

    Args:
        run: Holds ``encoder.keras``, ``contract.json``, ``manifest.csv`` and
            ``environment.json``.
        encoder: The network of ``encoder.keras``; loaded if None.
        manifest: That of ``manifest.csv``; read if None.
        cache: Decoded images to take instead of decoding again.
        batch_size: Images at a time.
        progress: Called with the images done and their number, after every batch.

    Raises:
        LabError: If there are no training images, the images have moved, a file of the run is
            missing, or the encoder gives values that are not finite.
    """
    digest = features_digest(run)
    manifest = manifest or read_run_manifest(run)
    rows = manifest.rows(SPLIT)
    if not len(rows):
        raise LabError(f"The run {run.path} has no training images in its manifest.")
    encoder = encoder or load_encoder_alone(run)
    found = TrainingFeatures(
        rows, _compute(encoder, run, manifest, rows, cache, batch_size, progress)
    )
    with whole_file(run.training_features) as temporary, temporary.open("wb") as file:
        np.savez(file, index=found.index, features=found.features, digest=np.array(digest))
    return found


def read_training_features(run: RunDirectory) -> TrainingFeatures | None:
    """The saved features; None if there are none that fit the run's encoder and manifest.

    The file can be made anew at any time, so a damaged one counts as absent.
    """
    parts = (run.encoder, run.contract_json, run.manifest, run.training_features)
    if not all(path.exists() for path in parts):
        return None
    try:
        # Opened here, because numpy leaves a damaged archive open.
        with run.training_features.open("rb") as file, np.load(file) as stored:
            if str(stored["digest"]) != features_digest(run):
                return None
            found = TrainingFeatures(stored["index"], stored["features"])
    # numpy raises zip, key, value and end-of-file errors for damaged archives.
    except Exception:
        return None
    return found if len(found.index) == len(found.features) > 0 else None


def training_features(
    run: RunDirectory, batch_size: int = 32, progress: Progress | None = None
) -> TrainingFeatures:
    """The saved features, computed and saved first where they are not there.

    Raises:
        LabError: As `save_training_features`.
    """
    found = read_training_features(run)
    if found is not None:
        return found
    return save_training_features(run, batch_size=batch_size, progress=progress)


def read_run_manifest(run: RunDirectory) -> Manifest:
    """The images of a run, all of which are where they were.

    Raises:
        RunError: If their folder is gone.
        LabError: If single images are missing, or the manifest is damaged.
    """
    from pipelines.manifest import read_manifest

    root = Path(read_json(run.require(run.environment))["data_root"])
    if not root.is_dir():
        raise RunError(f"The images of {run.path} are no longer at {root}; put them back.")
    return read_manifest(run.require(run.manifest), classes=run.classes, root=root)


def load_encoder_alone(run: RunDirectory) -> keras.Model:
    """The network of ``encoder.keras``: pixel values to pooled features ``(batch, d)``.

    Raises:
        RunError: If it is missing, damaged, or does not take the run's images.
    """
    path = run.require(run.encoder)
    import keras

    try:
        encoder = keras.saving.load_model(path, compile=False)
    # A damaged archive raises nearly anything from inside zip, HDF5 and JSON readers.
    except Exception as error:
        raise RunError(f"{path} cannot be loaded as a Keras model: {error}") from None
    wanted = (None, *run.contract.shape)
    if encoder.input_shape != wanted or len(encoder.output_shape) != 2:
        raise RunError(
            f"{path} takes {encoder.input_shape} and gives {encoder.output_shape}; expected "
            f"{wanted} and (None, features). It is not of this run."
        )
    return encoder


def encode(encoder: keras.Model, images: np.ndarray) -> np.ndarray:
    """L2-normalised features of one batch.

    Args:
        encoder: Pixel values to features.
        images: ``(batch, height, width, 3)``, values 0..255, of any number type.

    Returns:
        float32 ``(batch, d)``.

    Raises:
        LabError: If a feature is not finite.
    """
    features = np.asarray(encoder.predict_on_batch(np.asarray(images, np.float32)), np.float32)
    if not np.isfinite(features).all():
        raise LabError(
            "The encoder gives features that are not finite: its training has diverged. Train "
            "again with a lower learning rate."
        )
    return features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)


def _compute(
    encoder: keras.Model,
    run: RunDirectory,
    manifest: Manifest,
    rows: np.ndarray,
    cache: ImageCache | None,
    batch_size: int,
    progress: Progress | None,
) -> np.ndarray:
    from pipelines.image_cache import ImageCache
    from pipelines.input_pipeline import make_for_eval

    # Every image is looked at once: decoded images need not be kept.
    cache = cache or ImageCache(manifest, run.contract, megabytes=0, rows=rows)
    features = np.empty((len(rows), encoder.output_shape[-1]), np.float16)
    done = 0
    for batch in make_for_eval(manifest, rows, run.contract, batch_size, cache=cache):
        part = encode(encoder, batch["image"])
        features[done : done + len(part)] = part
        done += len(part)
        if progress:
            progress(done, len(rows))
    return features
