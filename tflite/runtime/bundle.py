"""Reads a bundle and refuses it where its parts do not belong together.

A bundle is one ``.tflite`` file: the plain model, and appended to it a zip with ``sidecar.json``
and ``labels.txt``. Interpreters stop reading at the model's end, zip readers start at the file's
end, so each finds its own. Copies of the two may stand beside it as ``<name>.json`` and
``<name>.labels.txt``, for people and for other programs; where they stand, they must be equal.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Tuple, Union

from tflite.runtime.errors import BundleError
from tflite.runtime.sidecar import Sidecar, labels_text, read_sidecar, sha256

SIDECAR_NAME = "sidecar.json"
LABELS_NAME = "labels.txt"
# A zip entry's earliest time; equal exports shall be equal files.
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
_ANEW = "Export it anew with: lab-models export RUN."


@dataclass(frozen=True)
class Bundle:
    """A bundle whose parts were found to belong together.

    Args:
        path: The ``.tflite`` file.
        model: The plain model, without the appended zip.
        sidecar: What is known about it.
    """

    path: Path
    model: bytes
    sidecar: Sidecar


def beside_paths(path: Path) -> Tuple[Path, Path]:
    """Where the copies of sidecar and labels stand: ``model.json`` and ``model.labels.txt``."""
    return path.with_suffix(".json"), path.with_suffix(".labels.txt")


def bundle_bytes(model: bytes, sidecar: Sidecar) -> bytes:
    """The content of a bundle file: the plain model and the zip.

    Args:
        model: The plain model that `sidecar` describes.
        sidecar: Stored as it is, with its labels.
    """
    buffer = io.BytesIO()
    # Written behind the model, so that the zip's offsets count from the start of the file and
    # no zip reader complains of bytes before it.
    buffer.write(model)
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, text in (
            (SIDECAR_NAME, sidecar.to_json()),
            (LABELS_NAME, labels_text(sidecar.labels)),
        ):
            archive.writestr(zipfile.ZipInfo(name, _ZIP_TIME), text.encode())
    return buffer.getvalue()


def read_bundle(path: Union[str, Path]) -> Bundle:
    """Reads and checks a bundle. Nothing of it is given to the interpreter before all is right.

    Args:
        path: The ``.tflite`` file.

    Raises:
        BundleError: If the file is missing, no bundle, truncated or altered, or if a file beside
            it belongs to another bundle; says which part and what to do.
    """
    path = Path(path)
    content = _read(path)
    sidecar_text, labels, start = _read_zip(content, path)
    sidecar = read_sidecar(sidecar_text, f"The sidecar inside {path}")
    model = content[:start]
    _check_model(model, sidecar, path)
    if labels != labels_text(sidecar.labels) or sha256(labels.encode()) != sidecar.labels_sha256:
        raise BundleError(f"The labels inside {path} are not those of its sidecar. {_ANEW}")
    _check_beside(path, sidecar_text, labels)
    return Bundle(path, model, sidecar)


def _read(path: Path) -> bytes:
    if path.is_dir():
        found = ", ".join(sorted(p.name for p in path.glob("*.tflite"))) or "none"
        raise BundleError(f"{path} is a folder; give one of its .tflite files (there: {found}).")
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise BundleError(f"No such bundle: {path}.") from None
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror}.") from None
    if content[4:8] != b"TFL3":
        raise BundleError(f"{path} is no TensorFlow Lite model (no TFL3 mark). {_ANEW}")
    return content


def _read_zip(content: bytes, path: Path) -> Tuple[str, str, int]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            texts = [archive.read(name).decode() for name in (SIDECAR_NAME, LABELS_NAME)]
            start = min(entry.header_offset for entry in archive.infolist())
    # A damaged zip can raise nearly anything from inside the reader.
    except Exception as error:
        raise BundleError(
            f"{path} carries no readable sidecar ({error}): it is a plain model, or was truncated "
            f"or altered. {_ANEW}"
        ) from None
    return texts[0], texts[1], start


def _check_model(model: bytes, sidecar: Sidecar, path: Path) -> None:
    if len(model) != sidecar.model_bytes:
        raise BundleError(
            f"The model in {path} has {len(model)} bytes, its sidecar says {sidecar.model_bytes}: "
            f"it was altered. {_ANEW}"
        )
    found = sha256(model)
    if found != sidecar.model_sha256:
        raise BundleError(
            f"The model in {path} was altered: its sha256 is {found[:12]}..., its sidecar says "
            f"{sidecar.model_sha256[:12]}.... {_ANEW}"
        )


def _check_beside(path: Path, sidecar_text: str, labels: str) -> None:
    for beside, expected in zip(beside_paths(path), (sidecar_text, labels)):
        try:
            found = beside.read_bytes()
        except FileNotFoundError:
            continue  # the bundle is whole without its copies
        except OSError as error:
            raise BundleError(f"{beside} cannot be read: {error.strerror}.") from None
        # A checkout may have changed line ends; nothing else may differ.
        if found.replace(b"\r\n", b"\n") != expected.encode():
            raise BundleError(
                f"{beside} does not belong to {path.name}: it differs from the copy inside. "
                f"Remove it or put the right file in its place."
            )
