"""Classifies images with a bundle: one, several, or a folder of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple, Union

import numpy as np

from tflite.runtime.bundle import Bundle, read_bundle
from tflite.runtime.contract import InputContract
from tflite.runtime.errors import BundleError, ImageError
from tflite.runtime.interpreter import TensorRunner
from tflite.runtime.preprocess import ImageSource, prepare_image
from tflite.runtime.tables import TableWriter, table_format

IMAGE_SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")

Progress = Callable[[int, int], None]
"""Called with the number of images done and the number of all."""


@dataclass(frozen=True)
class Result:
    """What the model says about one image.

    Args:
        label: The class with the highest score; of equal ones the first.
        score: Its softmax score, 0..1.
        scores: Class to score, all classes in the model's order. An int8 model's scores are
            multiples of 1/256 and need not sum to exactly 1.
    """

    label: str
    score: float
    scores: Dict[str, float]


@dataclass(frozen=True)
class FileResult:
    """What became of one file: a result, or the reason why there is none.

    Args:
        path: The file.
        result: None where the file could not be read.
        error: Why, in words; empty where there is a result.
    """

    path: Path
    result: Optional[Result]
    error: str = ""


@dataclass(frozen=True)
class FolderSummary:
    """What became of a folder or a list of files.

    Args:
        classified: Number of images with a result.
        unreadable: The others, with their reasons.
        counts: Class to number of images, all classes in the model's order.
    """

    classified: int
    unreadable: Tuple[FileResult, ...]
    counts: Dict[str, int]


class Classifier:
    """A classifier that is ready to run: the bundle checked, the interpreter loaded and warm.

    Needs the interpreter, numpy and Pillow, nothing else. Safe to share between threads: a lock
    lets one inference in at a time, so results are right but do not come faster. For parallel
    inference give each thread its own classifier.

    Args:
        path: The ``.tflite`` file of a bundle.
        threads: Number of threads of one inference.

    Raises:
        BundleError: If the bundle is damaged or its parts do not belong together.
        LabError: If the interpreter is not installed or `threads` is below 1.
    """

    def __init__(self, path: Union[str, Path], threads: int = 1) -> None:
        self.bundle: Bundle = read_bundle(path)
        self._runner = TensorRunner(self.bundle.model, threads)
        self._check_tensors()
        # The first inference packs weights and is slower; nobody should measure it.
        self.scores(np.zeros(self.contract.shape, np.uint8))

    @property
    def labels(self) -> Tuple[str, ...]:
        """Class names in the order of the scores."""
        return self.bundle.sidecar.labels

    @property
    def contract(self) -> InputContract:
        """What becomes of an image before the model sees it."""
        return self.bundle.sidecar.input

    def _check_tensors(self) -> None:
        sidecar, runner = self.bundle.sidecar, self._runner
        expected = {
            "input shape": (1, *self.contract.shape),
            "output shape": (1, len(self.labels)),
            "input quantisation": sidecar.input_quantization,
            "output quantisation": sidecar.output_quantization,
        }
        found = {
            "input shape": runner.input_shape,
            "output shape": runner.output_shape,
            "input quantisation": runner.input_quantization,
            "output quantisation": runner.output_quantization,
        }
        wrong = [
            f"{name}: model {found[name]}, sidecar {expected[name]}"
            for name in expected
            if found[name] != expected[name]
        ]
        if wrong:
            raise BundleError(
                f"The model in {self.bundle.path} is not the one its sidecar describes: "
                + "; ".join(wrong)
                + ". Export it anew with: lab-models export RUN."
            )

    def scores(self, pixels: np.ndarray) -> np.ndarray:
        """The scores of one prepared image.

        Args:
            pixels: uint8 array ``(height, width, 3)``, as `prepare_image` gives it.

        Returns:
            float32 array ``(classes,)``, softmax scores 0..1.

        Raises:
            ImageError: If the array is of another type or shape.
        """
        if pixels.dtype != np.uint8 or pixels.shape != self.contract.shape:
            raise ImageError(
                f"The model takes uint8 arrays of shape {self.contract.shape}, got "
                f"{pixels.dtype} {pixels.shape}. Give other images to classify()."
            )
        return self._runner(pixels)

    def classify(self, image: ImageSource) -> Result:
        """Classifies one image.

        Args:
            image: A path, the bytes of a file, or a uint8 array ``(rows, columns)`` or
                ``(rows, columns, 3)`` of any size.

        Raises:
            ImageError: If the image cannot be read.
        """
        scores = self.scores(prepare_image(image, self.contract))
        best = int(np.argmax(scores))
        by_label = {label: float(score) for label, score in zip(self.labels, scores)}
        return Result(self.labels[best], float(scores[best]), by_label)

    def classify_batch(self, images: Sequence[ImageSource]) -> List[Result]:
        """Classifies several images, in their order.

        The model takes one image at a time; this is a loop, and exists so that callers need none.

        Args:
            images: See `classify`; also a uint8 array ``(batch, rows, columns, 3)``.

        Raises:
            ImageError: If one of them cannot be read; says which. For files of unknown quality
                use `classify_files`, which goes on.
        """
        results = []
        for number, image in enumerate(images):
            try:
                results.append(self.classify(image))
            except ImageError as error:
                raise ImageError(f"Image {number} of {len(images)}: {error}") from None
        return results

    def classify_files(self, paths: Iterable[Path]) -> Iterator[FileResult]:
        """Classifies files one by one, as they are asked for; unreadable ones say why.

        Args:
            paths: Image files.
        """
        for path in paths:
            try:
                yield FileResult(path, self.classify(path))
            except ImageError as error:
                yield FileResult(path, None, str(error))

    def classify_folder(
        self,
        folder: Union[str, Path],
        out: Union[str, Path, None] = None,
        format: Optional[str] = None,
        progress: Optional[Progress] = None,
    ) -> FolderSummary:
        """Classifies every image of a folder and of its sub-folders, in the order of their names.

        Args:
            folder: Files with the suffixes `IMAGE_SUFFIXES` count, hidden ones do not.
            out: A table to write, whole or not at all: one row a file, unreadable ones included.
            format: ``"csv"`` or ``"jsonl"``; None goes by the suffix of `out`.
            progress: Called after every image.

        Raises:
            ImageError: If the folder is missing or holds no image.
        """
        return self.classify_to_table(find_images(folder), out, format, progress)

    def classify_to_table(
        self,
        paths: Sequence[Path],
        out: Union[str, Path, None] = None,
        format: Optional[str] = None,
        progress: Optional[Progress] = None,
    ) -> FolderSummary:
        """Classifies files and writes a table; see `classify_folder` for the arguments."""
        if out is None:
            return self._summarise(paths, None, progress)
        with TableWriter(Path(out), self.labels, table_format(Path(out), format)) as writer:
            return self._summarise(paths, writer, progress)

    def _summarise(
        self,
        paths: Sequence[Path],
        writer: Optional[TableWriter],
        progress: Optional[Progress],
    ) -> FolderSummary:
        counts = dict.fromkeys(self.labels, 0)
        unreadable = []
        for done, item in enumerate(self.classify_files(paths), start=1):
            if item.result is None:
                unreadable.append(item)
            else:
                counts[item.result.label] += 1
            if writer:
                scores = item.result.scores if item.result else None
                writer.write(str(item.path), scores, item.error)
            if progress:
                progress(done, len(paths))
        return FolderSummary(sum(counts.values()), tuple(unreadable), counts)


def find_images(folder: Union[str, Path]) -> List[Path]:
    """The image files of a folder and its sub-folders, sorted by path.

    Args:
        folder: Files with the suffixes `IMAGE_SUFFIXES`, in either case, count; hidden files and
            folders do not.

    Raises:
        ImageError: If the folder is missing, is a file, or holds no image.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ImageError(f"{folder} is no folder; a folder of images was expected.")
    found = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in IMAGE_SUFFIXES
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    if not found:
        raise ImageError(
            f"{folder} holds no image; files with these suffixes count: "
            f"{', '.join(IMAGE_SUFFIXES)}."
        )
    return found
