"""The same network for other runtimes: int8 for onnxruntime and OpenVINO, to be compared with.

Both take a static per-channel quantisation with explicit quantise and dequantise nodes (QDQ),
calibrated on the same images as our own; each with the operators quantised that it is fastest
with. OpenVINO turns the nodes into its own int8 layers when it compiles the file.
"""

from __future__ import annotations

import contextlib
import logging
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tflite.onnx_export import INPUT, OnnxError

INSTALL = "Install the development extra: pip install 'lab-models[dev]'."


@dataclass(frozen=True)
class PeerSettings:
    """How an ONNX network is quantised.

    Args:
        activations: ``"uint8"`` or ``"int8"``. VNNI multiplies unsigned by signed numbers, so
            uint8 activations and int8 weights are what onnxruntime's x86 kernels like best.
        per_channel: Whether each output channel of a kernel has its own scale.
        reduce_range: Weights of 7 bits, for processors older than VNNI, whose 16-bit sums of two
            products can overflow. Only loses accuracy where there is VNNI.
        operators: ONNX operators that are quantised; empty for all that onnxruntime can. OpenVINO
            fuses activations into convolutions, and quantise nodes between keep it from doing so.
    """

    activations: str = "uint8"
    per_channel: bool = True
    reduce_range: bool = False
    operators: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.activations not in ("uint8", "int8"):
            raise OnnxError(f"activations must be 'uint8' or 'int8', got {self.activations!r}.")


OPENVINO_SETTINGS = PeerSettings(operators=("Conv", "MatMul", "Gemm"))
"""What OpenVINO was seen to be fastest with (see `PeerSettings.operators`)."""


def quantize_onnx(
    content: bytes, images: np.ndarray, settings: PeerSettings | None = None
) -> bytes:
    """The int8 file of an ONNX network.

    Args:
        content: From `tflite.onnx_export.to_onnx`, with the batch fixed to 1.
        images: uint8 ``(n, height, width, 3)``, the representative dataset.
        settings: None takes the defaults.

    Returns:
        An ``.onnx`` file with the same interface.

    Raises:
        OnnxError: If onnxruntime is missing or cannot quantise the network.
    """
    settings = settings or PeerSettings()
    if images.dtype != np.uint8 or images.ndim != 4 or len(images) == 0:
        raise OnnxError(
            f"Representative images must be uint8 (n, height, width, 3), got {images.dtype} "
            f"{images.shape}."
        )
    try:
        with _quiet(), tempfile.TemporaryDirectory() as folder:
            return _quantize(content, images, settings, Path(folder))
    except ImportError as error:
        raise OnnxError(f"onnxruntime's quantiser is missing ({error}). {INSTALL}") from None
    except Exception as error:  # it raises nearly anything
        raise OnnxError(f"onnxruntime cannot quantise the network: {error}") from error


def _quantize(content: bytes, images: np.ndarray, settings: PeerSettings, folder: Path) -> bytes:
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self._images = iter(images)

        def get_next(self) -> dict[str, np.ndarray] | None:
            image = next(self._images, None)
            return None if image is None else {INPUT: image[None].astype(np.float32)}

    given, prepared, result = (folder / f"{name}.onnx" for name in ("given", "prepared", "result"))
    given.write_bytes(content)
    # Fuses what can be fused, so that the quantiser sees the ops that will run.
    quant_pre_process(str(given), str(prepared), skip_symbolic_shape=True)
    unsigned = settings.activations == "uint8"
    quantize_static(
        str(prepared),
        str(result),
        Reader(),
        per_channel=settings.per_channel,
        reduce_range=settings.reduce_range,
        activation_type=QuantType.QUInt8 if unsigned else QuantType.QInt8,
        weight_type=QuantType.QInt8,
        op_types_to_quantize=list(settings.operators) or None,
    )
    return result.read_bytes()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Swallows the quantiser's advice, which goes to the root logger."""
    previous = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(previous)


def peer_versions() -> dict[str, str]:
    """Name to version of the peers that are installed."""
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for name in ("onnxruntime", "openvino"):
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name).partition("-")[0]
    return found


def compile_openvino(content: bytes, threads: int) -> Any:
    """An OpenVINO network compiled for the CPU, for the least time of a single image.

    Args:
        content: Of an ``.onnx`` file.
        threads: Of the kernels.

    Raises:
        OnnxError: If OpenVINO is missing or cannot take the file.
    """
    try:
        import openvino
    except ImportError as error:
        raise OnnxError(f"OpenVINO is missing ({error}). {INSTALL}") from None
    options = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
    }
    core = openvino.Core()
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            path.write_bytes(content)
            return core.compile_model(core.read_model(path), "CPU", options)
    except RuntimeError as error:
        raise OnnxError(f"OpenVINO cannot take the network: {error}") from None
