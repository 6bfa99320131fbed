"""Labels when their spelling does not matter."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable


def plain_label(label: str) -> str:
    """What remains of a label without capitals, spaces, hyphens, underscores, invisible marks."""
    folded = unicodedata.normalize("NFKC", label).casefold()
    seen = "".join(c for c in folded if unicodedata.category(c) != "Cf")
    return re.sub(r"[\s_\-]+", "", seen)


def common_spellings(labels: Iterable[str]) -> dict[str, str]:
    """For each label, the commonest of those that differ from it only in spelling.

    Args:
        labels: One an image. Of equally common spellings the first in order of text is taken.
    """
    counts: dict[str, int] = {}
    for label in labels:
        counts[label] = counts.get(label, 0) + 1
    best: dict[str, str] = {}
    for label in sorted(counts, key=lambda name: (-counts[name], name)):
        best.setdefault(plain_label(label), label)
    return {label: best[plain_label(label)] for label in counts}
