"""A C header with everything that a program in C or C++ must know about a bundle.

Plain ``#define`` lines: they hold in C89 and in C++, take no memory where they are not used, and
can be asked by ``#if``. What to do with them is shown, and tested, in ``docs/device_example.c``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tflite.runtime.contract import COLOURS, INTERPOLATIONS
from tflite.runtime.quantize import DTYPES, TensorQuantization
from tflite.runtime.sidecar import UNKNOWN, Sidecar


def header_path(bundle: Path) -> Path:
    """Where the header of a bundle stands: ``model.h`` beside ``model.tflite``."""
    return bundle.with_suffix(".h")


def c_header(sidecar: Sidecar, name: str) -> str:
    """The header's text, ASCII.

    Args:
        sidecar: Of the bundle.
        name: The bundle's name without suffix, such as ``model_int8``; in capitals it begins
            every macro.
    """
    prefix = identifier(name) or "MODEL"
    if prefix[0].isdigit():
        prefix = f"MODEL_{prefix}"
    guard = f"LAB_MODELS_{prefix}_H"
    lines = [
        f"/* What a program must know about {re.sub('[^A-Za-z0-9_.-]', '_', name)}.tflite. "
        "Generated at the export; do not edit. */",
        f"#ifndef {guard}",
        f"#define {guard}",
    ]
    for comment, macros in _sections(sidecar):
        lines += ["", f"/* {comment} */"]
        lines += [f"#define {prefix}_{macro} {value}" for macro, value in macros]
    return "\n".join([*lines, "", f"#endif /* {guard} */", ""])


def identifier(text: str) -> str:
    """A text as part of a macro's name: capitals, digits and single underscores; may be empty."""
    return re.sub(r"[^A-Z0-9]+", "_", text.upper()).strip("_")


def _sections(sidecar: Sidecar) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    contract, labels = sidecar.input, sidecar.labels
    yield (
        "The model: the first MODEL_BYTES bytes of the .tflite file, and their SHA-256.",
        [
            ("MODEL_BYTES", f"{sidecar.model_bytes}L"),
            ("MODEL_SHA256", _string(sidecar.model_sha256)),
        ],
    )
    yield (
        "The image: crop in the middle, resize with antialiasing, colour; then rows of RGB.",
        [
            ("INPUT_HEIGHT", str(contract.height)),
            ("INPUT_WIDTH", str(contract.width)),
            ("INPUT_CHANNELS", str(contract.channels)),
            ("CROP", repr(float(contract.crop))),
            *_flags("COLOUR", COLOURS, contract.colour),
            *_flags("INTERPOLATION", INTERPOLATIONS, contract.interpolation),
        ],
    )
    yield (
        "The tensors: real = SCALE * (stored - ZERO_POINT); in are pixels 0..255, out logits.",
        [
            *_tensor("INPUT", sidecar.input_quantization),
            ("INPUT_TAKES_PIXELS", str(int(sidecar.input_quantization.takes_pixels))),
            *_tensor("OUTPUT", sidecar.output_quantization),
        ],
    )
    yield (
        "The classes, in the order of the logits.",
        [
            ("CLASSES", str(len(labels))),
            ("LABELS", _braces(_string(label) for label in labels)),
            *_class_numbers(labels),
        ],
    )
    yield (
        "The answer: score = softmax(logits / TEMPERATURE); below its class's threshold UNKNOWN.",
        [
            ("TEMPERATURE", repr(float(sidecar.temperature))),
            (
                "REJECTION_THRESHOLDS",
                _braces(repr(sidecar.rejection_thresholds[label]) for label in labels),
            ),
            ("UNKNOWN", _string(UNKNOWN)),
        ],
    )


def _flags(name: str, choices: tuple[str, ...], chosen: str) -> list[tuple[str, str]]:
    return [(f"{name}_{identifier(choice)}", str(int(choice == chosen))) for choice in choices]


def _tensor(name: str, quantization: TensorQuantization) -> list[tuple[str, str]]:
    return [
        *_flags(name, DTYPES, quantization.dtype),
        (f"{name}_SCALE", repr(float(quantization.scale))),
        (f"{name}_ZERO_POINT", f"({quantization.zero_point})"),
    ]


def _class_numbers(labels: tuple[str, ...]) -> list[tuple[str, str]]:
    names: list[str] = []
    for number, label in enumerate(labels):
        name = identifier(label)
        # Labels may differ only in what an identifier cannot hold, or hold nothing else.
        names.append(name if name and name not in names else f"{name}_{number}".strip("_"))
    if len(set(names)) < len(names):
        names = [str(number) for number in range(len(labels))]
    return [(f"CLASS_{name}", str(number)) for number, name in enumerate(names)]


def _braces(values: Iterator[str]) -> str:
    return f"{{{', '.join(values)}}}"


def _string(text: str) -> str:
    """A C string literal: UTF-8, everything but plain ASCII as three octal digits."""
    plain = set(range(0x20, 0x7F)) - set(b'"\\?')  # a question mark could begin a trigraph
    # File names need not be valid text; their bytes come through.
    content = text.encode(errors="surrogateescape")
    return '"' + "".join(chr(b) if b in plain else f"\\{b:03o}" for b in content) + '"'
