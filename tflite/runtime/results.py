"""What a classifier says: about one image, about a file, about a folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterable, Mapping, Optional, Sequence, Tuple

from tflite.runtime.sidecar import UNKNOWN


@dataclass(frozen=True)
class Result:
    """What the model says about one image.

    Args:
        label: The answer: `predicted`, or ``"unknown"`` where its score is below the rejection
            threshold of that class.
        predicted: The class with the highest score; of equal ones the first.
        score: Calibrated softmax score of `predicted`, 0..1.
        scores: Class to calibrated score, all classes in the model's order; they sum to 1.
    """

    label: str
    predicted: str
    score: float
    scores: Dict[str, float]

    @property
    def accepted(self) -> bool:
        """Whether the score reached the threshold of its class, so that it is the answer."""
        return self.label == self.predicted


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
        classified: Number of images with a result, those taken over included.
        unreadable: The others, with their reasons.
        counts: Answer to number of images: all classes in the model's order, then ``"unknown"``.
        taken_over: Results that an earlier, stopped run had left.
        seconds: Time of this run, decoding included.
        inference_seconds: Of these, spent in the interpreter.
    """

    classified: int
    unreadable: Tuple[FileResult, ...]
    counts: Dict[str, int]
    taken_over: int = 0
    seconds: float = 0.0
    inference_seconds: float = 0.0

    @property
    def images_per_second(self) -> float:
        """Images classified by this run a second, decoding included; 0 if there were none."""
        done = self.classified - self.taken_over
        return done / self.seconds if done else 0.0

    @property
    def inference_share(self) -> float:
        """Share of the time spent in the interpreter, 0..1: near 1, nothing else holds it up."""
        return self.inference_seconds / self.seconds if self.seconds else 0.0


def decide(
    labels: Sequence[str], scores: Iterable[float], thresholds: Mapping[str, float]
) -> Result:
    """The answer that scores give.

    Args:
        labels: Class names.
        scores: Calibrated scores in the order of `labels`.
        thresholds: Class to the score below which an answer of that class is unknown.
    """
    by_label = {label: float(score) for label, score in zip(labels, scores)}
    predicted = max(by_label, key=by_label.__getitem__)  # of equal ones the first
    score = by_label[predicted]
    label = predicted if score >= thresholds[predicted] else UNKNOWN
    return Result(label, predicted, score, by_label)
