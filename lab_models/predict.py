"""Scores and features of a trained network for the images of a manifest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from lab_models.predictions import SCORE_PREFIX
from pipelines.input_pipeline import make_for_eval
from tflite.runtime.contract import InputContract

if TYPE_CHECKING:
    import keras

    from pipelines.image_cache import ImageCache
    from pipelines.manifest import Manifest


def predict_rows(
    model: keras.Model,
    encoder: keras.Model,
    manifest: Manifest,
    rows: np.ndarray,
    contract: InputContract,
    classes: Sequence[str],
    batch_size: int = 32,
    cache: ImageCache | None = None,
) -> tuple[pd.DataFrame, np.ndarray]:
    """Runs the network once over the rows, in their order.

    Args:
        model: Pixel values to scores ``(batch, classes)``.
        encoder: The same layers up to the pooled features ``(batch, features)``.
        manifest: The images.
        rows: int64 row numbers of the manifest.
        contract: The network's input contract.
        classes: Class names in the order of the scores.
        batch_size: Images at a time.
        cache: Decoded images to take instead of decoding again.

    Returns:
        The predictions table (columns ``index, path, split, source, slide, label, predicted,
        score:<class>...``), and float32 features ``(rows, features)`` of length 1 each.
    """
    import keras

    # One pass gives both: the encoder's work is not done twice.
    both = keras.Model(model.input, [model.output, encoder.output])
    batches = make_for_eval(manifest, rows, contract, batch_size, cache=cache)
    outputs = both.predict(batches.map(lambda batch: batch["image"]), verbose=0)
    scores, features = (np.asarray(o, np.float32) for o in outputs)
    columns = ["path", "split", "source", "slide", "label"]
    table = manifest.table.loc[rows, columns].reset_index(drop=True)
    table.insert(0, "index", rows)
    table["predicted"] = np.asarray(classes, object)[scores.argmax(axis=1)]
    score_table = pd.DataFrame(scores, columns=[SCORE_PREFIX + name for name in classes])
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return pd.concat([table, score_table], axis=1), features / np.maximum(lengths, 1e-12)
