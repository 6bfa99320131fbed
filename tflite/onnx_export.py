"""From a Keras classifier to ONNX, and the proof that it is the same network.

tf2onnx's own Keras entry points fail with Keras 3, so the network is frozen first: one graph whose
weights are constants. What of that graph would come out wrong or slow is put into other, equal
words before (`tflite.onnx_graph`).
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tflite.onnx_graph import prepare_for_onnx
from tflite.runtime.contract import InputContract
from tflite.runtime.errors import LabError

if TYPE_CHECKING:
    import keras

INPUT, OUTPUT = "pixels", "scores"


class OnnxError(LabError):
    """A model cannot be written as ONNX, or what came out is not that model."""


@dataclass(frozen=True)
class OnnxSettings:
    """How a network is written as ONNX and compared with the Keras model.

    Args:
        opset: Version of ONNX's operators, 13 to 18.
        batch: Fixed batch size; None leaves it free.
        images: Random images that are compared.
        seed: Of these images.
        max_difference: Largest difference of one output value. Both compute in float32 and differ
            in the order of sums only; the networks of this project were seen to differ by less
            than 1e-5, ten times that is allowed.

    Raises:
        OnnxError: If a number is out of range.
    """

    opset: int = 17
    batch: int | None = None
    images: int = 8
    seed: int = 0
    max_difference: float = 1e-4

    def __post_init__(self) -> None:
        if not 13 <= self.opset <= 18:
            raise OnnxError(f"opset must be 13 to 18, got {self.opset}.")
        if self.images < 1 or (self.batch is not None and self.batch < 1):
            raise OnnxError(
                f"images and batch must be at least 1, got {self.images} and {self.batch}."
            )


@dataclass(frozen=True)
class OnnxComparison:
    """A Keras model and its ONNX file on the same random images.

    Args:
        images: How many.
        largest_difference: Of one score.
        mean_difference: Over all scores.
        agreement: Share of images with the same highest score, 0..1.
        runtime: Name and version of the runtime.
        file_bytes: Size of the file.
    """

    images: int
    largest_difference: float
    mean_difference: float
    agreement: float
    runtime: str
    file_bytes: int

    def sentence(self) -> str:
        """The comparison in one line."""
        return (
            f"{self.runtime} against Keras on {self.images} random images: largest difference of "
            f"a score {self.largest_difference:.1e}, mean {self.mean_difference:.1e}, "
            f"{self.agreement:.0%} the same class; {self.file_bytes / 1000:,.0f} kB"
        )


def export_onnx(
    model: keras.Model,
    contract: InputContract,
    labels: Sequence[str],
    settings: OnnxSettings | None = None,
) -> tuple[bytes, OnnxComparison]:
    """Writes a trained classifier as ONNX with its labels and input contract, and compares it.

    Args:
        model: Functional, float32 pixel values 0..255 in, softmax scores out.
        contract: Its input contract.
        labels: Class names in the order of the scores.
        settings: None takes the defaults.

    Returns:
        The file's content, with ``labels`` and ``input_contract`` as JSON in its metadata; and the
        comparison.

    Raises:
        OnnxError: If the parts are not of one model, or the file answers otherwise.
    """
    shape, classes = _signature(model)
    if shape != contract.shape or classes != len(labels):
        raise OnnxError(
            f"The model takes images of shape {shape} and gives {classes} scores, but the input "
            f"contract says {contract.shape} and there are {len(labels)} labels; they are not of "
            "the same run."
        )
    settings = settings or OnnxSettings()
    metadata = {
        "labels": json.dumps(list(labels)),
        "input_contract": json.dumps(contract.to_dict()),
        "research_use_only": "A person confirms every cell.",
    }
    content = to_onnx(model, settings, metadata)
    return content, compare_onnx(model, content, settings)


def to_onnx(
    model: keras.Model,
    settings: OnnxSettings | None = None,
    metadata: dict[str, str] | None = None,
) -> bytes:
    """The network as ONNX.

    Args:
        model: Functional classifier, input float32 ``(batch, height, width, 3)``.
        settings: None takes the defaults.
        metadata: Stored in the file's ``metadata_props``.

    Returns:
        Content of an ``.onnx`` file. Input ``pixels`` float32 ``(batch, height, width, 3)`` in
        0..255, output ``scores`` float32 ``(batch, classes)``, whatever the model's own output is.

    Raises:
        OnnxError: If the model has another form or holds an operation that ONNX lacks.
    """
    settings = settings or OnnxSettings()
    _signature(model)
    tf2onnx, onnx = _packages()
    with _quiet():
        graph, output = _frozen_graph(model, settings.batch)
        prepare_for_onnx(graph)
        try:
            proto, _ = tf2onnx.convert.from_graph_def(
                graph,
                name=model.name,
                input_names=[f"{INPUT}:0"],
                output_names=[output],
                opset=settings.opset,
                tensors_to_rename={f"{INPUT}:0": INPUT, output: OUTPUT},
            )
            _name_batch(proto, settings.batch)
            onnx.helper.set_model_props(proto, metadata or {})
            onnx.checker.check_model(proto)
        # tf2onnx raises nearly anything; unknown operations show in the checker only.
        except Exception as error:
            raise OnnxError(f"{model.name} cannot be written as ONNX: {error}") from error
    return bytes(proto.SerializeToString())


def compare_onnx(
    model: keras.Model, content: bytes, settings: OnnxSettings | None = None
) -> OnnxComparison:
    """Runs both networks on random images, black and white ones among them.

    Args:
        model: The Keras model.
        content: Of the ``.onnx`` file.
        settings: None takes the defaults.

    Raises:
        OnnxError: If the outputs differ by more than allowed, or are not finite.
    """
    settings = settings or OnnxSettings()
    images = random_images(_signature(model)[0], settings)
    session = onnx_session(content)
    parts = (
        np.split(images, range(settings.batch, len(images), settings.batch))
        if (settings.batch)
        else [images]
    )
    found = np.concatenate([session.run(None, {INPUT: part})[0] for part in parts])
    expected = np.asarray(_in_float32(model).predict_on_batch(images), np.float32)
    difference = np.abs(found - expected)
    comparison = OnnxComparison(
        len(images),
        float(difference.max()),
        float(difference.mean()),
        float((found.argmax(axis=1) == expected.argmax(axis=1)).mean()),
        _runtime(),
        len(content),
    )
    # Negated, so that NaN fails too.
    if not comparison.largest_difference <= settings.max_difference:
        raise OnnxError(
            f"The ONNX file is not the Keras model: {comparison.sentence()}; at most "
            f"{settings.max_difference:g} is allowed."
        )
    return comparison


def random_images(shape: tuple[int, int, int], settings: OnnxSettings) -> np.ndarray:
    """Float32 ``(images, height, width, 3)`` in 0..255: the first black, the second white."""
    generator = np.random.default_rng(settings.seed)
    count = settings.images
    if settings.batch:  # whole batches only
        count = -(-count // settings.batch) * settings.batch
    images = generator.integers(0, 256, (count, *shape)).astype(np.float32)
    images[0] = 0
    images[1:2] = 255
    return images


def onnx_session(content: bytes, threads: int = 1) -> Any:
    """An onnxruntime session on the CPU.

    Args:
        content: Of an ``.onnx`` file.
        threads: Of the kernels.

    Raises:
        OnnxError: If onnxruntime is missing or cannot load the file.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise OnnxError(_missing(error)) from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(content, options, ["CPUExecutionProvider"])
    # Its exceptions share no base but Exception.
    except Exception as error:
        raise OnnxError(f"onnxruntime cannot load the model: {error}") from None


def _runtime() -> str:
    from importlib.metadata import version

    return f"onnxruntime {version('onnxruntime')}"


def _missing(error: ImportError) -> str:
    return (
        f"ONNX needs a further package ({error}). Install it with: pip install 'lab-models[train]'."
    )


def _packages() -> tuple[Any, Any]:
    try:
        with _quiet():
            import onnx
            import tf2onnx
    except ImportError as error:
        raise OnnxError(_missing(error)) from None
    return tf2onnx, onnx


def _signature(model: keras.Model) -> tuple[tuple[int, int, int], int]:
    """Image shape and number of classes."""
    import keras

    if not isinstance(model, keras.Model) or not isinstance(model.inputs, list):
        raise OnnxError(f"A functional Keras model was expected, got {type(model).__name__}.")
    shapes = [tuple(t.shape) for t in (*model.inputs, *model.outputs)]
    if len(shapes) != 2 or len(shapes[0]) != 4 or shapes[0][3] != 3 or len(shapes[1]) != 2:
        raise OnnxError(
            "A classifier takes one (batch, height, width, 3) and gives one (batch, classes); "
            f"this model has {shapes}."
        )
    if None in shapes[0][1:]:
        raise OnnxError(f"The model's image size must be fixed, got {shapes[0]}.")
    return shapes[0][1:], shapes[1][1]


def _in_float32(model: keras.Model) -> keras.Model:
    from tflite.convert import as_float32

    return as_float32(model)


def _frozen_graph(model: keras.Model, batch: int | None) -> tuple[Any, str]:
    """The graph with its weights as constants, and the name of its output tensor."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    network = _in_float32(model)
    pixels = tf.TensorSpec((batch, *model.inputs[0].shape[1:]), tf.float32, name=INPUT)
    function = tf.function(lambda pixels: network(pixels, training=False))
    frozen = convert_variables_to_constants_v2(function.get_concrete_function(pixels))
    return frozen.graph.as_graph_def(), frozen.outputs[0].name


def _name_batch(proto: Any, batch: int | None) -> None:
    """Gives the free batch dimension its name, and drops shapes that nobody needs."""
    for value in (*proto.graph.input, *proto.graph.output):
        dimension = value.type.tensor_type.shape.dim[0]
        if batch is None:
            dimension.dim_param = "batch"
        else:
            dimension.dim_value = batch
    del proto.graph.value_info[:]


@contextmanager
def _quiet() -> Iterator[None]:
    """Swallows tf2onnx's log below errors, and its warnings about TensorFlow's older interfaces."""
    loggers = [logging.getLogger(name) for name in ("tf2onnx", "tensorflow")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
