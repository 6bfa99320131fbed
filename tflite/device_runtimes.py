"""Runtimes that can stand on an instrument, behind one call: an image in, scores out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tflite.onnx_export import INPUT, onnx_session
from tflite.peers import compile_openvino
from tflite.runtime.errors import LabError
from tflite.runtime.interpreter import TensorRunner, load_interpreter

LITERT, ONNXRUNTIME, OPENVINO = "LiteRT", "onnxruntime", "OpenVINO"

Infer = Callable[[], np.ndarray]
"""Runs one inference on an image given before; gives the output ``(classes,)`` as it is stored."""


def prepare(runtime: str, content: bytes, threads: int, image: np.ndarray) -> Infer:
    """Loads a network and gives what runs it on one image.

    The image is converted to what the network takes here, not in the call: all runtimes are timed
    with their input ready. Handing it over and getting the output is part of the call.

    Args:
        runtime: ``"LiteRT"``, ``"onnxruntime"`` or ``"OpenVINO"``.
        content: Of a ``.tflite`` file, or of an ``.onnx`` file.
        threads: Of the kernels.
        image: uint8 ``(height, width, 3)``.

    Raises:
        LabError: If the runtime is unknown or missing, or cannot load the file.
    """
    makers = {LITERT: _litert, ONNXRUNTIME: _onnxruntime, OPENVINO: _openvino}
    if runtime not in makers:
        raise LabError(f"No runtime {runtime!r}; there are: {', '.join(makers)}.")
    return makers[runtime](content, threads, image)


def _litert(content: bytes, threads: int, image: np.ndarray) -> Infer:
    interpreter = load_interpreter(content, threads)
    details, output = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    stored = _stored(content, image)

    def infer() -> np.ndarray:
        interpreter.set_tensor(details["index"], stored)
        interpreter.invoke()
        scores: np.ndarray = interpreter.get_tensor(output["index"])[0]
        return scores

    return infer


def _stored(content: bytes, image: np.ndarray) -> np.ndarray:
    """The image as the file's input tensor takes it, checked as the runtime checks it."""
    runner = TensorRunner(content)
    if image.shape != runner.input_shape[1:]:
        raise LabError(f"The model takes {runner.input_shape[1:]}, got an image {image.shape}.")
    return np.ascontiguousarray(runner._store(image)[None])


def _onnxruntime(content: bytes, threads: int, image: np.ndarray) -> Infer:
    session = onnx_session(content, threads)
    feed = {INPUT: image[None].astype(np.float32)}

    def infer() -> np.ndarray:
        scores: np.ndarray = session.run(None, feed)[0][0]
        return scores

    return infer


def _openvino(content: bytes, threads: int, image: np.ndarray) -> Infer:
    request: Any = compile_openvino(content, threads).create_infer_request()
    pixels = image[None].astype(np.float32)

    def infer() -> np.ndarray:
        results = request.infer([pixels], share_inputs=True, share_outputs=True)
        scores: np.ndarray = results[0][0]
        return scores

    return infer
