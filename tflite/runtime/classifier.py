"""Classifies images with a bundle: one, several, or a folder of them."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Tuple, Union

import numpy as np

from tflite.runtime.bundle import Bundle, read_bundle
from tflite.runtime.contract import InputContract
from tflite.runtime.errors import BundleError, ImageError
from tflite.runtime.folder import FolderRun, FolderSettings, Progress, classify_to_table
from tflite.runtime.images import find_images
from tflite.runtime.interpreter import TensorRunner
from tflite.runtime.preprocess import ImageSource, prepare_image
from tflite.runtime.results import FileResult, FolderSummary, Result, decide
from tflite.runtime.scores import softmax
from tflite.runtime.sidecar import checked_thresholds


class Classifier:
    """A classifier that is ready to run: the bundle checked, the interpreter loaded and warm.

    Needs the interpreter, numpy and Pillow, nothing else. Safe to share between threads: a lock
    lets one inference in at a time, so results are right but do not come faster. For parallel
    inference give each thread its own classifier.

    Args:
        path: The ``.tflite`` file of a bundle.
        threads: Number of threads of one inference.
        thresholds: Class to the score below which an answer of that class is ``"unknown"``; a
            number holds for every class, 0 never rejects. None takes those of the bundle.

    Raises:
        BundleError: If the bundle is damaged or its parts do not belong together, or thresholds
            are not of its classes.
        LabError: If the interpreter is not installed or `threads` is below 1.
    """

    def __init__(
        self,
        path: Union[str, Path],
        threads: int = 1,
        thresholds: Union[float, Mapping[str, float], None] = None,
    ) -> None:
        self.bundle: Bundle = read_bundle(path)
        self.thresholds: Dict[str, float] = self._thresholds(thresholds)
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

    def _thresholds(self, thresholds: Union[float, Mapping[str, float], None]) -> Dict[str, float]:
        if thresholds is None:
            return dict(self.bundle.sidecar.rejection_thresholds)
        if not isinstance(thresholds, Mapping):
            thresholds = dict.fromkeys(self.labels, thresholds)
        return checked_thresholds(thresholds, self.labels)

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

    def logits(self, pixels: np.ndarray) -> np.ndarray:
        """The logits of one prepared image, as the model gives them.

        Args:
            pixels: uint8 array ``(height, width, 3)``, as `prepare_image` gives it.

        Returns:
            float32 array ``(classes,)``.

        Raises:
            ImageError: If the array is of another type or shape.
        """
        if pixels.dtype != np.uint8 or pixels.shape != self.contract.shape:
            raise ImageError(
                f"The model takes uint8 arrays of shape {self.contract.shape}, got "
                f"{pixels.dtype} {pixels.shape}. Give other images to classify()."
            )
        return self._runner(pixels)

    def scores(self, pixels: np.ndarray) -> np.ndarray:
        """The calibrated scores of one prepared image: the softmax with the bundle's temperature.

        Args:
            pixels: See `logits`.

        Returns:
            float32 array ``(classes,)``, 0..1, sum 1.

        Raises:
            ImageError: If the array is of another type or shape.
            LabError: If the model gives NaN or infinity.
        """
        return softmax(self.logits(pixels), self.bundle.sidecar.temperature)

    def decide(self, scores: Iterable[float]) -> Result:
        """The answer that calibrated scores give.

        Args:
            scores: In the order of `labels`.
        """
        return decide(self.labels, scores, self.thresholds)

    def classify(self, image: ImageSource) -> Result:
        """Classifies one image.

        Args:
            image: A path, the bytes of a file, or a uint8 array ``(rows, columns)`` or
                ``(rows, columns, 3)`` of any size.

        Raises:
            ImageError: If the image cannot be read.
        """
        return self.decide(self.scores(prepare_image(image, self.contract)))

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

    def classify_files(
        self, paths: Iterable[Path], settings: Optional[FolderSettings] = None
    ) -> Iterator[FileResult]:
        """Classifies files in their order, as they are asked for; unreadable ones say why.

        Args:
            paths: Image files.
            settings: How far ahead files are decoded; None takes the defaults.
        """
        return FolderRun(self, settings or FolderSettings()).results(paths)

    def classify_folder(
        self,
        folder: Union[str, Path],
        out: Union[str, Path, None] = None,
        format: Optional[str] = None,
        progress: Optional[Progress] = None,
        settings: Optional[FolderSettings] = None,
    ) -> FolderSummary:
        """Classifies every image of a folder and of its sub-folders, in the order of their names.

        Args:
            folder: Files with the suffixes `tflite.runtime.images.IMAGE_SUFFIXES` count, hidden
                ones do not.
            out: A table to write, whole or not at all: one row a file, unreadable ones included.
                A stopped run goes on (see `tflite.runtime.folder.classify_to_table`).
            format: ``"csv"`` or ``"jsonl"``; None goes by the suffix of `out`.
            progress: Called after every image.
            settings: None takes the defaults.

        Raises:
            ImageError: If the folder is missing or holds no image.
            LabError: If a stopped run of the same table was of another bundle or other images.
        """
        return self.classify_to_table(find_images(folder), out, format, progress, settings)

    def classify_to_table(
        self,
        paths: Sequence[Path],
        out: Union[str, Path, None] = None,
        format: Optional[str] = None,
        progress: Optional[Progress] = None,
        settings: Optional[FolderSettings] = None,
    ) -> FolderSummary:
        """Classifies files and writes a table; see `classify_folder` for the arguments."""
        table = None if out is None else Path(out)
        return classify_to_table(self, paths, table, format, progress, settings or FolderSettings())
