"""Labels of a foreign data set set against the classes of a model."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipelines.errors import name_some
from tflite.runtime.errors import LabError


@dataclass(frozen=True)
class LabelMap:
    """What each label of the data means to the model.

    Args:
        meanings: From label in the data to classes of the model. One class renames the label;
            several say that the data does not tell them apart: their scores are added up under
            the data's label. None leaves the images out.
    """

    meanings: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @classmethod
    def parse(cls, texts: Iterable[str]) -> LabelMap:
        """Reads ``label=class,class`` texts; ``label=`` leaves the label out.

        Raises:
            LabError: If a text has another form or names a label twice.
        """
        meanings: dict[str, tuple[str, ...]] = {}
        for text in texts:
            label, equals, right = text.partition("=")
            label = label.strip()
            if not equals or not label or label in meanings:
                raise LabError(
                    f"--map {text!r} is not understood or comes twice; write LABEL=CLASS, "
                    "LABEL=CLASS,CLASS, or LABEL= to leave the label out."
                )
            meanings[label] = tuple(c.strip() for c in right.split(",") if c.strip())
        return cls(tuple(meanings.items()))

    def check(
        self, labels: set[str], classes: tuple[str, ...], why: Mapping[str, str] | None = None
    ) -> None:
        """Checks the map against the labels of the data and the classes of the model.

        Args:
            labels: Those of the data.
            classes: Those of the model.
            why: Label to the reason why it is not understood, for the message.

        Raises:
            LabError: If a label is not in the data, a class not in the model, a class is meant
                by two labels, or a label of the data means nothing to the model.
        """
        left = {label for label, _ in self.meanings}
        right = [name for _, names in self.meanings for name in names]
        merged = [name for _, names in self.meanings if len(names) > 1 for name in names]
        faults = []
        if left - labels:
            faults.append(f"the data has no label {_list(left - labels)}")
        if set(right) - set(classes):
            faults.append(f"the model has no class {_list(set(right) - set(classes))}")
        plain = (labels - left) | {n[0] for _, n in self.meanings if len(n) == 1}
        doubled = {n for n in merged if merged.count(n) > 1} | (set(merged) & plain)
        if doubled:
            faults.append(f"the classes {_list(doubled)} stand for two labels")
        clash = {la for la, n in self.meanings if len(n) > 1 and la in set(classes) - set(n)}
        if clash:
            faults.append(f"{_list(clash)} would take the name of another class of the model")
        if faults:
            raise LabError("The map of labels does not fit: " + "; ".join(faults) + ".")
        unknown = labels - left - set(classes)
        if unknown:
            first, reasons = min(unknown), [(why or {}).get(label) for label in sorted(unknown)]
            rename, leave = (shlex.quote(f"{first}={name}") for name in (classes[0], ""))
            raise LabError(
                " ".join(
                    [
                        "The model does not know these labels of the data: "
                        f"{name_some(sorted(unknown))}. It knows: {name_some(classes, 20)}.",
                        *filter(None, reasons[:3]),
                        f"Say what they mean, for example --map {rename}, or leave them out: this "
                        f"one with --map {leave}, all with --classes model.",
                    ]
                )
            )

    def rename(self, labels: pd.Series) -> pd.Series:
        """Labels of the data as labels of the (merged) model; ``""`` where left out."""
        new = {la: "" if not n else (n[0] if len(n) == 1 else la) for la, n in self.meanings}
        return labels.map(lambda label: new.get(label, label))

    def merge(
        self, scores: np.ndarray, classes: tuple[str, ...]
    ) -> tuple[np.ndarray, tuple[str, ...]]:
        """Adds up the scores of classes that the data does not tell apart.

        Args:
            scores: float ``(images, classes)``.
            classes: The model's classes.

        Returns:
            Scores ``(images, new classes)`` and the new classes; a merged class stands where
            its first part stood.
        """
        target = {c: label for label, names in self.meanings if len(names) > 1 for c in names}
        names = [target.get(c, c) for c in classes]
        merged = tuple(dict.fromkeys(names))
        places = np.array([merged.index(name) for name in names])
        return scores @ np.eye(len(merged), dtype=scores.dtype)[places], merged


def _list(labels: Iterable[str]) -> str:
    return ", ".join(sorted(labels))
