"""Pruning and weight clustering: smaller files for devices that load them over a slow line.

Both are TFMOT's, on the ``tf_keras`` twin, with a short fine-tuning, and give Keras 3 weights back.
Neither makes an int8 file faster or smaller as it lies on disk: zeros and repeated values only
shrink once the file is packed, so both sizes are reported.

- **Pruning** (Zhu & Gupta 2017): the smallest weights of each kernel become zero, more and more of
  them along a cubic curve, until the wanted share is reached; the rest learn to do without.
- **Clustering** (Han et al. 2016, section 3): the weights of each kernel share a few values, which
  are trained.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tflite.convert import as_float32, convert
from tflite.fine_tuning import FineTuneSettings, Say, Trainer, steps_of
from tflite.keras_weights import give_weights
from tflite.logits import with_logits
from tflite.quantization_recipes import FLOAT32, INT8_FULL
from tflite.runtime.errors import LabError
from tflite.tables import markdown_table

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    from tflite.tf_keras_twin import Twin

_KERNELS = ("Conv2D", "Dense")


@dataclass(frozen=True)
class PruningSettings:
    """How far and how fast kernels of convolutions and dense layers are pruned.

    Args:
        sparsity: Share of each kernel's weights that is zero in the end.
        initial_sparsity: Share at the first step.
        ends_at: Share of the training after which the sparsity is reached; the rest heals.
        every: Steps between two choices of the weights.
        smallest_kernel: Kernels with fewer weights stay whole: there is nothing to gain.

    Raises:
        LabError: If a value is out of range.
    """

    sparsity: float = 0.5
    initial_sparsity: float = 0.0
    ends_at: float = 0.6
    every: int = 5
    smallest_kernel: int = 500

    def __post_init__(self) -> None:
        if not 0 <= self.initial_sparsity <= self.sparsity < 1 or self.sparsity == 0:
            raise LabError(
                "sparsity must be above 0 and below 1 and initial_sparsity at most that, got "
                f"{self.sparsity} and {self.initial_sparsity}."
            )
        if not 0 < self.ends_at <= 1 or self.every < 1:
            raise LabError(
                f"ends_at must be in 0..1 and every 1 or more, got {self.ends_at}, {self.every}."
            )


@dataclass(frozen=True)
class ClusteringSettings:
    """How many values the weights of a kernel share.

    Args:
        clusters: Values a kernel.
        smallest_kernel: Kernels with fewer weights stay as they are.

    Raises:
        LabError: If there are fewer than 2 values.
    """

    clusters: int = 16
    smallest_kernel: int = 500

    def __post_init__(self) -> None:
        if self.clusters < 2:
            raise LabError(f"clusters must be 2 or more, got {self.clusters}.")


# Far from the network that was trained: larger steps, and statistics that follow.
TUNING = FineTuneSettings(learning_rate=5e-4, freeze_batch_norm_after=None, distillation=0.5)


@dataclass(frozen=True)
class FineTuning:
    """What a compressed network is trained on, and how.

    Args:
        training: Batches of (images, labels[, weights]) as `tflite.qat` describes them.
        validation: The same, finite, not augmented; None for none.
        steps: Batches an epoch; None takes all of a finite dataset.
        settings: `keep_best` is ignored: the last epoch is the compressed one.
        say: Takes one line of progress at a time.
    """

    training: tf.data.Dataset
    validation: tf.data.Dataset | None = None
    steps: int | None = None
    settings: FineTuneSettings = TUNING
    say: Say = print


@dataclass(frozen=True)
class Compressed:
    """A compressed classifier.

    Args:
        model: A copy of the Keras 3 classifier with the new weights.
        history: One row an epoch as in `tflite.qat.QatResult`.
    """

    model: keras.Model
    history: tuple[dict[str, float], ...]


def prune(
    model: keras.Model, tuning: FineTuning, settings: PruningSettings | None = None
) -> Compressed:
    """Prunes a classifier to a sparsity while it is trained on.

    Args:
        model: Functional Keras 3 classifier, pixel values in 0..255 to softmax scores; stays as
            it is.
        tuning: Data and length of the training.
        settings: None takes the defaults.

    Raises:
        LabError: If the model has no twin, or no kernel is large enough.
    """
    from tflite.tfmot import tfmot

    settings = settings or PruningSettings()
    total = steps_of(tuning.training, tuning.steps) * tuning.settings.epochs
    schedule = tfmot.sparsity.keras.PolynomialDecay(
        initial_sparsity=settings.initial_sparsity,
        final_sparsity=settings.sparsity,
        begin_step=0,
        end_step=max(1, round(settings.ends_at * total) - 1),
        frequency=min(settings.every, max(1, total // 4)),
    )
    return _fine_tune(
        model,
        tuning,
        settings.smallest_kernel,
        lambda layer: tfmot.sparsity.keras.prune_low_magnitude(layer, pruning_schedule=schedule),
        tfmot.sparsity.keras.strip_pruning,
        tfmot.sparsity.keras.UpdatePruningStep(),
    )


def cluster(
    model: keras.Model, tuning: FineTuning, settings: ClusteringSettings | None = None
) -> Compressed:
    """Lets the weights of each kernel share a few values while a classifier is trained on.

    Args:
        model: As for `prune`.
        tuning: Data and length of the training.
        settings: None takes the defaults.

    Raises:
        LabError: If the model has no twin, or no kernel is large enough.
    """
    from tflite.tfmot import tfmot

    settings = settings or ClusteringSettings()
    start = tfmot.clustering.keras.CentroidInitialization.KMEANS_PLUS_PLUS
    return _fine_tune(
        model,
        tuning,
        settings.smallest_kernel,
        lambda layer: tfmot.clustering.keras.cluster_weights(
            layer, number_of_clusters=settings.clusters, cluster_centroids_init=start
        ),
        tfmot.clustering.keras.strip_clustering,
    )


def _fine_tune(
    model: keras.Model,
    tuning: FineTuning,
    smallest: int,
    wrap: Callable[[Any], Any],
    strip: Callable[[Any], Any],
    callback: Any = None,
) -> Compressed:
    """Wraps a twin's kernels, trains, strips, and brings the weights back."""
    import keras

    from tflite.tf_keras_twin import build_twin

    classifier = as_float32(model)
    twin = build_twin(with_logits(classifier))
    wrapped = _wrap(twin, smallest, wrap)
    trainer = Trainer(
        wrapped,
        tuning.training,
        tuning.validation,
        steps_of(tuning.training, tuning.steps),
        replace(tuning.settings, keep_best=False),
        classifier,
        tuning.say,
        callback,
    )
    history = trainer.run()
    copy = keras.models.clone_model(classifier)
    give_weights(copy, twin.weights_of(strip(wrapped)))
    return Compressed(copy, history)


def _wrap(twin: Twin, smallest: int, wrap: Callable[[Any], Any]) -> Any:
    import tf_keras

    chosen = {
        layer.name
        for layer in twin.model.layers
        if type(layer).__name__ in _KERNELS and layer.kernel.shape.num_elements() >= smallest
    }
    if not chosen:
        raise LabError(
            f"No convolution or dense layer of {twin.original.name!r} has {smallest} weights or "
            "more; lower smallest_kernel."
        )
    values = {layer.name: layer.get_weights() for layer in twin.model.layers}

    def copy(layer: Any) -> Any:
        plain = type(layer).from_config(layer.get_config())
        if layer.name not in chosen:
            return plain
        # Clustering begins with the weights it finds, so they must be there before.
        plain.build(layer.input_shape)
        plain.set_weights(values[layer.name])
        return wrap(plain)

    wrapped = tf_keras.models.clone_model(twin.model, clone_function=copy)
    for layer in wrapped.layers:
        if values.get(layer.name):
            layer.set_weights(values[layer.name])
    return wrapped


@dataclass(frozen=True)
class Variant:
    """One file of a compressed network.

    Args:
        name: Of the variant, such as ``pruned to 50 %``.
        recipe: Name of the quantisation recipe.
        content: The ``.tflite`` file.
        accuracy: On the images that the caller's function looks at.
        zeros: Share of the network's kernel weights that are zero.
    """

    name: str
    recipe: str
    content: bytes
    accuracy: float
    zeros: float

    @property
    def packed_bytes(self) -> int:
        """Size of the file when it is packed (DEFLATE, as zip and gzip do it)."""
        return len(zlib.compress(self.content, 9))


def measure(
    name: str,
    model: keras.Model,
    representative_images: np.ndarray,
    accuracy: Callable[[bytes], float],
) -> tuple[Variant, ...]:
    """The float32 and the int8 file of a network, with size and accuracy.

    Args:
        name: What to call it.
        model: Functional Keras 3 classifier.
        representative_images: As for `tflite.convert.convert`.
        accuracy: Gives the accuracy of a ``.tflite`` file.

    Raises:
        LabError: If the model cannot be converted.
    """
    share = zero_share(model)
    variants = []
    for recipe in (FLOAT32, INT8_FULL):
        content = convert(model, recipe, representative_images)
        variants.append(Variant(name, recipe.name, content, accuracy(content), share))
    return tuple(variants)


def zero_share(model: keras.Model) -> float:
    """Share of the weights of all kernels that are exactly zero."""
    kernels = [np.asarray(w) for w in model.get_weights() if w.ndim >= 2]
    return sum(int((k == 0).sum()) for k in kernels) / max(1, sum(k.size for k in kernels))


COLUMNS = ("variant", "recipe", "accuracy", "zero weights", "kB", "kB packed")


def table_rows(variants: Sequence[Variant]) -> list[tuple[str, ...]]:
    """The variants as rows of `COLUMNS`, kB being 1000 bytes."""
    return [
        (
            v.name,
            v.recipe,
            f"{v.accuracy:.4f}",
            f"{v.zeros:.3f}",
            f"{len(v.content) / 1000:.0f}",
            f"{v.packed_bytes / 1000:.0f}",
        )
        for v in variants
    ]


def compression_table(variants: Sequence[Variant]) -> str:
    """The variants as a Markdown table."""
    return markdown_table([COLUMNS, *table_rows(variants)])
