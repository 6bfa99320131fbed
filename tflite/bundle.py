"""Writes bundles: the ``.tflite`` with everything inside, and beside it copies and a C header.

What a bundle is, and what the SHA-256 of the model covers: `tflite.runtime.bundle` and
`tflite.runtime.sidecar`.
"""

from __future__ import annotations

from pathlib import Path

from tflite.c_header import c_header, header_path
from tflite.runtime.bundle import beside_paths, bundle_bytes, read_bundle
from tflite.runtime.errors import BundleError
from tflite.runtime.files import write_whole
from tflite.runtime.sidecar import Sidecar, labels_text, sha256


def write_bundle(path: Path, model: bytes, sidecar: Sidecar) -> None:
    """Writes ``model.tflite``, beside it ``model.json``, ``model.labels.txt`` and ``model.h``.

    Each file is written whole or not at all, the ``.tflite`` last; until it is there, the copies
    belong to nothing, and where an older one is there, they are refused together.

    Args:
        path: The ``.tflite`` file.
        model: The plain model.
        sidecar: That describes it.

    Raises:
        BundleError: If `sidecar` describes another model, or `path` has another suffix.
    """
    if path.suffix != ".tflite":
        raise BundleError(f"A bundle's name ends in .tflite, got {path.name!r}.")
    if (len(model), sha256(model)) != (sidecar.model_bytes, sidecar.model_sha256):
        raise BundleError(f"The sidecar for {path} describes another model.")
    json_path, labels_path = beside_paths(path)
    write_whole(json_path, sidecar.to_json())
    write_whole(labels_path, labels_text(sidecar.labels))
    write_whole(header_path(path), c_header(sidecar, path.stem))
    write_whole(path, bundle_bytes(model, sidecar))
    read_bundle(path)
