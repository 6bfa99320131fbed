"""A run directory as a training leaves it, made of random but plausible answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from lab_models.runs import RunDirectory, write_json
from pipelines.labels import HAL_CLASSES
from tflite.runtime.contract import InputContract


def make_scores(
    truth: np.ndarray, classes: int, generator: np.random.Generator, strength: float = 3.0
) -> np.ndarray:
    """Softmax values whose highest is mostly that of the true class."""
    logits = generator.normal(size=(len(truth), classes))
    logits[np.arange(len(truth)), truth] += strength
    # Neighbouring classes are confused, as along the maturation line.
    logits[np.arange(len(truth)), (truth + 1) % classes] += strength / 2
    scores = np.exp(logits)
    return scores / scores.sum(axis=1, keepdims=True)


def make_table(
    classes: tuple[str, ...], per_class: int, split: str, start: int, generator: np.random.Generator
) -> pd.DataFrame:
    """``predictions.csv`` of one split; later classes have fewer images."""
    counts = [max(1, per_class // (1 + n // 4)) for n in range(len(classes))]
    truth = np.repeat(np.arange(len(classes)), counts)
    scores = make_scores(truth, len(classes), generator)
    names = np.array(classes)
    table = pd.DataFrame(
        {
            "index": start + np.arange(len(truth)),
            "path": [f"{split}/{names[t]}/cell_{start + n}.png" for n, t in enumerate(truth)],
            "split": split,
            "source": "hairy_db",
            "slide": [f"{split}-{n % 6}" for n in range(len(truth))],
            "label": names[truth],
            "predicted": names[scores.argmax(axis=1)],
        }
    )
    columns = pd.DataFrame(scores.round(6), columns=[f"score:{name}" for name in classes])
    return pd.concat([table, columns], axis=1)


def make_history() -> pd.DataFrame:
    """Two phases of a training."""
    epochs = np.arange(1, 13)
    return pd.DataFrame(
        {
            "epoch": epochs,
            "phase": ["head"] * 4 + ["fine-tuning"] * 8,
            "loss": 2.5 / epochs,
            "accuracy": 1 - 0.7 / epochs,
            "val_loss": 2.6 / epochs + 0.1,
            "val_accuracy": 0.95 - 0.7 / epochs,
            "learning_rate": [1e-3] * 4 + list(1e-4 * 0.5 ** np.arange(8)),
            "seconds": 31.5,
        }
    )


def make_fake_run(
    path: Path,
    classes: tuple[str, ...] = HAL_CLASSES,
    per_class: int = 40,
    splits: tuple[str, ...] = ("validation", "test"),
    images: Path | None = None,
    seed: int = 0,
) -> RunDirectory:
    """Writes a finished run.

    Args:
        path: The run directory.
        classes: Class names.
        per_class: Images of the most frequent class in a split.
        splits: Which are predicted.
        images: Where small pictures are written, if anywhere.
        seed: Of everything random.
    """
    generator = np.random.default_rng(seed)
    run = RunDirectory(path)
    path.mkdir(parents=True)
    tables: list[pd.DataFrame] = []
    for split in splits:
        start = sum(map(len, tables))
        tables.append(make_table(classes, per_class, split, start, generator))
    table = pd.concat(tables, ignore_index=True)
    table.to_csv(run.predictions, index=False)
    centres = generator.normal(size=(len(classes), 16))
    places = table["label"].map({name: n for n, name in enumerate(classes)}).to_numpy()
    features = (centres[places] + 0.4 * generator.normal(size=(len(table), 16))).astype(np.float32)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    np.savez(run.features, index=table["index"].to_numpy(), features=features)
    make_history().to_csv(run.history, index=False)
    manifest = table[["path", "label", "source", "slide", "split"]]
    manifest = pd.concat([manifest, manifest.assign(split="train", slide="t-0")])
    manifest.to_csv(run.manifest, index=False)
    pd.DataFrame({"path": ["bad/cell.bmp"], "reason": ["empty <file> & no image"]}).to_csv(
        run.quarantine, index=False
    )
    write_json(run.contract_json, {"classes": classes, "input": InputContract(32, 32).to_dict()})
    write_json(run.recipe_json, {"name": "fake", "backbone": "tiny", "phases": [{"epochs": 4}]})
    root = "" if images is None else str(images)
    changes = {"batch_size": {"recipe": 32, "run": 8}}
    write_json(run.environment, {"seed": seed, "data_root": root, "changes": changes})
    if images is not None:
        for place in table["path"]:
            (images / place).parent.mkdir(parents=True, exist_ok=True)
            noise = generator.integers(0, 255, (24, 30, 3), dtype=np.uint8)
            Image.fromarray(noise).save(images / place)
    run.finished.touch()
    return run


def add_networks(run: RunDirectory) -> None:
    """Saves a tiny untrained network that fits the run's classes and contract."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    pixels = keras.Input(run.contract.shape)
    x = layers.Rescaling(1 / 127.5, -1)(pixels)
    x = layers.Conv2D(4, 3, strides=4, activation="relu")(x)
    features = layers.GlobalAveragePooling2D(name="pooled_features")(x)
    scores = layers.Dense(len(run.classes), activation="softmax", name="predictions")(features)
    keras.Model(pixels, scores).save(run.model)
    keras.Model(pixels, features).save(run.encoder)
