"""Small data sets of whole fields with boxes around the cells, in the forms of COCO and VOC."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

CATEGORIES = ("RBC", "WBC")


def write_field(
    path: Path, size: tuple[int, int] = (64, 48), orientation: int | None = None
) -> None:
    """A random image; columns and rows are those of the file, before EXIF turns it."""
    pixels = np.random.default_rng(zlib.crc32(path.name.encode())).integers(
        0, 256, (size[1], size[0], 3), dtype=np.uint8
    )
    image, further = Image.fromarray(pixels), {}
    if orientation is not None:
        exif = Image.Exif()
        exif[0x0112] = orientation
        further["exif"] = exif
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **further)


def coco_content(
    boxes: dict[str, Sequence[tuple[str, Sequence[float]]]],
    size: tuple[int, int] = (64, 48),
    categories: Sequence[str] = CATEGORIES,
) -> dict[str, Any]:
    """Image name -> (category, [x, y, width, height])s. Ids count from 1."""
    names = list(boxes)
    listed = [(name, *one) for name, ones in boxes.items() for one in ones]
    return {
        "info": {"description": "made by a test"},
        "licenses": [],
        "images": [
            {"id": i, "file_name": name, "width": size[0], "height": size[1]}
            for i, name in enumerate(names, 1)
        ],
        "annotations": [
            {
                "id": i,
                "image_id": names.index(name) + 1,
                "category_id": categories.index(category) + 1,
                "bbox": list(box),
                "area": 100.0,
                "iscrowd": 0,
                "segmentation": [[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]],
            }
            for i, (name, category, box) in enumerate(listed, 1)
        ],
        "categories": [
            {"id": i, "name": name, "supercategory": "cell"} for i, name in enumerate(categories, 1)
        ],
    }


def write_json(path: Path, content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def write_coco(root: Path) -> int:
    """The layout of COCO 2017: two cells in each of three fields."""
    for side, names in (("train2017", ("1.png", "2.png")), ("val2017", ("3.png",))):
        for name in names:
            write_field(root / side / name)
        boxes = {name: [("RBC", (4, 6, 10, 12)), ("WBC", (30.5, 20, 20, 16.5))] for name in names}
        write_json(root / "annotations" / f"instances_{side}.json", coco_content(boxes))
    return 6


VocBox = tuple[str, Sequence[object]]


def voc_text(
    name: str,
    objects: Iterable[VocBox],
    size: tuple[int, int] = (64, 48),
    flags: str = "<truncated>0</truncated><difficult>0</difficult>",
) -> str:
    """An annotation; each object is its class and xmin, ymin, xmax, ymax."""
    listed = "".join(
        f"<object><name>{label}</name><pose>Unspecified</pose>{flags}<bndbox>"
        + "".join(f"<{e}>{v}</{e}>" for e, v in zip(("xmin", "ymin", "xmax", "ymax"), edges))
        + "</bndbox></object>\n"
        for label, edges in objects
    )
    return (
        f"<annotation>\n<folder>JPEGImages</folder><filename>{name}</filename>\n<size><width>"
        f"{size[0]}</width><height>{size[1]}</height><depth>3</depth></size>\n"
        f"<segmented>0</segmented>\n{listed}</annotation>\n"
    )


def write_text(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def write_voc(root: Path) -> int:
    """The layout of BCCD: three cells in each of three fields."""
    objects = [
        ("RBC", (1, 1, 16, 20)),
        ("WBC", (20, 10, 45, 40)),
        ("Platelets", (50, 30, 60, 39)),
    ]
    for number in range(3):
        name = f"BloodImage_0000{number}"
        write_field(root / "JPEGImages" / f"{name}.jpg")
        write_text(root / "Annotations" / f"{name}.xml", voc_text(f"{name}.jpg", objects))
    sides = {"train": "0", "val": "1", "test": "2", "trainval": "01"}
    for side, numbers in sides.items():
        lines = "".join(f"BloodImage_0000{number}\n" for number in numbers)
        write_text(root / "ImageSets" / "Main" / f"{side}.txt", lines)
    return 9
