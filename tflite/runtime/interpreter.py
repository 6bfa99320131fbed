"""The TensorFlow Lite interpreter, behind three functions. The only import of `ai_edge_litert`."""

from __future__ import annotations

import threading
from typing import Any, Dict, Tuple

import numpy as np

from tflite.runtime.errors import BundleError, LabError
from tflite.runtime.quantize import TensorQuantization, dequantize, quantize, store_pixels


def interpreter_version() -> str:
    """Name and version of the installed interpreter, such as ``"ai-edge-litert 2.3.0"``."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"ai-edge-litert {version('ai-edge-litert')}"
    except PackageNotFoundError:
        return "ai-edge-litert (not installed)"


def load_interpreter(
    model: bytes, threads: int = 1, delegates: bool = True, keep_tensors: bool = False
) -> Any:
    """An interpreter with its tensors allocated.

    Args:
        model: Content of a ``.tflite`` file.
        threads: Number of threads of the kernels, at least 1. XNNPACK uses one unless told.
        delegates: Whether XNNPACK takes the ops it can. False shows the graph as it is in the
            file and runs the reference kernels.
        keep_tensors: Whether inner tensors can be read after an inference, at the cost of memory;
            those inside a delegate never can.

    Raises:
        LabError: If no interpreter is installed, or `threads` is below 1.
        BundleError: If the model cannot be loaded.
    """
    if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
        raise LabError(f"threads must be a whole number of at least 1, got {threads!r}.")
    try:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType
    except ImportError as error:
        raise LabError(
            f"The interpreter is missing ({error}). Install it with: "
            "pip install 'lab-models[device]' (or: pip install ai-edge-litert)."
        ) from None
    resolver = (
        OpResolverType.AUTO if delegates else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    )
    try:
        interpreter = Interpreter(
            model_content=model,
            num_threads=threads,
            experimental_op_resolver_type=resolver,
            experimental_preserve_all_tensors=keep_tensors,
        )
        interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        raise BundleError(f"The interpreter cannot load the model: {error}") from None
    return interpreter


class TensorRunner:
    """One model with one input and one output: real numbers in, real numbers out.

    Safe to call from several threads: a lock lets one inference in at a time. For parallel
    inference give every thread its own.

    Args:
        model: Content of a ``.tflite`` file with a fixed batch of 1.
        threads: Number of threads of the kernels.

    Raises:
        BundleError: If the model cannot be loaded or has another number of inputs or outputs.
    """

    def __init__(self, model: bytes, threads: int = 1) -> None:
        self._interpreter = load_interpreter(model, threads)
        self._lock = threading.Lock()
        inputs = self._interpreter.get_input_details()
        outputs = self._interpreter.get_output_details()
        if len(inputs) != 1 or len(outputs) != 1:
            raise BundleError(
                f"A classifier has one input and one output, this model has "
                f"{len(inputs)} and {len(outputs)}."
            )
        self._input, self._output = inputs[0], outputs[0]
        self.input_shape: Tuple[int, ...] = tuple(int(n) for n in self._input["shape"])
        self.output_shape: Tuple[int, ...] = tuple(int(n) for n in self._output["shape"])
        self.input_quantization = tensor_quantization(self._input)
        self.output_quantization = tensor_quantization(self._output)

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Runs one inference.

        Args:
            values: Real numbers of shape `input_shape` without the batch, uint8 or float.

        Returns:
            float32 array of shape `output_shape` without the batch.

        Raises:
            LabError: If the shape is another one or a value is not finite.
        """
        if values.shape != self.input_shape[1:]:
            raise LabError(
                f"The model takes arrays of shape {self.input_shape[1:]}, got {values.shape}."
            )
        stored = self._store(values)
        with self._lock:
            self._interpreter.set_tensor(self._input["index"], stored[None])
            self._interpreter.invoke()
            output = self._interpreter.get_tensor(self._output["index"])[0]
        return dequantize(output, self.output_quantization)

    def _store(self, values: np.ndarray) -> np.ndarray:
        if values.dtype == np.uint8 and self.input_quantization.takes_pixels:
            return store_pixels(values, self.input_quantization)
        return quantize(values, self.input_quantization)


def tensor_quantization(details: Dict[str, Any]) -> TensorQuantization:
    """The quantisation of a tensor, from the details that the interpreter gives.

    Raises:
        BundleError: If the tensor is of a type or a quantisation that the runtime does not know.
    """
    dtype = np.dtype(details["dtype"]).name
    scale, zero_point = details["quantization"]
    try:
        if dtype == "float32":
            return TensorQuantization(dtype)
        return TensorQuantization(dtype, float(scale), int(zero_point))
    except LabError as error:
        raise BundleError(f"Tensor {details['name']!r} cannot be used: {error}") from None
