"""Writes synthetic smears to disk as a laboratory would have them."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import multiprocessing
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from pathlib import Path

from pipelines.smear.camera import encode
from pipelines.smear.picture import draw_image
from pipelines.smear.settings import SmearSettings, settings_to_dict
from pipelines.smear.slides import DATABASES, HAIRY, LOOKALIKES, Image, list_slides, plan
from tflite.runtime.errors import LabError
from tflite.runtime.files import write_whole

DRAWING = 4
"""Version of the drawing. It changes whenever equal settings give other pictures."""

_CHUNK = 64  # images that a worker draws before it reports
_FEW = 200  # fewer images are drawn without worker processes, which take a second to start

_README = """# Synthetic blood smears

Every picture in this folder is drawn by a program: no patient, no laboratory and no microscope
stands behind any of them. Hospitals, slides and experts are invented. Nothing learned from them
says anything about real cells.

- `hairy_db`, `WBCTrain`, `WBCTest`: `<slide>/<class>/<number>`, laid out as in study hairy.
- `lookalikes`: cells of WBCTrain and WBCTest slides that look like hairy cells but are labelled
  abnormal lymphocyte (set D of study hairy).
- In each of them `experts.csv` (path, expert, label) and `slides.csv` (slide, hospital, split).
- `settings.json`: what they were drawn with; the same settings draw the same files.
"""


def write_smears(
    root: Path,
    settings: SmearSettings,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Draws a data set and writes it to disk, whole or not at all.

    The images go to a folder beside `root`, which takes the name `root` when everything is there.
    An interrupted run therefore leaves no `root`, and the next one goes on where it stopped. A
    `root` that holds exactly these settings is left as it is.

    Args:
        root: The folder to be written; its name may exist as an empty folder.
        settings: What to draw.
        workers: Worker processes; None takes one a processor. They are started afresh (spawn), so
            a script that calls this needs the usual ``if __name__ == "__main__"``.
        progress: Called with the numbers of images done and of all images.

    Raises:
        LabError: If `root` holds anything else, or `workers` is no positive number.
    """
    root = Path(root).resolve()
    workers = (os.cpu_count() or 1) if workers is None else workers
    if workers < 1:
        raise LabError(f"workers must be at least 1 process, got {workers}.")
    described = _describe(settings)
    if _is_finished(root, described):
        return
    images = plan(settings)
    unfinished = _unfinished(root, described)
    missing = [image for image in images if not _target(unfinished, settings, image).exists()]
    done = len(images) - len(missing)
    for count in _draw(unfinished, settings, missing, workers):
        done += count
        if progress is not None:
            progress(done, len(images))
    _write_tables(unfinished, settings, images)
    unfinished.replace(root)


def smears_digest(settings: SmearSettings) -> str:
    """Eight characters that name settings and drawing version, for a folder's name."""
    described = json.dumps(_describe(settings), sort_keys=True)
    return hashlib.sha256(described.encode()).hexdigest()[:8]


def _describe(settings: SmearSettings) -> dict:
    return {"drawing": DRAWING, "settings": settings_to_dict(settings)}


def _is_finished(root: Path, described: dict) -> bool:
    """Whether `root` is the data set already.

    Raises:
        LabError: If it is something else.
    """
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return False
    if not root.is_dir():
        raise LabError(f"Smears are written to a folder, but {root} is a file. Give another path.")
    found = _read_settings(root)
    if found is None:
        raise LabError(
            f"{root} holds files that are no synthetic smears (it has no settings.json of them). "
            "Give a path that does not exist yet."
        )
    if found != described:
        raise LabError(
            f"{root} holds synthetic smears of other settings ({_difference(found, described)}). "
            "Delete that folder, or give another path."
        )
    return True


def _read_settings(folder: Path) -> dict | None:
    try:
        found = json.loads((folder / "settings.json").read_text())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and "drawing" in found else None


def _difference(found: dict, wanted: dict) -> str:
    """The settings that differ, at most three of them written out."""
    old, new = dict(_flat(found)), dict(_flat(wanted))
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    shown = ", ".join(f"{name}: {old.get(name)} there, {new.get(name)} here" for name in names[:3])
    return shown + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _flat(values: dict, prefix: str = "") -> Iterator[tuple[str, object]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, "" if key == "settings" else f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _unfinished(root: Path, described: dict) -> Path:
    """The folder in which an unfinished data set lies; one of other settings is thrown away."""
    folder = root.with_name(root.name + ".unfinished")
    if folder.exists() and (found := _read_settings(folder)) != described:
        if found is None and any(folder.iterdir()):
            raise LabError(
                f"{folder} is where unfinished smears would lie, but it holds something else. "
                "Move it away, or give another path."
            )
        shutil.rmtree(folder)
    if not folder.exists():
        folder.mkdir(parents=True)
        write_whole(folder / "settings.json", json.dumps(described, indent=2) + "\n")
    return folder


def _camera_format(settings: SmearSettings, image: Image) -> str:
    hairy = image.database == HAIRY
    return (settings.hairy_camera if hairy else settings.wbc_camera).format


def _target(folder: Path, settings: SmearSettings, image: Image) -> Path:
    return folder / image.database / image.path(_camera_format(settings, image))


def _draw(
    folder: Path, settings: SmearSettings, images: Sequence[Image], workers: int
) -> Iterator[int]:
    """Draws the images; yields how many were drawn since the last time."""
    chunks = [images[start : start + _CHUNK] for start in range(0, len(images), _CHUNK)]
    for image in images:
        _make_folder(_target(folder, settings, image).parent)
    if workers == 1 or len(images) < _FEW:
        for chunk in chunks:
            yield _draw_chunk(folder, settings, chunk)
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_one_thread)
    try:
        for task in [pool.submit(_draw_chunk, folder, settings, chunk) for chunk in chunks]:
            yield task.result()
    finally:
        # After an error or an interruption nothing more is begun.
        pool.shutdown(cancel_futures=True)


@lru_cache(maxsize=4096)
def _make_folder(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)


def _one_thread() -> None:
    """In a worker process: OpenCV's own threads would only get in the others' way."""
    import cv2

    cv2.setNumThreads(1)


def _draw_chunk(folder: Path, settings: SmearSettings, images: Sequence[Image]) -> int:
    for image in images:
        hairy = image.database == HAIRY
        camera = settings.hairy_camera if hairy else settings.wbc_camera
        write_whole(_target(folder, settings, image), encode(draw_image(settings, image), camera))
    return len(images)


def _write_tables(folder: Path, settings: SmearSettings, images: Sequence[Image]) -> None:
    slides = list_slides(settings)
    for database in DATABASES:
        own = [image for image in images if image.database == database]
        if not own:
            continue
        experts = [
            (image.path(_camera_format(settings, image)), expert, label)
            for image in own
            for expert, label in image.experts
        ]
        write_whole(folder / database / "experts.csv", _csv(("path", "expert", "label"), experts))
        used = {image.slide.name for image in own} if database == LOOKALIKES else None
        rows = [
            (slide.name, slide.hospital_name, slide.split)
            for slide in slides
            if (slide.name in used if used is not None else slide.database == database)
        ]
        header = ("slide", "hospital", "split")
        write_whole(folder / database / "slides.csv", _csv(header, rows))
    write_whole(folder / "README.md", _README)


def _csv(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()
