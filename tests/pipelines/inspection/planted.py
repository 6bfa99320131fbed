"""A folder of synthetic cells with forty faults of known kinds, for the tests of inspection."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from pipelines.smear import LabelSettings, SlideSettings, SmearSettings
from pipelines.smear.picture import draw_image
from pipelines.smear.slides import plan

SIZE = 128
CLASSES = ("segmented_neutrophil", "eosinophil", "lymphocyte", "monocyte", "erythroblast")
REPEATS = 12


def draw_cells(number: int, seed: int) -> dict[str, list[np.ndarray]]:
    """About `number` cells of `CLASSES` by class, no two in one image, all labels right."""
    settings = SmearSettings(
        images=number,
        size=SIZE,
        seed=seed,
        counts=dict.fromkeys(CLASSES, (4, 1)),
        minimum_per_class=1,
        minimum_test_per_class=1,
        slides=SlideSettings(second_cell=0.0),
        labels=LabelSettings(disputed=0.0, mistakes=0.0),
    )
    cells: dict[str, list[np.ndarray]] = {name: [] for name in CLASSES}
    for image in plan(settings):
        if image.kind in cells and image.kind == image.label:
            cells[image.kind].append(draw_image(settings, image))
    return cells


def draw_files(root: Path, number: int) -> dict[str, list[Path]]:
    """Files from the folders of PBC: `number` of each of `CLASSES`, of the commonest size."""
    drawn = {}
    for name in CLASSES:
        folder = root / ("neutrophil" if name == "segmented_neutrophil" else name)
        files = sorted(folder.iterdir())
        np.random.default_rng(5).shuffle(files)
        fitting = (file for file in files if size_of(file) == (360, 363))
        drawn[name] = list(islice(fitting, number))
    return drawn


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


def read_cells(files: dict[str, list[Path]]) -> dict[str, list[np.ndarray]]:
    """Their pixels."""
    return {
        name: [np.array(Image.open(path).convert("RGB")) for path in paths]
        for name, paths in files.items()
    }


def save(path: Path, pixels: np.ndarray, **options: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)


def write_cells(root: Path, cells: dict[str, list[np.ndarray]]) -> None:
    for name, pictures in cells.items():
        for number, pixels in enumerate(pictures):
            save(root / name / f"{number:04d}.png", pixels)


class Planter:
    """Plants faults into a copy of `cells` on disk; remembers what it planted where."""

    def __init__(self, root: Path, cells: dict[str, list[np.ndarray]], seed: int) -> None:
        self.root, self.cells = root, cells
        self.height, self.width = cells[CLASSES[0]][0].shape[:2]
        self.rng = np.random.default_rng(seed)
        self.planted: list[tuple[str, str]] = []

    def fresh(self, name: str) -> np.ndarray:
        """A cell that goes to disk nowhere else."""
        return self.cells[name].pop()

    def name(self, kind: str, label: str, ending: str = "png") -> Path:
        path = f"{label}/{kind}_{len(self.planted):02d}.{ending}"
        self.planted.append((kind, path))
        return self.root / path

    def some_class(self) -> str:
        return CLASSES[len(self.planted) % len(CLASSES)]


def plant_all(root: Path, cells: dict[str, list[np.ndarray]], seed: int) -> list[tuple[str, str]]:
    """Writes cells and forty faults below `root`.

    Returns:
        Kind and path of each fault, paths relative to `root`.
    """
    planter = Planter(root, cells, seed)
    for plant in (_unreadable, _blurred, _burnt_out, _two_cells, _wrong_labels, _odd_sizes,
                  _unlike_others, _repeated, _spelled):  # fmt: skip
        plant(planter)
    write_cells(root, cells)
    _exact_duplicates(planter)
    _near_duplicates(planter)
    return planter.planted


def _unreadable(planter: Planter) -> None:
    label = CLASSES[0]
    planter.name("unreadable", label).parent.mkdir(parents=True, exist_ok=True)
    (planter.root / planter.planted[-1][1]).write_bytes(b"")
    planter.name("unreadable", label, "jpg").write_bytes(b"<html>not found</html>")
    truncated = planter.name("unreadable", label)
    save(truncated, planter.fresh(label))
    truncated.write_bytes(truncated.read_bytes()[:3000])
    Image.new("1", (9000, 9000)).save(planter.name("unreadable", label))


def _blurred(planter: Planter) -> None:
    for sigma in (2.5, 3.0, 4.0, 6.0):
        label = planter.some_class()
        spread = sigma * planter.width / SIZE
        pixels = cv2.GaussianBlur(planter.fresh(label), (0, 0), spread)
        save(planter.name("blurred", label), pixels)


def _burnt_out(planter: Planter) -> None:
    label = planter.some_class()
    pixels = np.clip(planter.fresh(label).astype(int) * 2, 0, 255).astype(np.uint8)
    save(planter.name("burnt_out", label), pixels)
    label = planter.some_class()
    pixels = planter.fresh(label)
    pixels[: len(pixels) // 2] = 255
    save(planter.name("burnt_out", label), pixels)
    label = planter.some_class()
    pixels = (planter.fresh(label).astype(float) * 0.01).astype(np.uint8)
    save(planter.name("burnt_out", label), pixels)


def _two_cells(planter: Planter) -> None:
    """Two fields side by side, their cells half an image apart."""
    pairs = (
        ("eosinophil", "lymphocyte"),
        ("lymphocyte", "erythroblast"),
        ("segmented_neutrophil", "lymphocyte"),
        ("erythroblast", "erythroblast"),
    )
    for one, other in pairs:
        width = planter.width
        left = np.roll(planter.fresh(one), -width // 4, axis=1)
        right = np.roll(planter.fresh(other), width // 4, axis=1)
        pixels = np.concatenate([left[:, : width // 2], right[:, width // 2 :]], axis=1)
        save(planter.name("two_cells", one), pixels)


def _wrong_labels(planter: Planter) -> None:
    pairs = (
        ("lymphocyte", "eosinophil"), ("eosinophil", "lymphocyte"), ("erythroblast", "eosinophil"),
        ("segmented_neutrophil", "lymphocyte"), ("monocyte", "erythroblast"),
    )  # fmt: skip
    for true, wrong in pairs:
        save(planter.name("wrong_labels", wrong), planter.fresh(true))


def _odd_sizes(planter: Planter) -> None:
    for across, down in ((0.3, 0.3), (3.0, 3.0), (1.0, 2.3)):
        label = planter.some_class()
        size = (round(across * planter.width), round(down * planter.height))
        pixels = cv2.resize(planter.fresh(label), size, interpolation=cv2.INTER_CUBIC)
        save(planter.name("odd_size", label), pixels)


def _drawings(planter: Planter) -> list[np.ndarray]:
    size = (planter.width, planter.height)
    return [cv2.resize(drawing, size) for drawing in _small_drawings(planter.rng)]


def _small_drawings(rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Pictures of no cells: noise, stripes, a green disc, black on white, rings, squares."""
    yield rng.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    rows, columns = np.mgrid[:SIZE, :SIZE]
    yield np.stack([(columns // 8 % 2) * 200, (rows // 4 % 2) * 200, rows], 2).astype(np.uint8)
    disc = np.full((SIZE, SIZE, 3), (20, 60, 200), np.uint8)
    yield cv2.circle(disc, (40, 70), 30, (30, 220, 40), -1)
    page = np.full((SIZE, SIZE, 3), 240, np.uint8)
    for line in range(20, SIZE, 20):
        cv2.putText(page, "Report 17", (4, line), cv2.FONT_HERSHEY_PLAIN, 1.2, (0, 0, 0), 1)
    yield page
    rings = np.hypot(rows - 40, columns - 70) // 12 % 2
    yield np.stack([rings * 180, rows, 255 - rings * 90], 2).astype(np.uint8)
    yield np.kron(rng.integers(0, 256, (8, 8, 3)), np.ones((16, 16, 1))).astype(np.uint8)


def _unlike_others(planter: Planter) -> None:
    for pixels in _drawings(planter)[:4]:
        save(planter.name("unlike_others", planter.some_class()), pixels)


def _repeated(planter: Planter) -> None:
    for pixels in _drawings(planter)[4:]:
        path = planter.name("repeated_pictures", planter.some_class())
        save(path, pixels)
        for number in range(1, REPEATS):
            copy = path.with_name(f"{path.stem}_{number:02d}.jpg")
            save(copy, pixels, quality=70 + number)


def _spelled(planter: Planter) -> None:
    # Folders that differ by capitals only are refused when they are read.
    for label, true in (
        ("lympho-cyte", "lymphocyte"),
        ("Segmented neutrophil", "segmented_neutrophil"),
    ):
        for number in range(3):
            if number == 0:
                path = planter.name("label_spelling", label)
            else:
                path = planter.root / label / f"more_{number}.png"
            save(path, planter.fresh(true))


def _exact_duplicates(planter: Planter) -> None:
    for number, name in enumerate(CLASSES[:4]):
        original = planter.root / name / f"{number:04d}.png"
        label = name if number < 2 else CLASSES[4]
        planter.name("exact_duplicates", label).write_bytes(original.read_bytes())


def _near_duplicates(planter: Planter) -> None:
    def write(name: str, change: Callable[[np.ndarray], np.ndarray], **options: object) -> None:
        pixels = np.asarray(Image.open(planter.root / name / "0010.png").convert("RGB"))
        ending = "jpg" if options else "png"
        changed = np.ascontiguousarray(change(pixels))
        save(planter.name("near_duplicates", name, ending), changed, **options)

    write(CLASSES[0], lambda pixels: pixels, quality=50)
    write(CLASSES[1], np.rot90)
    write(CLASSES[2], lambda pixels: pixels[:, ::-1])
    write(CLASSES[3], lambda pixels: np.clip(pixels * 1.08, 0, 255).astype(np.uint8))
    write(CLASSES[4], lambda pixels: pixels[3:-3, 3:-3])
