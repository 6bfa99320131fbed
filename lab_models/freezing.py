"""Which layers train in a phase: frozen, partial or full, and the batch-normalisation rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab_models.suggest import unknown_name
from tflite.runtime.errors import LabError

if TYPE_CHECKING:
    from lab_models.classifier import Classifier
    from lab_models.recipes.phase import Phase


def set_trainable(classifier: Classifier, phase: Phase) -> tuple[str, ...]:
    """Freezes and frees the layers of a classifier for a phase.

    A frozen layer keeps its weights. A frozen batch normalisation also runs as at inference, with
    its moving statistics, whatever the rest of the net does (Keras's own rule), and never updates
    them. With ``phase.batch_norm == "frozen"`` this holds for every batch normalisation of the
    backbone, its scale and shift included, even where the layers around it train.

    The head (everything that is not backbone) always trains. Compile the model afterwards: Keras
    reads the flags then.

    Args:
        classifier: Its layers are changed in place.
        phase: Gives ``trainable``, ``train_from`` and ``batch_norm``.

    Returns:
        Names of the backbone layers that train, input to output.

    Raises:
        LabError: If ``train_from`` names no backbone layer; names the nearest.
    """
    import keras

    names = classifier.backbone_layers
    if phase.trainable == "partial" and phase.train_from not in names:
        raise LabError(unknown_name("backbone layer", phase.train_from, names))
    first = {
        "frozen": len(names),
        "partial": names.index(phase.train_from) if phase.trainable == "partial" else 0,
        "full": 0,
    }[phase.trainable]
    trained = []
    for position, name in enumerate(names):
        layer = classifier.model.get_layer(name)
        is_norm = isinstance(layer, keras.layers.BatchNormalization)
        layer.trainable = position >= first and not (is_norm and phase.batch_norm == "frozen")
        if layer.trainable:
            trained.append(name)
    return tuple(trained)
