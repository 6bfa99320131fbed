"""A sheet of pictures before and after augmentation, for people to judge a recipe by."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pipelines.augment_settings import AugmentSettings
from pipelines.image_cache import ImageCache
from pipelines.input_pipeline import make_for_train
from pipelines.labels import display_name
from tflite.runtime.contract import InputContract
from tflite.runtime.errors import LabError

if TYPE_CHECKING:
    from pipelines.manifest import Manifest

_INK, _FAINT, _PAPER = (25, 25, 30), (110, 110, 120), (255, 255, 255)


@dataclass(frozen=True)
class SheetSettings:
    """How a sheet looks.

    Args:
        versions: Augmented pictures per image, beside the original.
        picture: Height of a picture on the sheet, in pixels.
        gap: Space between pictures, in pixels.
        text: Height of the letters, in pixels.
        margin: Width of the column of class names, in pixels.
    """

    versions: int = 8
    picture: int = 128
    gap: int = 8
    text: int = 14
    margin: int = 170

    def __post_init__(self) -> None:
        faults = [
            f"{field.name} must be a whole number above 0, got {getattr(self, field.name)!r}"
            for field in fields(self)
            if not isinstance(getattr(self, field.name), int) or getattr(self, field.name) < 1
        ]
        if faults:
            raise LabError("The sheet has bad fields: " + "; ".join(faults) + ".")


def choose_rows(manifest: Manifest, count: int, seed: int) -> np.ndarray:
    """Rows that show as many classes as possible: one of each, then a second of each, and so on.

    Args:
        manifest: The table of images.
        count: Rows wanted; all there are if fewer.
        seed: Decides which rows of a class are taken.

    Returns:
        int64 array, in the order of the classes.

    Raises:
        LabError: If no rows are wanted or there are none.
    """
    if count < 1 or not len(manifest):
        raise LabError(f"A sheet needs at least one image, got {min(count, len(manifest))}.")
    labels = manifest.label_ids
    order = np.random.default_rng(seed).permutation(len(labels))
    turn = np.empty(len(labels), int)
    for label in np.unique(labels):
        members = order[labels[order] == label]
        turn[members] = np.arange(len(members))
    chosen = np.lexsort((labels, turn))[:count]
    return chosen[np.lexsort((turn[chosen], labels[chosen]))].astype(np.int64)


def draw_sheet(
    manifest: Manifest,
    rows: np.ndarray,
    contract: InputContract,
    augment: AugmentSettings,
    seed: int,
    settings: SheetSettings | None = None,
) -> Image.Image:
    """One line per image: its class, the original, and versions as training would see them.

    The versions come out of the training pipeline itself, one epoch each. Under a mixed picture
    stand the classes that it counts as, in percent.

    Args:
        manifest: The table of images.
        rows: Row numbers, int64 ``(n,)``, without repeats.
        contract: What the network takes.
        augment: What to do to each image.
        seed: Seed of the draws.
        settings: How the sheet looks.

    Raises:
        LabError: If there are no rows.
        ImageError: If an image cannot be read.
    """
    settings = settings or SheetSettings()
    cache = ImageCache(manifest, contract, rows=rows)
    versions = _versions(manifest, rows, contract, augment, seed, settings.versions, cache)
    canvas = _Canvas(settings, contract, len(rows), augment)
    for line, (row, original) in enumerate(zip(rows, cache.get(rows))):
        own = manifest.label_ids[row]
        canvas.write_name(line, display_name(manifest.classes[own]), manifest.path(int(row)).name)
        canvas.paste(line, 0, original)
        for column, batch in enumerate(versions, start=1):
            (place,) = np.flatnonzero(batch["index"] == row)
            canvas.paste(line, column, batch["image"][place])
            if augment.mixes:
                canvas.write_shares(line, column, _shares(batch["label"][place], manifest.classes))
    return canvas.image


def _versions(
    manifest: Manifest,
    rows: np.ndarray,
    contract: InputContract,
    augment: AugmentSettings,
    seed: int,
    count: int,
    cache: ImageCache,
) -> list[dict[str, np.ndarray]]:
    """The only batch of each of the first epochs."""
    dataset = make_for_train(manifest, rows, contract, augment, len(rows), seed, cache=cache)
    return list(dataset.take(count).as_numpy_iterator())


def _shares(label: np.ndarray, classes: tuple[str, ...]) -> str:
    largest = np.argsort(-label)[:2]
    parts = [f"{label[i]:.0%} {display_name(classes[i])}" for i in largest if label[i] > 0.005]
    return " + ".join(parts)


def _describe(augment: AugmentSettings) -> str:
    default = AugmentSettings()
    chosen = [
        f"{field.name} {value:.3g}"
        if not isinstance(value, (bool, str))
        else f"{field.name} {value}"
        for field in fields(augment)
        if (value := getattr(augment, field.name)) != getattr(default, field.name)
    ]
    return ", ".join(chosen) or "no augmentation"


class _Canvas:
    """The sheet being drawn: where things stand, and how they are written."""

    def __init__(
        self, settings: SheetSettings, contract: InputContract, lines: int, augment: AugmentSettings
    ) -> None:
        self._settings = settings
        self._size = (
            round(settings.picture * contract.width / contract.height),
            settings.picture,
        )
        self._font = ImageFont.load_default(settings.text)
        self._small = ImageFont.load_default(max(8, round(0.75 * settings.text)))
        self._caption = settings.text + 4 if augment.mixes else 0
        self._top = round(3.6 * settings.text) + settings.gap
        columns = settings.versions + 1
        width = settings.margin + columns * (self._size[0] + settings.gap) + settings.gap
        height = self._top + lines * self._pitch + settings.gap
        self.image = Image.new("RGB", (width, height), _PAPER)
        self._draw = ImageDraw.Draw(self.image)
        self._write_head(augment)

    @property
    def _pitch(self) -> int:
        return self._size[1] + self._caption + self._settings.gap

    def _corner(self, line: int, column: int) -> tuple[int, int]:
        # A wider gap sets the original apart.
        x = self._settings.margin + column * (self._size[0] + self._settings.gap)
        return x + (self._settings.gap if column else 0), self._top + line * self._pitch

    def _write_head(self, augment: AugmentSettings) -> None:
        gap = self._settings.gap
        room = self.image.width - 2 * gap
        self._draw.text(
            (gap, gap), self._fitted(_describe(augment), room, self._font), _FAINT, self._font
        )
        for column in range(self._settings.versions + 1):
            x, y = self._corner(0, column)
            title = f"epoch {column}" if column else "original"
            self._draw.text((x, y - 4), title, _INK, self._font, anchor="ld")

    def write_name(self, line: int, name: str, file: str) -> None:
        """Class and file name at the left of a line."""
        _, y = self._corner(line, 0)
        x, room = self._settings.gap, self._settings.margin - 2 * self._settings.gap
        self._draw.text((x, y), self._fitted(name, room, self._font), _INK, self._font)
        below = y + round(1.4 * self._settings.text)
        self._draw.text((x, below), self._fitted(file, room, self._small), _FAINT, self._small)

    def write_shares(self, line: int, column: int, text: str) -> None:
        """The classes of a mixed picture, below it."""
        x, y = self._corner(line, column)
        fitted = self._fitted(text, self._size[0], self._small)
        self._draw.text((x, y + self._size[1] + 2), fitted, _INK, self._small)

    def paste(self, line: int, column: int, pixels: np.ndarray) -> None:
        """A picture of values 0..255 at its place, uint8 or float32."""
        picture = Image.fromarray(np.rint(pixels).astype(np.uint8))
        resized = picture.resize(self._size, Image.Resampling.BICUBIC)
        self.image.paste(resized, self._corner(line, column))

    def _fitted(self, text: str, room: float, font: Any) -> str:
        if self._draw.textlength(text, font) <= room:
            return text
        while text and self._draw.textlength(text + "…", font) > room:
            text = text[:-1]
        return text + "…"
