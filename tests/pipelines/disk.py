"""Small folders of images in the layouts of laboratories, made by the tests that read them."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from pipelines.manifest import Manifest, make_manifest

BAD_FILES = ("empty.jpg", "text.jpg", "truncated.png", "gigantic.png")


def write_image(path: Path, content: str | None = None) -> None:
    """Writes an 8x8 image whose pixels depend on `content`, by default on the whole path."""
    seed = zlib.crc32((content if content is not None else str(path)).encode())
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def write_images(root: Path, names: Iterable[str]) -> None:
    for name in names:
        write_image(root / name)


def write_bad_file(folder: Path, name: str) -> Path:
    """Writes one of `BAD_FILES`."""
    path = folder / name
    folder.mkdir(parents=True, exist_ok=True)
    if name == "empty.jpg":
        path.write_bytes(b"")
    elif name == "text.jpg":
        path.write_text("no image at all")
    elif name == "truncated.png":
        write_image(path)
        path.write_bytes(path.read_bytes()[:120])
    else:
        Image.new("1", (9000, 9000)).save(path)
    return path


def manifest_of(root: Path, labels: dict[str, int], **columns: object) -> Manifest:
    """Writes ``label -> number`` images into class folders and lists them."""
    names = [f"{label}/{i}.png" for label, number in labels.items() for i in range(number)]
    write_images(root, names)
    table = pd.DataFrame({"path": names, "label": [name.split("/")[0] for name in names]})
    return make_manifest(table.assign(**columns), root)


def write_table(path: Path, *lines: str, encoding: str = "utf-8") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("\n".join(lines).encode(encoding) + b"\n")
    return path
