"""Makes the golden bundle of the device tests: ``python tests/data/make_tiny_bundle.py``.

A network of 16x16 pixels and three classes learns to tell synthetic cells by their nucleus: one
round dark one, two lobes, or none. The folder ``tiny_bundle`` then holds the int8 bundle, three
images of different formats, and the scores that the bundle gave for them.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

FOLDER = Path(__file__).parent / "tiny_bundle"
LABELS = ("lymphocyte", "segmented_neutrophil", "large_thrombocyte")
SIZE = 16
PER_CLASS = 60
SEED = 3001


def draw_cell(label: str, generator: np.random.Generator) -> Image.Image:
    """A synthetic cell, 48x32 pixels, its background and place varying."""
    ground = tuple(int(v) for v in generator.integers((215, 195, 190), (240, 220, 215)))
    image = Image.new("RGB", (48, 32), ground)
    draw = ImageDraw.Draw(image)
    x, y = generator.integers(21, 28), generator.integers(14, 19)
    nucleus = tuple(int(v) for v in generator.integers((70, 30, 110), (110, 60, 150)))
    draw.ellipse((x - 12, y - 12, x + 12, y + 12), fill=(200, 190, 225))
    if label == "lymphocyte":
        draw.ellipse((x - 9, y - 9, x + 9, y + 9), fill=nucleus)
    elif label == "segmented_neutrophil":
        draw.ellipse((x - 9, y - 5, x - 2, y + 5), fill=nucleus)
        draw.ellipse((x + 2, y - 5, x + 9, y + 5), fill=nucleus)
    return image


def make_model(images: np.ndarray, label_ids: np.ndarray):
    """A small functional classifier, trained briefly, so that its scores are graded."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(SEED)
    pixels = keras.Input((SIZE, SIZE, 3))
    x = layers.Rescaling(1 / 127.5, -1)(pixels)
    for filters in (6, 8):
        x = layers.Conv2D(filters, 3, strides=2, activation="relu")(x)
    x = layers.Flatten()(x)
    scores = layers.Dense(len(LABELS), activation="softmax", name="predictions")(x)
    model = keras.Model(pixels, scores)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.optimizer.learning_rate = 0.01
    model.fit(images.astype(np.float32), label_ids, batch_size=32, epochs=3, verbose=0)
    return model


def main() -> None:
    """Writes the folder anew."""
    from tflite.bundle import write_bundle
    from tflite.convert import convert
    from tflite.quantization_recipes import INT8_FULL
    from tflite.runtime.classifier import Classifier
    from tflite.runtime.contract import InputContract
    from tflite.runtime.preprocess import prepare_image
    from tflite.sidecar import Origin, make_sidecar

    contract = InputContract(SIZE, SIZE)
    generator = np.random.default_rng(SEED)
    label_ids = np.repeat(np.arange(len(LABELS)), PER_CLASS)
    drawn = [draw_cell(LABELS[i], generator) for i in label_ids]
    images = np.stack([prepare_image(np.asarray(image), contract) for image in drawn])
    order = generator.permutation(len(images))
    content = convert(make_model(images, label_ids), INT8_FULL, images[order])

    shutil.rmtree(FOLDER, ignore_errors=True)
    origin = Origin(recipe="tiny", git_commit="", intended_use="Tests.")
    bundle = FOLDER / "model_int8.tflite"
    write_bundle(bundle, content, make_sidecar(content, contract, LABELS, INT8_FULL, origin))
    expected = {}
    for label, suffix in zip(LABELS, (".png", ".bmp", ".jpg")):
        path = FOLDER / f"{label}{suffix}"
        draw_cell(label, generator).save(path)
        expected[path.name] = Classifier(bundle).classify(path).scores
    (FOLDER / "expected.json").write_text(json.dumps(expected, indent=2) + "\n")
    print(json.dumps(expected, indent=2))


if __name__ == "__main__":
    main()
