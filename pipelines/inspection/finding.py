"""A finding: images that somebody should look at before anything is trained on them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """Something about one image, or about a few that belong together.

    Args:
        kind: Name of the module in `pipelines.inspection.kinds` that found it.
        paths: The images it is about, as in the manifest.
        score: How far beyond doubt, comparable within the kind only; the highest comes first.
        words: What was found, as a sentence with its figures.
        leave_out: Those of `paths` that cleaning leaves out.
        label: The label that cleaning gives to `paths`; "" leaves the labels as they are.
    """

    kind: str
    paths: tuple[str, ...]
    score: float
    words: str
    leave_out: tuple[str, ...] = ()
    label: str = ""


def count_images(findings: Iterable[Finding]) -> int:
    """How many images the findings are about, each counted once."""
    return len({path for finding in findings for path in finding.paths})


def strongest_first(findings: list[Finding]) -> tuple[Finding, ...]:
    """By falling score, and by path where scores are equal."""
    return tuple(sorted(findings, key=lambda finding: (-finding.score, finding.paths)))
